"""Does the rights engine answer what a careful reader of the texts expects?

The answers stand in ``truth_table.yaml``, each with its why; here they are only asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from provenance.rights.clearance import clear
from provenance.rights.expressions import normalise, normalise_dep5, normalise_text, parse
from provenance.rights.policy import DEFAULT, SHIPPED, ClearancePolicy, policy_from_json
from provenance.rights.values import (
    ANSWERS,
    PURPOSES,
    RIGHTS,
    Claim,
    Clearance,
    Conflict,
    ExceptionMemo,
    Grant,
    RecordingRights,
    Reservation,
    Statement,
    Use,
)

Row = dict[str, Any]
TABLE: dict[str, list[Row]] = yaml.safe_load(
    Path(__file__).with_name("truth_table.yaml").read_text(encoding="utf-8")
)
PURPOSE = dict(zip(("train", "learn", "infer", "mine", "sell", "pass"), PURPOSES, strict=True))
ANSWER = {False: "not_allowed", "unknown": "unknown", "needs": "constrained", True: "allowed"}
AT = "2026-03-01T12:00:00+00:00"
READERS: dict[str, Callable[[str], str]] = {
    "cell": normalise,
    "tag": normalise_text,
    "dep5": normalise_dep5,
}


def instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


def places(row: Row) -> tuple[str, ...]:
    return tuple(row.get("where", ()))


def statements(rows: list[Row]) -> Iterator[Statement]:
    for row in rows:
        for right in RIGHTS if "right" not in row else (row["right"],):
            yield Statement(
                right=right,
                expression=row["is"],
                raw=row["is"],
                source=row.get("by", "steward"),
                weak=row.get("weak", False),
                territory=places(row),
                valid_from=row.get("from"),
                valid_until=row.get("until"),
            )


def claims(rows: list[Row]) -> Iterator[Claim]:
    for row in rows:
        for right in RIGHTS if "right" not in row else (row["right"],):
            yield Claim(
                right=right,
                party=row["of"],
                share=row["share"],
                role=row.get("role", ""),
                territory=places(row),
                valid_from=row.get("from"),
                valid_until=row.get("until"),
                source=row.get("source", "steward"),
            )


def grants(rows: list[Row]) -> Iterator[Grant]:
    for number, row in enumerate(rows):
        for right in RIGHTS if "right" not in row else (row["right"],):
            yield Grant(
                id=f"{number}-{right}",
                right=right,
                licensor=row["by"],
                purposes=frozenset(row.get("for", ["ai_generative_training"])),
                commercial=row.get("money", True),
                territory=places(row),
                valid_from=row.get("from"),
                valid_until=row.get("until"),
                model_scope=frozenset(row.get("models", ())),
                conditions=tuple(row.get("needs", ())),
                share=row.get("share", 100.0),
                revoked_at=instant(row.get("revoked")),
                basis=row.get("basis", "grant"),
                licensee=row.get("to", ""),
                chain_of_title=tuple(row.get("chain", ())),
                sunset_on=row.get("sunset"),
            )


def reservations(rows: list[Row]) -> Iterator[Reservation]:
    for number, row in enumerate(rows):
        yield Reservation(
            id=str(number),
            right=row.get("right", "both"),
            purposes=frozenset(row.get("for", ())),
            territory=places(row),
            declared_at=instant(row.get("from")),
            withdrawn_at=instant(row.get("until")),
        )


def memos(rows: list[Row]) -> Iterator[ExceptionMemo]:
    for number, row in enumerate(rows):
        yield ExceptionMemo(
            id=str(number),
            purposes=frozenset(row["for"]),
            signed_by=row.get("signed", "A. Counsel"),
            lawful_access=row.get("access", "bought on 3 May 2025"),
            territory=places(row),
            valid_from=row.get("from"),
            valid_until=row.get("until"),
        )


def conflicts(rows: list[Row]) -> Iterator[Conflict]:
    for number, row in enumerate(rows):
        yield Conflict(
            id=str(number),
            kind="same_sound_two_licences",
            statements=tuple(statements(row["other"])),
            closed_at=instant(row.get("closed")),
            upheld=tuple(statements(row.get("upheld", []))),
            set_aside=tuple(statements(row.get("set_aside", []))),
        )


def known(row: Row) -> RecordingRights:
    return RecordingRights(
        statements=tuple(statements(row.get("says", []))),
        claims=tuple(claims(row.get("claims", []))),
        grants=tuple(grants(row.get("grants", []))),
        reservations=tuple(reservations(row.get("reserved", []))),
        memos=tuple(memos(row.get("memos", []))),
        conflicts=tuple(conflicts(row.get("conflicts", []))),
        protected=row.get("protected", False),
    )


def asked(row: Row) -> Use:
    return Use(
        purpose=PURPOSE[row.get("for", "train")],
        commercial=row.get("money", True),
        territory=row.get("in", "WORLD"),
        at=datetime.fromisoformat(row.get("at", AT)),
        model=row.get("model", ""),
        licensees=frozenset(row.get("as", ())),
    )


def policy(row: Row) -> ClearancePolicy:
    chosen = row.get("policy", "default")
    if isinstance(chosen, str):
        return SHIPPED[chosen]
    return policy_from_json({"format": 1, "name": "house", "version": 1, **chosen})


def compare(row: Row, cleared: Clearance) -> None:
    assert cleared.answer == ANSWER[row["answer"]], row["why"]
    if "needs" in row:
        assert sorted(cleared.conditions) == row["needs"], row["why"]
    for right in RIGHTS:
        if right in row:
            assert getattr(cleared, right).answer == ANSWER[row[right]], row["why"]
    deciding = min((cleared.master, cleared.composition), key=lambda one: ANSWERS.index(one.answer))
    if "because" in row:
        assert deciding.unknown_because == row["because"], row["why"]
    if "basis" in row:
        assert {cleared.master.basis, cleared.composition.basis} == {row["basis"]}, row["why"]
    if "weak" in row:
        assert deciding.weak == row["weak"], row["why"]


def every_answer(expression: str) -> Iterator[Clearance]:
    """Answer every use in and without commerce, in one order."""
    recording = known({"says": [{"is": expression}]})
    for purpose, money in itertools.product(PURPOSE, (True, False)):
        yield clear(recording, asked({"for": purpose, "money": money}), DEFAULT)


class TestLicences:
    @pytest.mark.parametrize("row", TABLE["licences"], ids=lambda row: f"{row['says']}, {row['for']}")
    def test_are_read_as_their_texts_say(self, row: Row) -> None:
        compare(row, clear(known({"says": [{"is": row["says"]}]}), asked(row), policy(row)))


class TestWordings:
    @pytest.mark.parametrize("row", TABLE["wordings"], ids=lambda row: row["raw"])
    def test_are_never_read_more_loosely_than_they_are_meant(self, row: Row) -> None:
        for reader in (row["in"],) if "in" in row else ("cell", "tag"):
            read = READERS[reader](row["raw"])
            for found, meant in zip(every_answer(read), every_answer(row["means"]), strict=True):
                match row.get("as", "exactly"):
                    case "exactly":
                        assert (found.answer, found.conditions) == (meant.answer, meant.conditions), read
                    case "never_looser":
                        no_looser = ANSWERS.index(found.answer) <= ANSWERS.index(meant.answer)
                        assert no_looser or found.answer == "unknown", read
                        if found.answer == "constrained":
                            assert set(found.conditions) >= set(meant.conditions), read
                    case "clears_nothing":
                        assert found.answer in ("not_allowed", "unknown"), read
            if row.get("as") == "trains_nothing":
                answers = dict(
                    zip(itertools.product(PURPOSE, (True, False)), every_answer(read), strict=True)
                )
                for purpose, money in itertools.product(("train", "learn"), (True, False)):
                    assert answers[purpose, money].answer in ("not_allowed", "unknown"), read

    @pytest.mark.parametrize("row", TABLE["wordings"], ids=lambda row: row["raw"])
    def test_are_read_into_expressions_that_are_read_again(self, row: Row) -> None:
        for read in READERS.values():
            expression = read(row["raw"])
            assert str(parse(expression)) == expression
            assert normalise(expression) == expression


NAMES = {
    "BY": ("Attribution", "BY"),
    "NC": ("NonCommercial", "Non-Commercial", "NC"),
    "ND": ("No Derivative Works", "NoDerivs", "ND"),
    "SA": ("Share Alike", "ShareAlike", "SA"),
}


class TestElements:
    @pytest.mark.parametrize("family", ["BY", "BY-SA", "BY-NC", "BY-ND", "BY-NC-SA", "BY-NC-ND"])
    def test_are_never_lost_however_they_are_strung_together(self, family: str) -> None:
        meant = list(every_answer(f"CC-{family}-3.0"))
        read: dict[str, list[Clearance]] = {}
        for number, (before, between, after) in enumerate(
            itertools.product(
                ("CC ", "CC-", "Creative Commons: ", "CC", "(CC) ", ""),
                (" ", "-", " - ", "/", ", ", " + ", " & ", " and ", "_", " – ", ""),
                (" 3.0", "-3.0", " (3.0)", "", ", version 3.0", " License 3.0"),
            )
        ):
            names = [NAMES[element][number % len(NAMES[element])] for element in family.split("-")]
            written = before + between.join(names) + after
            expression = normalise(written)
            if expression not in read:
                read[expression] = list(every_answer(expression))
            for found, least in zip(read[expression], meant, strict=True):
                if found.answer != "unknown":
                    assert ANSWERS.index(found.answer) <= ANSWERS.index(least.answer), written
                    assert found.answer != "constrained" or set(found.conditions) >= set(least.conditions), (
                        written
                    )


class TestQuestions:
    @pytest.mark.parametrize("row", TABLE["cases"], ids=lambda row: row["case"])
    def test_are_answered_as_the_rules_say(self, row: Row) -> None:
        compare(row, clear(known(row), asked(row.get("ask", {})), policy(row)))


class TestTheTable:
    def test_gives_a_reason_for_every_answer(self) -> None:
        assert all(row["why"] for row in TABLE["licences"] + TABLE["cases"])

    def test_names_every_case_once(self) -> None:
        names = [row["case"] for row in TABLE["cases"]]
        assert len(names) == len(set(names))

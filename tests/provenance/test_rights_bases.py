"""The four legal bases of the Fairly Trained criteria."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from provenance.rights.bases import legal_bases, legal_basis
from provenance.rights.clearance import clear
from provenance.rights.values import ExceptionMemo, Grant, Purpose, RecordingRights, Statement, Use

TRAINING: Purpose = "ai_generative_training"


class TestLegalBasis:
    @pytest.mark.parametrize(
        ("basis", "found"),
        [
            ("grant", "contract"),
            ("licence", "open_licence"),
            ("public_domain", "public_domain"),
            ("own", "own"),
            ("statutory_exception", None),
            (None, None),
        ],
    )
    def test_is_one_of_four_or_none(self, basis: str | None, found: str | None) -> None:
        assert legal_basis("allowed", basis) == found  # type: ignore[arg-type]

    @pytest.mark.parametrize("answer", ["not_allowed", "unknown"])
    def test_is_none_for_what_may_not_be_used(self, answer: str) -> None:
        assert legal_basis(answer, "grant") is None  # type: ignore[arg-type]

    @pytest.mark.parametrize(("territory", "found"), [("WORLD", "public_domain"), ("DE", None), ("EU", None)])
    def test_asks_of_the_public_domain_that_it_be_everywhere(self, territory: str, found: str | None) -> None:
        assert legal_basis("allowed", "public_domain", territory) == found
        assert legal_basis("allowed", "grant", territory) == "contract"

    def test_has_four_in_its_pack(self) -> None:
        assert {one.id for one in legal_bases().values()} == {
            "contract",
            "open_licence",
            "public_domain",
            "own",
        }
        assert "statutory_exception" not in legal_bases()


class TestWhatTheEngineAnswers:
    """Each basis of the pack is one that the engine gives."""

    USE = Use(TRAINING, commercial=True, at=datetime(2026, 3, 1, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("known", "found"),
        [
            (
                RecordingRights(grants=(Grant("g", "master", "A", frozenset({TRAINING}), commercial=True),)),
                "contract",
            ),
            (
                RecordingRights(
                    grants=(Grant("g", "master", "A", frozenset({TRAINING}), commercial=True, basis="own"),)
                ),
                "own",
            ),
            (RecordingRights(statements=(Statement("master", "CC-BY-4.0", "", "steward"),)), "open_licence"),
            (RecordingRights(statements=(Statement("master", "CC0-1.0", "", "steward"),)), None),
            (
                RecordingRights(memos=(ExceptionMemo("m", frozenset({TRAINING}), "A. Judge", "bought"),)),
                None,
            ),
        ],
    )
    def test_stands_on_it(self, known: RecordingRights, found: str | None) -> None:
        master = clear(known, self.USE).master
        assert master.answer in ("allowed", "constrained")
        expected = found or {"public_domain": "public_domain", "licence": "open_licence"}.get(
            master.basis or ""
        )
        assert legal_basis(master.answer, master.basis) == expected

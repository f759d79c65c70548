"""What keeps an unknown answer from being settled."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given

from provenance.queries import ClearanceSummary, Cleared
from provenance.rights.clearance import clear, clear_right
from provenance.rights.policy import DEFAULT, ClearancePolicy
from provenance.rights.values import UNKNOWN_KINDS, Claim, Grant, RecordingRights, Statement, Use
from tests.provenance.test_rights_clearance import RECORDINGS, USES

USE = Use("ai_generative_training", commercial=True, at=datetime(2026, 3, 1, tzinfo=UTC))
TRUSTS_LITTLE = ClearancePolicy("careful", weak_evidence="unknown")
GRANT = Grant("g", "master", "Label", frozenset({"ai_generative_training"}), commercial=True)


def said(expression: str, **more: object) -> Statement:
    return Statement("master", expression, expression, "steward", **more)  # type: ignore[arg-type]


class TestUnknownBecause:
    @pytest.mark.parametrize(
        ("rights", "policy", "kind"),
        [
            (RecordingRights(), DEFAULT, "nothing_stated"),
            (RecordingRights((said("LicenseRef-no-licence-stated"),)), DEFAULT, "nothing_stated"),
            (RecordingRights((said("LicenseRef-nobody-knows"),)), DEFAULT, "not_in_catalogue"),
            (RecordingRights((said("CC-BY-9.0 AND CC0-1.0"),)), DEFAULT, "not_in_catalogue"),
            (RecordingRights((said("CC0-1.0", weak=True),)), TRUSTS_LITTLE, "weak_evidence"),
            (
                RecordingRights((said("CC-PDM-1.0"),)),
                ClearancePolicy("own", readings=(("public-domain-mark", "strict"),)),
                "policy_leaves_open",
            ),
            (RecordingRights((said("CC0-1.0", valid_until=date(2026, 1, 1)),)), DEFAULT, "out_of_term"),
            (RecordingRights((said("CC0-1.0", territory=("DE",)),)), DEFAULT, "other_territory"),
            (
                RecordingRights(
                    claims=(Claim("master", "Label", 50.0), Claim("master", "Band", 50.0)), grants=(GRANT,)
                ),
                DEFAULT,
                "share_not_granted",
            ),
            (
                RecordingRights(
                    grants=(Grant("g", "master", "Label", frozenset({"data_mining"}), commercial=True),)
                ),
                DEFAULT,
                "grant_does_not_cover",
            ),
        ],
    )
    def test_names_what_is_missing(self, rights: RecordingRights, policy: ClearancePolicy, kind: str) -> None:
        answer = clear_right(rights, "master", USE, policy)
        assert (answer.answer, answer.unknown_because) == ("unknown", kind)

    def test_is_about_terms_that_do_not_settle_the_use(self) -> None:
        use = Use("ai_inference", at=USE.at)
        answer = clear_right(RecordingRights((said("LicenseRef-sample-pack"),)), "master", use)
        assert answer.unknown_because == "terms_silent"

    @given(RECORDINGS, USES)
    def test_is_said_of_every_unknown_answer_and_of_no_other(
        self, recording: RecordingRights, use: Use
    ) -> None:
        cleared = clear(recording, use)
        for right in (cleared.master, cleared.composition):
            assert (right.unknown_because in UNKNOWN_KINDS) == (right.answer == "unknown")


class TestSummary:
    def test_counts_each_recording_once_a_kind(self) -> None:
        summary = ClearanceSummary.empty()
        entry = SimpleNamespace(recording=SimpleNamespace(seconds=1.0))
        for rights in (RecordingRights(), RecordingRights((said("CC0-1.0"),))):
            summary.add(Cleared(entry, clear(rights, USE)))  # type: ignore[arg-type]
        assert summary.as_json()["unknown"] == 2
        assert summary.as_json()["unknown_because"] == {"nothing_stated": 2}

    def test_leaves_out_what_the_other_right_already_refuses(self) -> None:
        summary = ClearanceSummary.empty()
        entry = SimpleNamespace(recording=SimpleNamespace(seconds=1.0))
        refused = RecordingRights((said("LicenseRef-all-rights-reserved"),))
        summary.add(Cleared(entry, clear(refused, USE)))  # type: ignore[arg-type]
        assert summary.as_json()["unknown_because"] == {}

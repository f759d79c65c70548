"""By what a check says that it was decided."""

from __future__ import annotations

from typing import Any

import pytest

from generation.models import Check
from generation.pipeline import Answer, Calibrated, Candidate, Finding, Target
from generation.queries.overviews import Evidence
from provenance.models import Dataset
from provenance.similarity.calibration import Calibration

CALIBRATED = Calibrated("of-strangers", Calibration((), (), "0" * 64), 0.01)
TARGET = Target(Dataset(name="folk"), None, None, None)


def a_candidate(*, accepted: bool, p_value: float | None) -> Candidate:
    return Candidate("key", "composition", accepted, 0.9, 0.0, 9.0, 0.0, 9.0, (0.0,), 1.0, 0.0, {}, p_value)


def an_answer(*candidates: Candidate) -> Answer:
    found = Finding(TARGET, "review", (), candidates, CALIBRATED, 1, "composition", was_searched=True)
    return Answer("x.mid", "", 20.0, (found,), (), (), 0.1)


class TestPolicy:
    @pytest.mark.parametrize(
        ("accepted", "p_value", "is_calibrated"),
        [(True, 0.004, True), (False, None, True), (True, None, False)],
    )
    def test_is_calibrated_where_no_match_was_accepted_without_a_p(
        self, accepted: bool, p_value: float | None, is_calibrated: bool
    ) -> None:
        policy = an_answer(a_candidate(accepted=accepted, p_value=p_value)).policy

        assert policy["calibrated"] is is_calibrated
        assert policy["false_alarm_target"] == (0.01 if is_calibrated else None)


class TestKinds:
    def test_are_those_that_an_index_was_searched_for(self) -> None:
        assert an_answer().kinds == ("composition",)
        assert Answer("x.wav", "", 9.0, (Finding(TARGET),), (), (), 0.1).kinds == ()


class TestUncalibrated:
    @pytest.mark.parametrize(("composition", "told"), [(True, []), (False, ["composition"])])
    def test_names_the_kinds_that_fixed_thresholds_decided(self, composition: bool, told: list[str]) -> None:
        policy: dict[str, Any] = {
            "recording": {"calibrated": True},
            "composition": {"calibrated": composition},
        }
        check = Check(kinds=["recording", "composition"], policy=policy)

        assert Evidence(check, [], [], [], []).uncalibrated == told

    def test_names_none_where_only_one_was_looked_for(self) -> None:
        check = Check(kinds=["recording"], policy={"calibrated": False})
        assert Evidence(check, [], [], [], []).uncalibrated == []

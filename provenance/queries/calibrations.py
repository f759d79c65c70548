"""Reads of calibrations: the one in force for an index, and the one that held before."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

from provenance.models import Calibration, IndexBuild
from provenance.similarity import calibration as engine
from provenance.similarity import thresholds
from provenance.similarity.kinds import COMPOSITION
from provenance.similarity.strangers import FOLDER, HELD_OUT_NAME


def calibration_of(build: IndexBuild) -> Calibration | None:
    """Return the newest calibration of an index that this program still goes by."""
    return next((one for one in build.calibrations.all() if measured(one) is not None), None)


def calibration_of_the_same(build: IndexBuild, stock_sha256: str) -> Calibration | None:
    """Return one of any index that holds the very same fingerprints, measured with the same strangers."""
    same = Calibration.objects.filter(
        index__contents_sha256=build.contents_sha256,
        index__kind=build.kind,
        index__method=build.method,
        index__method_version=build.method_version,
        stock_sha256=stock_sha256,
    )
    return next((one for one in same if measured(one) is not None), None)


def calibration_before(build: IndexBuild) -> Calibration | None:
    """Return the calibration that held for the same dataset or version until this one."""
    of_the_same = Calibration.objects.filter(
        index__dataset=build.dataset, index__version=build.version, index__kind=build.kind
    )
    return of_the_same.order_by("-made_at", "-id").first()


def measured(calibration: Calibration) -> engine.Calibration | None:
    """Return what a row holds; None where it was made by a method that is not gone by any more."""
    try:
        return engine.Calibration.from_json(calibration.measured)
    except (KeyError, ValueError):
        return None


@dataclass(frozen=True)
class Needed:
    """What a part must reach at one length, now and before the index was built anew."""

    seconds: float
    part: str
    highest: float
    review: float
    blocked: float
    review_before: float | None

    @property
    def drift(self) -> float | None:
        """How much more is asked for than before."""
        return None if self.review_before is None else self.review - self.review_before


def false_alarm_target(kind: str) -> float:
    """Return the share of false alarms that is aimed at in checks of a kind of likeness."""
    if kind == COMPOSITION.name:
        return float(settings.COMPOSITION_FALSE_ALARM_TARGET)
    return float(settings.FALSE_ALARM_TARGET)


def tails_of(measured: engine.Calibration) -> list[tuple[float, str]]:
    """Return each length with each part that was measured."""
    return [(stratum.seconds, part) for stratum in measured.strata for part in stratum.best]


def needed(calibration: Calibration, target: float) -> list[Needed]:
    """Return what a match must reach to be reviewed and blocked, beside what it had to before."""
    now = measured(calibration)
    before = measured(calibration.before) if calibration.before else None
    if now is None:
        return []
    rows = []
    for stratum in now.strata:
        for part in stratum.best:
            review, blocked = (
                now.needed(part, share, seconds=stratum.seconds) or 0.0
                for share in (target, target * thresholds.BLOCKED_SHARE)
            )
            earlier = before.needed(part, target, seconds=stratum.seconds) if before else None
            highest = float(stratum.reached(part)[0].max())
            rows.append(Needed(stratum.seconds, part, highest, review, blocked, earlier))
    return rows


@cache
def held_out() -> dict[str, Any] | None:
    """Return what was found of strangers that no threshold was read off; None where it was never measured.

    What was measured of another policy says nothing of the one in force.
    """
    try:
        told: dict[str, Any] = json.loads((FOLDER / HELD_OUT_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return told if told.get("policy") == thresholds.POLICY_ID else None

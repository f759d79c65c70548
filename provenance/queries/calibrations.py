"""Reads of calibrations: the one in force for an index, and the one that held before."""

from provenance.models import Calibration, IndexBuild
from provenance.similarity import calibration as engine


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

"""Calibrations: measured when an index is built, kept with what held before, and measured anew when it grows."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction

from governance import ledger
from governance.models import User
from provenance import queries
from provenance.models import Calibration, IndexBuild
from provenance.similarity import calibration as engine
from provenance.similarity import kinds, segmented
from provenance.similarity.index import SimilarityIndex
from provenance.similarity.kinds import Chance, KindIndex
from provenance.similarity.strangers import Stock, StockError

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
AnyIndex = KindIndex | SimilarityIndex


def calibration_for(*, build: IndexBuild, index: AnyIndex, by: User, now: datetime) -> Calibration | None:
    """Return what strangers reach in an index, measured now if it was not yet; None where nothing can be measured."""
    return queries.calibration_of(build) or calibrate(build=build, index=index, by=by, now=now)


def calibrate(
    *,
    build: IndexBuild,
    index: AnyIndex,
    by: User,
    now: datetime,
    n_excerpts: int | None = None,
    progress: Progress | None = None,
) -> Calibration | None:
    """Hold strangers against an index of a kind that can be calibrated, and keep what they reach.

    The draft and a version that hold the same are measured once. No transaction is open while it is measured. An index
    of another kind is not calibrated once it holds as many recordings as an index in segments: all of them are looked
    through for each stranger.
    """
    wanted = settings.CALIBRATION_EXCERPTS if n_excerpts is None else n_excerpts
    chance = _chance_of(build.kind)
    is_too_big = build.kind != kinds.RECORDING.name and build.n_recordings >= segmented.FROM_RECORDINGS
    if chance is None or not wanted or not build.n_recordings or is_too_big:
        return None
    try:
        stock = _stock(build.kind, wanted)
    except StockError as error:
        logger.warning("Nothing is calibrated: %s", error)
        return None
    started = time.perf_counter()
    known = queries.calibration_of_the_same(build, stock.sha256)
    measured = known.measured if known else chance.measure(index, stock, progress=progress).as_json()
    return _record(build, measured, seconds=time.perf_counter() - started, by=by, now=now)


def _chance_of(kind: str) -> Chance | None:
    named = kinds.named(kind)
    return named.chance if named else None


@cache
def _stock(kind: str, n_excerpts: int) -> Stock:
    """Return some of the strangers that are shipped for a kind that has them."""
    chance = _chance_of(kind)
    if chance is None:
        raise StockError(f"There are no strangers for {kind}.")
    return chance.stock().drawn(n_excerpts)


@transaction.atomic
def _record(
    build: IndexBuild, measured: dict[str, Any], *, seconds: float, by: User, now: datetime
) -> Calibration:
    found = engine.Calibration.from_json(measured)
    calibration = Calibration.objects.create(
        index=build,
        method=engine.METHOD,
        method_version=engine.METHOD_VERSION,
        stock_sha256=found.stock_sha256,
        n_tracks=found.n_tracks,
        n_strangers=found.n_strangers,
        measured=measured,
        before=queries.calibration_before(build),
        seconds=seconds,
        made_at=now,
    )
    ledger.record(
        kind="provenance.index.calibrated",
        subject_kind="index",
        subject_id=build.public_id,
        actor=by,
        organisation=build.dataset.organisation,
        now=now,
        body={
            "calibration": str(calibration.public_id),
            "dataset": str(build.dataset.public_id),
            "version": build.version.number if build.version else None,
            "stock_sha256": found.stock_sha256,
            "strangers": found.n_strangers,
            "tracks": found.n_tracks,
            "left_out": list(found.left_out),
        },
    )
    return calibration

"""Whether a work is found by its notes when it is played otherwise.

    make bench ARGS="composition-notes --protocol DIR"

The works, their groups and their changes are those of `benchmarks.composition`; nothing is rendered. The references are
whole works, the queries 24 s. Alarms are counted over the strangers of both groups, as they are, by their melody and
ornamented. The threshold was set on those of the calibration group, and on its members, each held against an index
without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import composition, renderings
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.likeness import Alarms
from benchmarks.renderings import Sound, Work
from provenance.similarity.notes import Note, NoteIndex, check

N_CALIBRATED = 5
"""Excerpts of each work of the calibration group, with each change."""

STRANGE = ("other-soundfont", "melody", "ornaments")


def measure(listed: Path | None, *, n_works: int = 0) -> Iterator[Figure]:
    """Print what is found of each change, and the false alarms.

    Raises
    ------
    NothingToMeasureError
        If works are missing.
    """
    if listed is None:
        raise NothingToMeasureError("composition-notes needs works: --protocol DIR.")
    parted = composition.parted(renderings.works(listed), n_works)
    members = [work for group in ("test", "calibration") for work in parted[group]]
    index = NoteIndex((work.name, _notes(work.sounds)) for work in members)
    yield Figure("composition-notes-references", len(members), "works")
    began, n_asked = time.process_time(), 0
    for change in renderings.CHANGES:
        found = []
        for work in parted["test"]:
            matches = check(_notes(composition.changed(work, change, 0)), index).matches
            found.append(bool(matches) and matches[0].key == work.name and matches[0].accepted)
        n_asked += len(found)
        yield Figure(f"composition-notes-{change}-found", float(np.mean(found)), "of-1")
    yield Figure("composition-notes-check", 1e3 * (time.process_time() - began) / n_asked, "ms-cpu")
    yield from _strange(
        "calibration", [(work, index) for work in parted["calibration-stranger"]], N_CALIBRATED
    )
    without = [(work, _without(work, members)) for work in parted["calibration"]]
    yield from _strange("left-out", without, N_CALIBRATED)
    yield from _strange("test", [(work, index) for work in parted["test-stranger"]], 1)


def _without(work: Work, members: Sequence[Work]) -> NoteIndex:
    others = [one for one in members if composition.work_of(one) != composition.work_of(work)]
    return NoteIndex((one.name, _notes(one.sounds)) for one in others)


def _strange(group: str, asked: Sequence[tuple[Work, NoteIndex]], n_excerpts: int) -> Iterator[Figure]:
    """Count the alarms of works that are not in the index that they are held against."""
    wrong: dict[Path, list[bool]] = {}
    highest = 0.0
    for work, index in asked:
        for place, change in enumerate(STRANGE):
            for number in range(n_excerpts) if n_excerpts > 1 else (place,):
                answer = check(_notes(composition.changed(work, change, number)), index)
                wrong.setdefault(Path(work.name), []).append(answer.verdict == "review")
                highest = max([highest, *(match.score for match in answer.matches)])
                if answer.verdict == "review":
                    match = answer.matches[0]
                    name = f"composition-notes-alarm-{work.name}-{change}"
                    yield Figure(name, match.score, "score", match.key)
    yield composition.counted(f"composition-notes-{group}-alarms", Alarms(wrong))
    yield Figure(f"composition-notes-{group}-highest", highest, "score")


def _notes(sounds: Sequence[Sound]) -> list[Note]:
    return [Note(one.onset_s, one.seconds, one.pitch, one.voice) for one in sounds if not one.is_drum]

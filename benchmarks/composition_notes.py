"""Whether a work is found by its notes when it is played otherwise.

    make bench ARGS="composition-notes --protocol DIR"

The works, their groups and their changes are those of `benchmarks.composition`; nothing is rendered. The references are
whole works, the queries 24 s. Alarms are counted over the strangers of both groups, each as it is, by its melody and
ornamented; the threshold was set on those of the calibration group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import composition, renderings
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.renderings import Sound
from provenance.similarity.notes import Note, NoteIndex, check

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
    for group in ("calibration", "test"):
        scores = []
        for work in parted[f"{group}-stranger"]:
            for number, change in enumerate(STRANGE):
                answer = check(_notes(composition.changed(work, change, number)), index)
                scores.append((max((match.score for match in answer.matches), default=0.0), work.name))
                if answer.verdict == "review":
                    match = answer.matches[0]
                    name = f"composition-notes-alarm-{work.name}-{change}"
                    yield Figure(name, match.score, "score", match.key)
        n_asked += len(scores)
        yield Figure(
            f"composition-notes-highest-{group}-stranger", max(scores)[0], "score", f"of={len(scores)}"
        )
    yield Figure("composition-notes-check", 1e3 * (time.process_time() - began) / n_asked, "ms-cpu")


def _notes(sounds: Sequence[Sound]) -> list[Note]:
    return [Note(one.onset_s, one.seconds, one.pitch, one.voice) for one in sounds if not one.is_drum]

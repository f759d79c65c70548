"""What each query of a benchmark was answered: a line each, for whoever draws curves of them.

make bench ARGS="likeness --protocol DIR --answers FILE"      adds to FILE
read(FILE)
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from provenance.similarity.recording import RecordingMatch

STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and its answer.

    Attributes
    ----------
    change : str
        What a copy went through, or ``STRANGER``: it holds nothing of the index.
    seconds : float
    track : str
        The file that it was taken of, from the folder of its music on.
    right_p : float
        Smallest p of a match that names and places it rightly; 1 where there is none.
    best_p : float
        Smallest p of any match; 1 where there is none.
    verdict : str
    """

    change: str
    seconds: float
    track: str
    right_p: float
    best_p: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Answers:
    """A file of them; ``folder`` holds the music."""

    at: Path
    folder: Path

    def add(
        self,
        change: str,
        seconds: float,
        path: Path,
        *,
        right: Sequence[RecordingMatch],
        shown: Sequence[RecordingMatch],
        verdict: str,
    ) -> None:
        """Add a line at once, so that a run that is cut short keeps what it has."""
        is_new = not self.at.exists()
        track = path.relative_to(self.folder).as_posix()
        with self.at.open("a", newline="", encoding="utf-8") as opened:
            table = csv.writer(opened, delimiter="\t", lineterminator="\n")
            if is_new:
                table.writerow([field.name for field in fields(Asked)])
            table.writerow(astuple(Asked(change, seconds, track, _least_p(right), _least_p(shown), verdict)))


def read(at: Path) -> list[Asked]:
    """Return every line of a file."""
    with at.open(newline="", encoding="utf-8") as opened:
        return [
            Asked(
                row["change"],
                float(row["seconds"]),
                row["track"],
                float(row["right_p"]),
                float(row["best_p"]),
                row["verdict"],
            )
            for row in csv.DictReader(opened, delimiter="\t")
        ]


def _least_p(matches: Sequence[RecordingMatch]) -> float:
    return min((match.p_value for match in matches if match.p_value is not None), default=1.0)

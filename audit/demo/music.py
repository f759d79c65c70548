"""Where the demo's music comes from: Debian's game packages, or a folder of the caller's own."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from governance.errors import LinerNotesError, PartMissingError

# Each package's music, without the noises of its game.
PACKAGES = {
    "amoebax-data": "*/music/*",
    "ardentryst": "*/Music/*",
    "blobwars-data": "*/music/*",
    "gunroar-data": "*/musics/*",
    "neverball-common": "*/bgm/*",
    "openttd-openmsx": "*.mid",
    "parsec47-data": "*/sounds/*.ogg",
    "pingus-data": "*/music/*",
    "torus-trooper-data": "*/musics/*",
}
OWN_MUSIC = "Give a folder of your own instead: make demo MUSIC=DIR, where DIR holds audio files and a CSV about them."


class MusicError(LinerNotesError):
    code = "demo_music"


@dataclass(frozen=True)
class Source:
    """One thing to register."""

    path: Path
    format: str
    name: str
    only: str = ""  # pattern of the external ids to read


def sources(music: str, folder: Path) -> list[Source]:
    """Return what to register, fetching the packages when no folder is given.

    Raises
    ------
    MusicError
        If the folder holds no CSV.
    PartMissingError
        If the packages can't be fetched here; the message says what to do.
    """
    return own_sources(Path(music)) if music else packages(folder)


def own_sources(folder: Path) -> list[Source]:
    if not folder.is_dir():
        raise MusicError(f"MUSIC={folder} is no folder. {OWN_MUSIC}")
    tables = sorted([*folder.glob("*.csv"), *folder.glob("*.xlsx")])
    if not tables:
        raise MusicError(
            f"{folder} holds no CSV: write one with a row a recording and the columns path, title, artist, licence, "
            "licence_scope (`all` where the licence covers the composition too)."
        )
    return [Source(table.absolute(), "csv", table.name) for table in tables]


def packages(folder: Path) -> list[Source]:
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in PACKAGES if not find_package(folder, package)]
    if missing:
        _download(missing, folder)
    found = [(package, find_package(folder, package)) for package in PACKAGES]
    lost = [package for package, path in found if path is None]
    if lost:
        raise PartMissingError(f"apt-get fetched no file for {', '.join(lost)}. {OWN_MUSIC}")
    return [Source(path, "dep5", package, PACKAGES[package]) for package, path in found if path is not None]


def find_package(folder: Path, package: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{package}_*.deb"))), None)


def _download(missing: list[str], folder: Path) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        raise PartMissingError(
            f"There is no apt-get here, so the demo's packages can't be fetched. {OWN_MUSIC}"
        )
    staging = folder / "fetching.part"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        done = _apt(apt, ["download", *missing], staging)
        if done.returncode and os.geteuid() == 0:  # a machine whose package lists were never fetched
            _apt(apt, ["update"], staging)
            done = _apt(apt, ["download", *missing], staging)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise PartMissingError(
                f"apt-get could not fetch the demo's packages: {last}. Run `apt-get update` first, or: {OWN_MUSIC}"
            )
        for package in sorted(staging.glob("*.deb")):
            package.replace(folder / package.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _apt(apt: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [apt, *arguments], cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )

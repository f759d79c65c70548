"""Pictures of two sounds one above the other: drawn by a child that decodes and transforms, made once and kept."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from django.conf import settings

from governance.errors import LinerNotesError
from lib import locks
from provenance import storage
from provenance.media import NotPlayableError

NAMES = ("spectrogram-query", "spectrogram-reference", "chroma-query", "chroma-reference")
FORMAT = 1  # of the pictures: another number draws all anew
PROGRAM = "provenance.similarity.pictures"
LONGEST_S = 60.0


class NotDrawnError(LinerNotesError):
    """A picture that was not ready in time; asking again may find it."""

    code = "not_drawn"
    status = 503


def picture(name: str, *, query: str, reference: str, of: str, place: Mapping[str, float]) -> Path:
    """Return a PNG of a matched stretch of two stored files; ``of`` names their bytes, ``place`` is where they meet.

    All of ``NAMES`` are drawn at once, by one child at a time: a page that asks for many waits.

    Raises
    ------
    NotPlayableError, NotDrawnError, AudioMissingError
        If there is no sound to draw, or it takes too long.
    """
    key = sha256(f"{FORMAT} {of} {sorted(place.items())}".encode()).hexdigest()
    folder = Path(settings.DATA_DIR) / "previews" / key[:2] / f"{key}.pair"
    target = folder / f"{name}.png"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with locks.exclusive(folder.parent.parent / "pictures.lock"):
            if not target.exists():
                _draw(query, reference, folder, place)
    return target


def _draw(query: str, reference: str, folder: Path, place: Mapping[str, float]) -> None:
    with storage.local_file(query) as upper, storage.local_file(reference) as lower:
        command = [sys.executable, "-m", PROGRAM, str(upper), str(lower), str(folder), json.dumps(place)]
        try:
            done = subprocess.run(
                command,
                cwd=settings.BASE_DIR,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotDrawnError("The picture took too long to draw; the sound can still be heard.") from error
    if done.returncode == 2:
        raise NotPlayableError(done.stderr.strip()[:500] or "There is no sound to draw.")
    if done.returncode != 0:
        raise NotDrawnError("The picture could not be drawn; the sound can still be heard.")

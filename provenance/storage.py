"""Where audio is kept: by the hash of its bytes, so that it is kept once and can be proved unchanged."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage

from provenance.errors import AudioMissingError, StorageFullError


def name_for(sha256: str, suffix: str, *, room: str = "recordings") -> str:
    kept = "".join(letter for letter in suffix.lower() if letter.isalnum() or letter == ".")[:12]
    return f"{room}/{sha256[:2]}/{sha256}{kept}"


def keep(path: Path, sha256: str, *, room: str = "recordings") -> str:
    """Copy a file into the storage and return its name there; a file already kept is left as it is."""
    name = name_for(sha256, path.suffix, room=room)
    if default_storage.exists(name) and default_storage.size(name) == path.stat().st_size:
        return name
    try:
        if default_storage.exists(name):
            default_storage.delete(name)  # a copy that was cut short
        with path.open("rb") as opened:
            return default_storage.save(name, File(opened))
    except OSError as error:
        with suppress(OSError):
            default_storage.delete(name)  # half a file would only keep the disk full
        raise StorageFullError(f"The storage did not take {path.name}: {error.strerror or error}.") from error


@contextmanager
def local_file(name: str) -> Iterator[Path]:
    """Lend a stored file as a local path, which must not be written to.

    Raises
    ------
    AudioMissingError
        If the storage no longer has it.
    """
    if not name or not default_storage.exists(name):
        raise AudioMissingError(f"The storage has no file {name or '(none)'}: register its source again.")
    try:
        yield Path(default_storage.path(name))
    except NotImplementedError:  # a storage without local paths
        with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as copy:
            with default_storage.open(name, "rb") as opened:
                shutil.copyfileobj(opened, copy)
            copy.flush()
            yield Path(copy.name)

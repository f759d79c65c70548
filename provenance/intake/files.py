"""Hashes of what an intake was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the lower-case hex SHA-256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sha256_of_tree(root: Path, paths: Iterable[Path]) -> str:
    """Return the lower-case hex SHA-256 of a list of files: of ``hash two spaces relative path newline``, sorted."""
    lines = sorted(f"{sha256_of(path)}  {path.relative_to(root).as_posix()}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()

"""A secret that is made once and kept."""

import os
import secrets
from pathlib import Path


def load_or_create_secret(path: Path, n_bytes: int = 48) -> str:
    """Return the secret kept at ``path``; whoever comes first makes it, the others read the same one."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    candidate = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(n_bytes))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(candidate, path)  # fails when another process was first: theirs holds
    except FileExistsError:
        pass
    finally:
        candidate.unlink()
    return path.read_text(encoding="ascii").strip()

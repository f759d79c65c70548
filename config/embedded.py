"""Embedded PostgreSQL and Valkey: where they answer, and how they come and go."""

import hashlib
import os
from pathlib import Path
from typing import Any

DATABASE = "liner_notes"


def socket_dir(data_dir: Path) -> Path:
    """Return the short private folder of ``data_dir``'s sockets; a unix socket's path has at most 103 bytes.

    It is a function of the folder's real path alone, so that every command finds the same servers whatever
    its environment says about temporary or runtime folders.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()
    return Path("/tmp") / f"liner-notes-{os.geteuid()}-{digest[:12]}"  # noqa: S108  (checked before use)


def postgres_settings(data_dir: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": DATABASE,
        "HOST": str(socket_dir(data_dir)),
        "PORT": "5432",
    }


def broker_url(data_dir: Path) -> str:
    return f"redis+socket://{socket_dir(data_dir)}/valkey.sock"

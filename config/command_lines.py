"""What a command line of manage.py asks for, told before any setting is read."""

from collections.abc import Sequence
from pathlib import Path

NEED_NO_SERVER = {
    "check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages",
    "makemigrations", "spectacular", "startapp", "startproject", "verify_answer",
    "verify_report", "version",
}  # fmt: skip


def needed_by(argv: Sequence[str]) -> bool:
    """Whether the command line ``argv`` (with the program's name) works with servers at all."""
    if len(argv) < 2 or argv[1] in NEED_NO_SERVER:
        return False
    return not {"-h", "--help", "--version"} & set(argv[1:])


def makes_no_installation(argv: Sequence[str]) -> bool:
    """Whether this is manage.py with a command that leaves nothing behind where it runs."""
    return bool(argv) and Path(argv[0]).name == "manage.py" and not needed_by(argv)

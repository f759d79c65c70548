"""Choosing the reader for a source."""

from __future__ import annotations

from pathlib import Path

from provenance.intake.record import Intake


def open_intake(path: Path | str, *, format: str = "auto", root: Path | str | None = None) -> Intake:
    """Open a source of recordings.

    Parameters
    ----------
    path : Path or str
        What the format says: a table, a package, an ERN message, a JSON-LD file or a folder.
    format : str
        ``csv``, ``dep5``, ``ddex``, ``croissant``, ``folder`` or ``auto``.
    root : Path or str, optional
        Where relative audio paths start; default: beside the file.

    Returns
    -------
    Intake
        A context manager; use it in a ``with`` statement.

    Raises
    ------
    IntakeError
        If the source can't be read at all.
    """
    raise NotImplementedError

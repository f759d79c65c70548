"""A tree of audio files and scores that say themselves what they are, in their tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of_tree
from provenance.intake.record import Intake, IntakeRecord
from provenance.intake.scores import SILENT, is_score, read_score, statements_of
from provenance.intake.sounds import is_sound, is_wanted, require_sounds, walk
from provenance.intake.tags import TagReader, read_tags, statements_from

BESIDE: Final = frozenset(
    {".csv", ".deb", ".json", ".jsonld", ".tar", ".tgz", ".tsv", ".xlsx", ".xml", ".zip"}
)
"""Extensions of tables, messages, descriptions and archives."""


class FolderIntake(Intake):
    """A tree of audio, MIDI and tracker files, and of scores.

    Raises
    ------
    IntakeError
        If no sound file is in it.
    """

    format = "folder"
    narrows = True

    def __init__(
        self, folder: Path, *, only: tuple[str, ...] = (), tag_reader: TagReader = read_tags
    ) -> None:
        super().__init__()
        self._folder = folder
        self._read_tags = tag_reader
        walked = walk(folder)
        found = [path for path in walked if is_sound(path) or is_score(path)]
        self._sounds = [path for path in found if is_wanted(path.relative_to(folder).as_posix(), only)]
        require_sounds(folder, n_seen=len(found), n_wanted=len(self._sounds), only=only)
        self.n_rows = len(self._sounds)
        self.source_sha256 = sha256_of_tree(folder, self._sounds)
        self.warnings = (
            "tags speak for the master alone: the composition stays unknown until somebody states its licence",
            *_unread([path.relative_to(folder).as_posix() for path in walked if not is_score(path)]),
        )

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a file, sorted by path; a file whose tags can't be read is rejected."""
        for row, path in enumerate(self._sounds, start=1):
            yield self._record(row, path)

    def _record(self, row: int, path: Path) -> IntakeRecord:
        name = path.relative_to(self._folder).as_posix()
        if is_score(path):
            return _of_score(row, name, path)
        try:
            tags = self._read_tags(path)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's file does to a reader rejects its row alone
            return IntakeRecord(
                row=row, external_id=name, audio=path, source_path=name, problems=(str(error),)
            )
        statements = statements_from(tags, f"{name} (tags)")
        return IntakeRecord(
            row=row,
            external_id=name,
            audio=path,
            source_path=name,
            title=tags.title or path.stem,
            artist=tags.artist,
            isrc=tags.isrc,
            year=tags.year,
            genre=tags.genre,
            composers=tuple(filter(None, [tags.raw.get("composer", "")])),
            statements=statements,
            notes=() if statements else ("its tags name no licence",),
        )


def _unread(names: list[str]) -> Iterator[str]:
    """Tell of files that may say more of the music, or hold more of it: several describe nothing in common."""
    beside = [name for name in names if PurePosixPath(name).suffix.lower() in BESIDE]
    if beside:
        listed = ", ".join(beside[:5]) + (", …" if len(beside) > 5 else "")
        yield f"{len(beside)} tables, messages or archives in it were not read: {listed}; name each by itself"


def _of_score(row: int, name: str, path: Path) -> IntakeRecord:
    try:
        score = read_score(path)
    except (IntakeError, OSError) as error:
        return IntakeRecord(row=row, external_id=name, source_path=name, problems=(str(error),))
    statements = statements_of(score, f"{name} (rights)")
    return IntakeRecord(
        row=row,
        external_id=name,
        source_path=name,
        title=score.title or path.stem,
        composers=score.composers,
        work_title=score.title,
        statements=statements,
        notes=(SILENT,) if statements else (SILENT, "it says nothing of its rights"),
    )

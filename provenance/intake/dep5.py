"""Debian packages: their sounds, and what ``/usr/share/doc/*/copyright`` says about them.

Machine-readable files (copyright-format 1.0, "DEP-5") are read paragraph by paragraph; the last one that
matches a
file's source path speaks for it, the package-wide ``Files: *`` speaks weakly. Free text is read too, and
always weakly.
A paragraph licenses the file as a whole: master and composition.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from debian_inspector.copyright import DebianCopyright

from provenance.intake.archive import AR_MAGIC, Limits, Unpacked, unpack
from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of, sha256_of_tree
from provenance.intake.record import Intake, IntakeRecord
from provenance.intake.sounds import is_sound, is_wanted, require_sounds, walk
from provenance.intake.sourcemap import SourceMap, compile_glob
from provenance.intake.tags import TagReader, read_tags, statements_from
from provenance.rights.expressions import normalise_dep5
from provenance.rights.texts import TextReading, clean_holder, read_text
from provenance.rights.values import RIGHTS, Statement

NESTED: Final = frozenset({".love", ".pk3", ".pk4", ".zip"})
"""Archives inside a package that games keep their music in."""
QUOTE_CHARS: Final = 600
MUSICAL: Final = re.compile(r"music|sound|audio|song|\bbgm\b|sfx", re.I)
"""Paths that speak of sounds even where they end in a wildcard."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A ``Files`` paragraph."""

    globs: tuple[str, ...]
    licence: str
    holders: tuple[str, ...]
    comment: str = ""

    @property
    def is_default(self) -> bool:
        """Whether it speaks of the whole package."""
        return "*" in self.globs

    @property
    def quote(self) -> str:
        """The paragraph, shortened, as it can be shown beside an answer."""
        lines = [
            f"Files: {' '.join(self.globs)}",
            f"Copyright: {'; '.join(self.holders)}",
            f"License: {self.licence}",
        ]
        if self.comment:
            lines.append(f"Comment: {self.comment}")
        return "\n".join(lines)[:QUOTE_CHARS]

    def names(self, source: str) -> str:
        """Return the glob that matches a source path; empty where none does."""
        return next((glob for glob in self.globs if compile_glob(glob).match(source)), "")


@dataclass(slots=True)
class Package:
    """One package's copyright file, and the map to what it speaks of."""

    name: str
    root: Path
    evidence: str
    sounds: list[tuple[str, Path]] = field(default_factory=list)
    """Installed path and where the file lies now."""
    paragraphs: list[Paragraph] = field(default_factory=list)
    text: TextReading | None = None
    source_map: SourceMap | None = None


class Dep5Intake(Intake):
    """A ``.deb`` file, an unpacked package tree, or a folder of either.

    Raises
    ------
    UnsafeArchive
        If a package would unpack to places or sizes it should not.
    IntakeError
        If no package, no copyright file or no sound is found.
    """

    format = "dep5"
    narrows = True

    def __init__(
        self,
        path: Path,
        *,
        only: tuple[str, ...] = (),
        tag_reader: TagReader = read_tags,
        limits: Limits | None = None,
    ) -> None:
        super().__init__()
        self._only = only
        self._n_seen = 0
        self._read_tags = tag_reader
        self._limits = limits
        self._nested = Unpacked(Path())  # what archives inside packages came to, which share one limit
        self._warnings: list[str] = []
        try:
            self._packages = [self._open(name, root) for name, root in self._roots(path)]
        except BaseException:
            self.close()
            raise
        self.n_rows = sum(len(package.sounds) for package in self._packages)
        try:
            require_sounds(path, n_seen=self._n_seen, n_wanted=self.n_rows, only=only)
        except IntakeError:
            self.close()
            raise
        self.source_sha256 = sha256_of(path) if path.is_file() else self._tree_sha256(path)
        self.warnings = tuple(self._warnings)

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a sound file, sorted by package and installed path."""
        row = 0
        for package in self._packages:
            for installed, path in package.sounds:
                row += 1
                yield self._record(row, package, installed, path)

    def _roots(self, path: Path) -> list[tuple[str, Path]]:
        if path.is_file():
            return [(_package_of(path), self._unpack(path))]
        if _copyright_files(path):
            return [("", path)]
        debs = sorted(path.glob("*.deb"))
        trees = [child for child in sorted(path.iterdir()) if child.is_dir() and _copyright_files(child)]
        if not debs and not trees:
            raise IntakeError(
                f"{path} is no package tree: it has no usr/share/doc/*/copyright, no *.deb and no folder with either"
            )
        unpacked = {
            _package_of(deb): deb for deb in debs if _package_of(deb) not in {tree.name for tree in trees}
        }
        return [(tree.name, tree) for tree in trees] + [
            (name, self._unpack(deb)) for name, deb in unpacked.items()
        ]

    def _unpack(self, path: Path) -> Path:
        with path.open("rb") as opened:
            if opened.read(8) != AR_MAGIC:
                raise IntakeError(f"{path.name} is no Debian package (it does not start with !<arch>)")
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="intake-")))
        done = unpack(path, folder, self._limits)
        sounding = [link for link in done.skipped if is_sound(Path(link.split(" -> ")[0])) and "." in link]
        if sounding:
            self._warnings.append(f"{path.name}: {len(sounding)} links to sounds were not followed")
        return folder

    def _open(self, name: str, root: Path) -> Package:
        found = _copyright_files(root)
        if not found:
            raise IntakeError(f"{name or root} has no usr/share/doc/*/copyright: its licences can't be read")
        notice = _own(found, name)
        package = Package(notice.parent.name, root, f"usr/share/doc/{notice.parent.name}/copyright")
        installed = self._list(package)
        text = notice.read_text(encoding="utf-8", errors="replace")
        package.paragraphs = read_paragraphs(text)
        if not package.paragraphs:
            package.text = read_text(text)
            self._warnings.append(
                f"{package.name}: the copyright file is free text; what it says is weak evidence"
            )
            return package
        globs = [glob for paragraph in package.paragraphs for glob in paragraph.globs]
        package.source_map = SourceMap(globs, installed)
        named = {Path(path).suffix.lower() for path, _ in package.sounds}
        gone = [
            glob
            for glob in package.source_map.unmatched
            if Path(glob).suffix.lower() in named - {""} or MUSICAL.search(glob)
        ]
        if gone:
            listed = ", ".join(gone[:5]) + (", …" if len(gone) > 5 else "")
            self._warnings.append(
                f"{package.name}: 'Files' names {len(gone)} sounds that are not installed: {listed}"
            )
        self._warn_of_files(package)
        return package

    def _warn_of_files(self, package: Package) -> None:
        """Tell which sounds no paragraph speaks of, and how many only the package-wide one does."""
        said = [(installed, _paragraph_for(package, installed)[1]) for installed, _ in package.sounds]
        silent = [installed for installed, statements in said if not statements]
        if silent:
            listed = ", ".join(silent[:5]) + (", …" if len(silent) > 5 else "")
            self._warnings.append(f"{package.name}: no paragraph speaks of {len(silent)} sounds: {listed}")
        weak = sum(any(statement.weak for statement in statements) for _, statements in said)
        if weak:
            self._warnings.append(
                f"{package.name}: only 'Files: *' speaks of {weak} of {len(said)} sounds, which is weak evidence"
            )

    def _list(self, package: Package) -> list[str]:
        """Fill in the package's sounds, those in archives inside it too, and return all its installed paths."""
        installed = []
        for path in walk(package.root):
            name = path.relative_to(package.root).as_posix()
            installed.append(name)
            if is_sound(path):
                self._add(package, name, path)
            elif path.suffix.lower() in NESTED:
                installed += self._list_nested(package, name, path)
        package.sounds.sort()
        return installed

    def _list_nested(self, package: Package, name: str, path: Path) -> list[str]:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="intake-")))
        limits = self._limits or Limits()
        left = replace(
            limits,
            n_files=limits.n_files - self._nested.n_files,
            total_bytes=limits.total_bytes - self._nested.n_bytes,
        )
        try:
            done = unpack(path, folder, left)
        except IntakeError as error:
            self._warnings.append(f"{package.name}: {error}")
            return []
        self._nested.n_files += done.n_files
        self._nested.n_bytes += done.n_bytes
        inner = [(f"{name}!/{found.relative_to(folder).as_posix()}", found) for found in walk(folder)]
        for inside, found in inner:
            if is_sound(found):
                self._add(package, inside, found)
        return [inside for inside, _ in inner]

    def _add(self, package: Package, installed: str, path: Path) -> None:
        """Take a sound file up if it is wanted, by its installed path or by its id."""
        self._n_seen += 1
        if is_wanted(installed, self._only) or is_wanted(f"{package.name}/{installed}", self._only):
            package.sounds.append((installed, path))

    def _record(self, row: int, package: Package, installed: str, path: Path) -> IntakeRecord:
        external_id = f"{package.name}/{installed}"
        try:
            tags = self._read_tags(path)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's file does to a reader rejects its row alone
            return IntakeRecord(row, external_id, path, installed, problems=(str(error),))
        source, said, note = _paragraph_for(package, installed)
        holders = said[0].holders if said else ()
        return IntakeRecord(
            row=row,
            external_id=external_id,
            audio=path,
            source_path=source or installed,
            title=tags.title or path.stem,
            artist=tags.artist,
            isrc=tags.isrc,
            year=tags.year,
            genre=tags.genre,
            composers=tuple(filter(None, [tags.raw.get("composer", "")])),
            master_owner=holders[0] if len(holders) == 1 else "",
            statements=(*said, *statements_from(tags, f"/{installed} (tags)")),
            notes=(note,),
        )

    def _tree_sha256(self, path: Path) -> str:
        debs = sorted(path.glob("*.deb"))
        sounds = [found for package in self._packages for _, found in package.sounds]
        inside = [found for found in sounds if found.is_relative_to(path)]
        notices = [found for package in self._packages for found in _copyright_files(package.root)]
        return sha256_of_tree(path, [*debs, *inside, *(one for one in notices if one.is_relative_to(path))])


def read_paragraphs(text: str) -> list[Paragraph]:
    """Read the ``Files`` paragraphs of a machine-readable copyright file, in order; none of free text."""
    if not re.match(r"\s*Format(?:-Specification)?\s*:", text, re.I):
        return []
    paragraphs = []
    for parsed in DebianCopyright.from_text(text).paragraphs:
        fields = {name.lower(): str(value) for name, value in parsed.to_dict().items() if value}
        if "files" not in fields:
            continue
        licence = fields.get("license", "").strip().split("\n")[0].strip()
        paragraphs.append(
            Paragraph(
                globs=tuple(re.split(r"[\s,]+", fields["files"].strip())),
                licence=licence,
                holders=_holders(fields.get("copyright", "")),
                comment=" ".join(fields.get("comment", "").split()),
            )
        )
    return paragraphs


def _paragraph_for(package: Package, installed: str) -> tuple[str, tuple[Statement, ...], str]:
    """Return source path, statements and a note saying how they were found."""
    if package.source_map is None:
        return _from_text(package)
    mapped = package.source_map.find(installed)
    for paragraph in reversed(package.paragraphs):
        glob = paragraph.names(mapped.source) if mapped.source else ("*" if paragraph.is_default else "")
        if glob:
            how = "default(*)" if glob == "*" else "dir-glob" if "*" in glob or "?" in glob else "exact"
            where = f"source path {mapped.source}" if mapped.source else "source path not established"
            note = f"copyright paragraph: {how} 'Files: {glob}'; {where} ({mapped.method})"
            return mapped.source, _statements(package, paragraph, weak=glob == "*"), note
    return mapped.source, (), "no copyright paragraph speaks of it"


def _from_text(package: Package) -> tuple[str, tuple[Statement, ...], str]:
    text = package.text
    if text is None or not text.expression:
        return "", (), "the copyright file is free text in which no licence was recognised"
    said = tuple(
        Statement(
            right=right,
            expression=text.expression,
            raw=text.expression,
            source="package_file",
            weak=True,
            evidence=f"{package.name}: {package.evidence}",
            quote=text.quote,
            holders=text.holders,
        )
        for right in RIGHTS
    )
    about = "a sentence about media" if text.about_media else "the main section"
    return "", said, f"copyright file: free-text, licence recognised in {about}"


def _statements(package: Package, paragraph: Paragraph, *, weak: bool) -> tuple[Statement, ...]:
    expression = normalise_dep5(paragraph.licence)
    return tuple(
        Statement(
            right=right,
            expression=expression,
            raw=paragraph.licence,
            source="package_file",
            weak=weak,
            evidence=f"{package.name}: {package.evidence}",
            quote=paragraph.quote,
            holders=paragraph.holders,
        )
        for right in RIGHTS
    )


def _holders(field_text: str) -> tuple[str, ...]:
    """Split a ``Copyright`` field into holders: one a line, a line inside brackets goes on with the one before."""
    holders: list[str] = []
    for line in field_text.split("\n"):
        if holders and holders[-1].count("(") > holders[-1].count(")"):
            holders[-1] += " " + line.strip()
        elif line.strip():
            holders.append(line.strip())
    cleaned = [clean_holder(holder) or holder for holder in holders]
    return tuple(dict.fromkeys(holder for holder in cleaned if holder))


def _copyright_files(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.glob("usr/share/doc/*/copyright"))
        if path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
    ]


def _own(notices: list[Path], name: str) -> Path:
    """Return the copyright file of the package ``name``; of several without a name, the first."""
    return next((notice for notice in notices if notice.parent.name == name), notices[0])


def _package_of(deb: Path) -> str:
    return deb.name.removesuffix(".deb").split("_")[0]

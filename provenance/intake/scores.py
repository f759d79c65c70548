"""Scores: what MusicXML, ABC and Humdrum files say of their title, their makers and their rights.

Read as music21's corpus has them: MusicXML's ``<rights>``, ``<creator>`` and credits, ABC's ``T:``, ``C:`` and
``%%abc-copyright``, Humdrum's ``!!!OTL``, ``!!!COM``, ``!!!YEC`` and ``!!!YEM``. A score is not played here: its rights
are registered and its sound is absent, so no index covers it. Save it as MIDI to have it heard and compared.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from provenance.intake.errors import IntakeError
from provenance.rights.expressions import normalise_text
from provenance.rights.texts import clean_holder
from provenance.rights.values import Statement

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

EXTENSIONS: Final = frozenset({".abc", ".krn", ".musicxml", ".mxl"})
MAX_BYTES: Final = 64 << 20
SILENT: Final = (
    "a score: its rights are registered, its sound is not; save it as MIDI to have it heard and compared"
)
_RIGHTS = re.compile(r"©|\(c\)|\bcopyright\b|\blicen[cs]e|creativecommons|public domain|all rights", re.I)
_HUMDRUM = re.compile(r"!!!([A-Z]{3})\d*(?:-\d+)?(?:@+\w+)?:\s*(.+)")


@dataclass(frozen=True, slots=True)
class Score:
    """What a score says of itself."""

    title: str
    composers: tuple[str, ...]
    rights: tuple[str, ...]
    """What it says of its rights, as it says it."""


def is_score(path: Path) -> bool:
    """Say whether a file is a score by its extension, or is XML that starts as MusicXML."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    if path.suffix.lower() != ".xml":
        return False
    try:
        with path.open("rb") as opened:
            return re.search(rb"<score-(?:partwise|timewise)\b", opened.read(4096)) is not None
    except OSError:
        return False


def read_score(path: Path) -> Score:
    """Read one score.

    Raises
    ------
    IntakeError
        If it is too large, damaged, or holds entities or references to other files.
    """
    if path.stat().st_size > MAX_BYTES:
        raise IntakeError(f"{path.name} is larger than {MAX_BYTES:,} bytes: no score is")
    kind = path.suffix.lower()
    if kind == ".mxl":
        return _musicxml(path.name, _unzipped(path))
    if kind == ".abc":
        return _abc(path.read_text(encoding="utf-8", errors="replace"))
    if kind == ".krn":
        return _humdrum(path.read_text(encoding="utf-8", errors="replace"))
    return _musicxml(path.name, path.read_bytes())


def statements_of(score: Score, evidence: str) -> tuple[Statement, ...]:
    """Turn what a score says of its rights into statements.

    It speaks of this edition, which is what a score has for a master; of the composition too where it names a composer
    as the holder.
    """
    found = []
    for raw in score.rights:
        holder = clean_holder(re.split(r"[.;,]|\blicen[cs]ed\b|\bunder\b", raw)[0])
        edition = Statement(
            right="master",
            expression=normalise_text(raw),
            raw=raw,
            source="embedded_tag",
            evidence=evidence,
            quote=raw,
            holders=(holder,) if holder and _RIGHTS.search(raw) else (),
        )
        found.append(edition)
        if any(composer.casefold() in raw.casefold() for composer in score.composers):
            found.append(replace(edition, right="composition"))
    kept = {(said.right, said.expression): said for said in reversed(found)}
    return tuple(said for said in found if kept[said.right, said.expression] is said)


def _unzipped(path: Path) -> bytes:
    """Return the score in a compressed MusicXML file, which its container names."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [member for member in archive.infolist() if not member.filename.startswith("META-INF/")]
            score = next(
                (one for one in inside if one.filename.lower().endswith((".xml", ".musicxml"))), None
            )
            if score is None or score.file_size > MAX_BYTES:
                raise IntakeError(f"{path.name} holds no score, or one larger than {MAX_BYTES:,} bytes")
            with archive.open(score) as opened:
                return opened.read(MAX_BYTES)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise IntakeError(f"{path.name} can't be unpacked ({error}): save it again") from error


def _musicxml(name: str, content: bytes) -> Score:
    try:
        root = fromstring(content, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise IntakeError(f"{name} holds entities or references to other files: refused") from error
    except (ParseError, ValueError, LookupError) as error:
        raise IntakeError(f"{name} is not well-formed XML ({error})") from error
    credits = [text for one in root.iter("credit") for text in _credit(one)]
    return Score(
        title=_first(root, "work/work-title") or _first(root, "movement-title"),
        composers=tuple(
            dict.fromkeys(
                text
                for one in root.iterfind("identification/creator")
                if one.get("type", "composer") == "composer" and (text := _text(one))
            )
        ),
        rights=_distinct([*(_text(one) for one in root.iterfind("identification/rights")), *credits]),
    )


def _credit(element: Element) -> list[str]:
    kinds = {_text(one) for one in element.iterfind("credit-type")}
    words = " ".join(filter(None, (_text(one) for one in element.iterfind("credit-words"))))
    return [words] if "rights" in kinds or _RIGHTS.search(words) else []


def _abc(text: str) -> Score:
    fields = re.findall(r"^([A-Z]):\s*(.+?)\s*$", text, re.M)
    said = re.findall(r"^%%(?:abc-)?copyright\s+(.+?)\s*$", text, re.M | re.I)
    notes = [
        re.sub(r"^abc-copyright\s+", "", value)
        for name, value in fields
        if name in "ZNS" and _RIGHTS.search(value)
    ]
    return Score(
        title=next((value for name, value in fields if name == "T"), ""),
        composers=tuple(dict.fromkeys(value for name, value in fields if name == "C")),
        rights=_distinct([*said, *notes]),
    )


def _humdrum(text: str) -> Score:
    fields = [(match[1], match[2].strip()) for match in map(_HUMDRUM.match, text.splitlines()) if match]
    return Score(
        title=next((value for name, value in fields if name == "OTL"), ""),
        composers=tuple(dict.fromkeys(value for name, value in fields if name == "COM")),
        rights=_distinct([value for name, value in fields if name in ("YEM", "YEC")]),
    )


def _distinct(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _text(element: Element) -> str:
    return " ".join((element.text or "").split())


def _first(root: Element, path: str) -> str:
    found = root.find(path)
    return _text(found) if found is not None else ""

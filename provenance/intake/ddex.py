"""DDEX Electronic Release Notifications: a subset of ERN 4 (4.1 to 4.3.x).

Read: ``NewReleaseMessage`` with ``ResourceList/SoundRecording`` (reference, ISRC, titles, display artists,
duration
edition and file), ``ReleaseList`` (genre, year, label), ``PartyList`` (names) and ``DealList`` (territories,
period,
commercial model, use type). What is not read: videos, images, cues, technical encodings, updates and
takedowns.

A deal is a licence to distribute to the recipient. ERN has no term that is confirmed to license training, so
none is
read out of it: every deal becomes a statement ``LicenseRef-ddex-deal`` that clears nothing for training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, parse

from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of
from provenance.intake.record import Intake, IntakeRecord
from provenance.rights import identifiers
from provenance.rights.territory import UnknownTerritory, normalise
from provenance.rights.values import Statement

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES: Final = 256 << 20
DEAL: Final = "LicenseRef-ddex-deal"


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal's terms, as far as they are read."""

    releases: frozenset[str]
    territory: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None
    quote: str


class DdexIntake(Intake):
    """An ERN message with its sound files beside it.

    Raises
    ------
    IntakeError
        If it is too large, not well formed, uses entities or a DTD, or is no ``NewReleaseMessage``.
    """

    format = "ddex"

    def __init__(self, path: Path, root: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._root = (root or path.parent).resolve()
        self._message = _parse(path)
        self.source_sha256 = sha256_of(path)
        self._parties = {
            _text(party, "PartyReference"): _text(party, "PartyName/FullName")
            or _text(party, "PartyName/FullNameIndexed")
            for party in _all(self._message, "PartyList/Party")
        }
        self._recordings = _all(self._message, "ResourceList/SoundRecording")
        self._releases = _releases(self._message)
        self._warnings: list[str] = []
        self._deals = [
            deal for element in _all(self._message, "DealList/ReleaseDeal") for deal in self._read(element)
        ]
        self.n_rows = len(self._recordings)
        self.warnings = (
            *self._warnings,
            "an ERN deal licenses distribution; nothing in it is read as a licence to train",
        )

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a sound recording, in the message's order."""
        for row, recording in enumerate(self._recordings, start=1):
            yield self._record(row, recording)

    def _record(self, row: int, element: Element) -> IntakeRecord:
        problems: list[str] = []
        notes: list[str] = []
        reference = _text(element, "ResourceReference")
        edition = _first(element, "SoundRecordingEdition")
        checked = identifiers.isrc(_anywhere(element, "ISRC"))
        if checked.written and not checked.valid:
            notes.append(f"isrc {checked.written!r} is not valid ({checked.why}); kept as it is")
        artists = [self._party(artist) for artist in _all(element, "DisplayArtist")]
        release = next((one for one in self._releases if reference in one.resources), None)
        named = _anywhere(element, "URI") or _anywhere(element, "FileName")
        audio = self._audio(named, problems) if named else None
        iswc = identifiers.iswc(_anywhere(element, "ISWC"))
        owner = _pline_owner(element) or (_pline_owner(edition) if edition is not None else "")
        external_id = checked.compact or reference
        if not external_id:
            problems.append("it has neither an ISRC nor a ResourceReference")
        return IntakeRecord(
            row=row,
            external_id=external_id,
            audio=audio,
            source_path=named,
            title=_text(element, "DisplayTitleText") or _anywhere(element, "TitleText"),
            artist=_text(element, "DisplayArtistName") or ", ".join(filter(None, artists)),
            isrc=checked.compact,
            year=_year(element) or (release.year if release else None),
            language=_text(element, "LanguageOfPerformance"),
            genre=release.genre if release else "",
            iswc=iswc.compact,
            composers=tuple(self._contributors(element, ("Composer", "ComposerLyricist", "Author"))),
            master_owner=owner or (release.label if release else ""),
            statements=self._statements(release.references if release else frozenset()),
            problems=tuple(problems),
            notes=tuple(notes),
        )

    def _audio(self, named: str, problems: list[str]) -> Path | None:
        if re.match(r"[a-z][a-z0-9+.-]*:", named, re.I):
            problems.append(
                f"file {named!r} is an address, not a file beside the message: nothing is fetched"
            )
            return None
        found = (self._root / named).resolve()
        if not found.is_relative_to(self._root):
            problems.append(f"file {named!r} climbs out of {self._root}")
            return None
        if not found.is_file():
            problems.append(f"file {named!r} does not exist (looked for {found})")
            return None
        return found

    def _party(self, element: Element) -> str:
        return self._parties.get(_text(element, "ArtistPartyReference"), "") or _anywhere(element, "FullName")

    def _contributors(self, element: Element, roles: tuple[str, ...]) -> Iterator[str]:
        for contributor in _all(element, "Contributor"):
            if {_own_text(role) for role in _all(contributor, "Role")} & set(roles):
                reference = _text(contributor, "ContributorPartyReference")
                yield self._parties.get(reference, "") or reference

    def _read(self, element: Element) -> Iterator[Deal]:
        releases = frozenset(_own_text(one) for one in _all(element, "DealReleaseReference"))
        for terms in _all(element, "Deal/DealTerms"):
            territory = self._territory(terms)
            if territory is None:
                continue
            start, end = _text(terms, "ValidityPeriod/StartDate"), _text(terms, "ValidityPeriod/EndDate")
            models = [_own_text(one) for one in _all(terms, "CommercialModelType")]
            uses = [_own_text(one) for one in terms.iter() if _local(one) == "UseType"]
            yield Deal(
                releases,
                territory,
                _date(start) or _date(_text(terms, "ValidityPeriod/StartDateTime")),
                _date(end) or _date(_text(terms, "ValidityPeriod/EndDateTime")),
                f"CommercialModelType {', '.join(models)}; UseType {', '.join(uses)}",
            )

    def _territory(self, terms: Element) -> tuple[str, ...] | None:
        """Return the territories of a deal; None, with a warning, where one is unknown here."""
        try:
            included = [normalise(_own_text(one)) for one in _all(terms, "TerritoryCode")]
            excluded = [f"-{normalise(_own_text(one))}" for one in _all(terms, "ExcludedTerritoryCode")]
        except UnknownTerritory as error:
            self._warnings.append(f"a deal was left out: {error}")
            return None
        codes = (*included, *excluded)
        return () if codes == ("WORLD",) else codes

    def _statements(self, releases: frozenset[str]) -> tuple[Statement, ...]:
        return tuple(
            Statement(
                right="master",
                expression=DEAL,
                raw=deal.quote,
                source="rights_holder",
                evidence=self._path.name,
                quote=deal.quote,
                territory=deal.territory,
                valid_from=deal.valid_from,
                valid_until=deal.valid_until,
            )
            for deal in self._deals
            if deal.releases & releases
        )


@dataclass(frozen=True, slots=True)
class _Release:
    references: frozenset[str]
    resources: frozenset[str]
    genre: str
    year: int | None
    label: str


def _parse(path: Path) -> Element:
    if path.stat().st_size > MAX_BYTES:
        raise IntakeError(f"{path.name} is larger than {MAX_BYTES:,} bytes: split the message")
    try:
        root = parse(path, forbid_dtd=True, forbid_entities=True, forbid_external=True).getroot()
    except DefusedXmlException as error:
        raise IntakeError(
            f"{path.name} uses a DTD or entities, which a message has no need of: refused"
        ) from error
    except ParseError as error:
        line, column = error.position
        raise IntakeError(
            f"{path.name}, line {line}, column {column}: not well-formed XML ({error})"
        ) from error
    if root is None or _local(root) != "NewReleaseMessage":
        found = _local(root) if root is not None else "empty"
        raise IntakeError(f"{path.name} is <{found}>, not an ERN <NewReleaseMessage>")
    return root


def _releases(message: Element) -> list[_Release]:
    """Return the releases. The main release's resource group names the resources, a track release its own one."""
    found = []
    for element in (*_all(message, "ReleaseList/Release"), *_all(message, "ReleaseList/TrackRelease")):
        names = ("ReleaseResourceReference", "ResourceGroupReleaseResourceReference")
        resources = {_own_text(one) for one in element.iter() if _local(one) in names}
        label = _anywhere(element, "LabelName") or _pline_owner(element)
        genre = _anywhere(element, "GenreText")
        references = frozenset({_text(element, "ReleaseReference")})
        found.append(_Release(references, frozenset(resources), genre, _year(element), label))
    merged = []
    for one in found:
        others = [other for other in found if other.resources & one.resources]
        references = frozenset(reference for other in others for reference in other.references)
        merged.append(_Release(references, one.resources, one.genre, one.year, one.label))
    return merged


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _all(element: Element, path: str) -> list[Element]:
    """Return the elements at a path of local names: versions differ in namespace, not in these."""
    found = [element]
    for name in path.split("/"):
        found = [child for parent in found for child in parent if _local(child) == name]
    return found


def _first(element: Element, path: str) -> Element | None:
    return next(iter(_all(element, path)), None)


def _own_text(element: Element) -> str:
    return " ".join((element.text or "").split())


def _text(element: Element, path: str) -> str:
    found = _first(element, path)
    return _own_text(found) if found is not None else ""


def _anywhere(element: Element, name: str) -> str:
    return next((_own_text(one) for one in element.iter() if _local(one) == name and _own_text(one)), "")


def _pline_owner(element: Element) -> str:
    """Return the company of a ℗ line, without the year that usually starts it."""
    for line in _all(element, "PLine"):
        company = _text(line, "PLineCompany")
        if company:
            return company
        return re.sub(r"^\s*(?:℗|\(P\))?\s*\d{0,4}\s*", "", _text(line, "PLineText"))
    return ""


def _year(element: Element) -> int | None:
    for name in ("FirstPublicationDate", "OriginalReleaseDate", "ReleaseDate", "CreationDate"):
        if found := re.match(r"(\d{4})", _anywhere(element, name)):
            return int(found.group(1))
    return None


def _date(written: str) -> date | None:
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        return None

"""DDEX Electronic Release Notifications: a subset of ERN 4.3 (namespaces ern/43, ern/431 and ern/432).

Read: ``NewReleaseMessage`` with

- ``ResourceList/SoundRecording``: ISRCs (without one the sender's own identifier names it, else the reference),
  title, display artists, composers, ℗ line, language, file;
  ``ResourceRightsController`` and ``WorkRightsController`` as claims to the master and to the composition, with
  ``RightSharePercentage``, territories and period as they are written, an unstated share as unstated;
- ``ReleaseList``: genre, year, label, GRid and ICPN (an identifier that fails its check is kept and marked);
- ``PartyList``: names, ISNI, DPID, IPI name number;
- ``DealList``: territories, period, commercial model, use type, kept as they came.

What is not read: videos, images, cues, technical encodings, updates and takedowns. Other versions of ERN name things
otherwise and are refused by their name.

A deal is a licence to distribute to the recipient. ERN has no term that is confirmed to license training, so none is
read out of it: every deal becomes a statement ``LicenseRef-ddex-deal`` that clears nothing for training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse, tostring

from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of
from provenance.intake.record import Intake, IntakeClaim, IntakeIdentifier, IntakeRecord, distinct
from provenance.rights import identifiers
from provenance.rights.territory import UnknownTerritory, normalise
from provenance.rights.values import Claim, ClaimedRight, Statement

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES: Final = 256 << 20
MAX_DEPTH: Final = 64
"""Elements inside each other; ERN 4.3 has 12 at most."""
RAW_CHARS: Final = 4000
VERSIONS: Final = ("43", "431", "432")
XINCLUDE: Final = "{http://www.w3.org/2001/XInclude}"
CONTROLLERS: Final[tuple[tuple[ClaimedRight, str], ...]] = (
    ("master", "ResourceRightsController"),
    ("composition", "WorkRightsController"),
)
RELEASE_IDS: Final = (("grid", "GRid"), ("ean", "ICPN"))
DEAL: Final = "LicenseRef-ddex-deal"


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal's terms, as far as they are read."""

    releases: frozenset[str]
    territory: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None
    """The day after the message's ``EndDate``, which is the last day."""
    quote: str
    raw: str
    """The deal's terms as XML."""


class DdexIntake(Intake):
    """An ERN message with its sound files beside it.

    Raises
    ------
    IntakeError
        If it is too large or too deep, not well formed, uses entities, a DTD or XInclude, is no
        ``NewReleaseMessage``, of another version, or without a sound recording.
    """

    format = "ddex"

    def __init__(self, path: Path, root: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._root = (root or path.parent).resolve()
        self._message = _parse(path)
        self.source_sha256 = sha256_of(path)
        parties = _all(self._message, "PartyList/Party")
        self._parties = {_text(party, "PartyReference"): _party_name(party) for party in parties}
        self._party_ids = {_party_name(party): ids for party in parties if (ids := _ids_of_party(party))}
        self._recordings = _all(self._message, "ResourceList/SoundRecording")
        self._releases = _releases(self._message, self._parties)
        self._warnings: list[str] = []
        self._deals = [
            deal for element in _all(self._message, "DealList/ReleaseDeal") for deal in self._read(element)
        ]
        if not self._recordings:
            raise IntakeError(
                f"{path.name} lists no SoundRecording in its ResourceList: there is nothing in it to register"
            )
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
        release = _release_of(self._releases.get(reference, ()))
        named = _anywhere(element, "URI") or _anywhere(element, "FileName")
        audio = self._audio(named, problems) if named else None
        iswc = identifiers.iswc(_anywhere(element, "ISWC"))
        owner = _pline_owner(element) or (_pline_owner(edition) if edition is not None else "")
        external_id = checked.compact or _own_id(element, reference, release)
        claims, overlaps = self._claims(element, edition, problems)
        composers = tuple(self._contributors(element, ("Composer", "ComposerLyricist", "Author")))
        named_parties = {*(one.claim.party for one in claims or ()), *composers}
        if not external_id:
            problems.append("it has no ISRC, ProprietaryId or ResourceReference")
        return IntakeRecord(
            row=row,
            external_id=external_id,
            audio=audio,
            source_path=named,
            title=_default(element, "DisplayTitleText") or _anywhere(element, "TitleText"),
            artist=_default(element, "DisplayArtistName") or ", ".join(filter(None, artists)),
            isrc=checked.compact,
            year=_year(element) or (release.year if release else None),
            language=_text(element, "LanguageOfPerformance"),
            genre=release.genre if release else "",
            iswc=iswc.compact,
            composers=composers,
            master_owner=owner or (release.owner if release else ""),
            statements=self._statements(release.references if release else frozenset()),
            claims=claims,
            identifiers=self._identifiers(element, checked.written, release, notes),
            party_ids={name: self._party_ids[name] for name in named_parties if name in self._party_ids},
            problems=tuple(problems),
            notes=(*notes, *overlaps),
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

    def _claims(
        self, element: Element, edition: Element | None, problems: list[str]
    ) -> tuple[tuple[IntakeClaim, ...] | None, tuple[str, ...]]:
        """Return what rights controllers claim, and composers as credits; None where no controller is named."""
        places = [element] if edition is None else [element, edition]
        found = []
        for right, name in CONTROLLERS:
            for controller in (one for place in places for one in _all(place, name)):
                try:
                    found.append(self._claim(right, controller))
                except (ValueError, UnknownTerritory) as error:
                    problems.append(f"{name}: {error}")
        if not found:
            return None, ()
        for composer in self._contributors(element, ("Composer", "ComposerLyricist", "Author")):
            credit = Claim("composition", composer, None, "composer", source="rights_holder")
            found.append(IntakeClaim(credit, self._path.name))
        return distinct(found)

    def _claim(self, right: ClaimedRight, element: Element) -> IntakeClaim:
        reference = _text(element, "RightsControllerPartyReference")
        party = self._parties.get(reference, "") or _anywhere(element, "FullName") or reference
        if not party:
            raise ValueError("it names no party")
        claim = Claim(
            right=right,
            party=party,
            share=_percent(_first(element, "RightSharePercentage")),
            role=_snake(_text(element, "RightsControlType") or _text(element, "RightsControllerType"))
            or "owner",
            territory=_places(element),
            valid_from=_date(_anywhere(element, "StartDate") or _anywhere(element, "StartDateTime")),
            valid_until=_end(_anywhere(element, "EndDate"), _anywhere(element, "EndDateTime")),
            source="rights_holder",
        )
        if claim.valid_from and claim.valid_until and claim.valid_until <= claim.valid_from:
            raise ValueError(f"the period of {party} ends before it begins")
        return IntakeClaim(claim, self._path.name)

    def _identifiers(
        self, element: Element, isrc: str, release: _Release | None, notes: list[str]
    ) -> tuple[IntakeIdentifier, ...]:
        """Return every further identifier of the recording and of its release; invalid ones are told of."""
        further = [("isrc", one) for one in _every(element, "ISRC") if one != isrc]
        found = dict.fromkeys([*further, *(release.identifiers if release else ())])
        for scheme, written in found:
            checked = identifiers.CHECKS[scheme](written)
            if not checked.valid:
                notes.append(f"{scheme} {written!r} is not valid ({checked.why}); kept as it is")
        return tuple(IntakeIdentifier(scheme, written, "rights_holder") for scheme, written in found)

    def _read(self, element: Element) -> Iterator[Deal]:
        releases = frozenset(_own_text(one) for one in _all(element, "DealReleaseReference"))
        for terms in _all(element, "Deal/DealTerms"):
            territory = self._territory(terms)
            if territory is None:
                continue
            start, end = _text(terms, "ValidityPeriod/StartDate"), _text(terms, "ValidityPeriod/EndDate")
            begins = _date(start) or _date(_text(terms, "ValidityPeriod/StartDateTime"))
            ends = _end(end, _text(terms, "ValidityPeriod/EndDateTime"))
            if begins and ends and ends <= begins:
                self._warnings.append(f"a deal was left out: it ends on {ends} and begins on {begins}")
                continue
            models = [_named(one) for one in _all(terms, "CommercialModelType")]
            uses = [_named(one) for one in terms.iter() if _local(one) == "UseType"]
            yield Deal(
                releases,
                territory,
                begins,
                ends,
                f"CommercialModelType {', '.join(models)}; UseType {', '.join(uses)}",
                _raw(terms),
            )

    def _territory(self, terms: Element) -> tuple[str, ...] | None:
        """Return the territories of a deal; None, with a warning, where one is unknown here."""
        try:
            return _places(terms)
        except UnknownTerritory as error:
            self._warnings.append(f"a deal was left out: {error}")
            return None

    def _statements(self, releases: frozenset[str]) -> tuple[Statement, ...]:
        """Return a statement a deal; each has a number of its own, for deals of several places hold at once."""
        deals = dict.fromkeys(deal for deal in self._deals if deal.releases & releases)
        return tuple(
            Statement(
                right="master",
                expression=DEAL if number == 1 else f"{DEAL}-{number}",
                raw=deal.raw,
                source="rights_holder",
                evidence=self._path.name,
                quote=deal.quote,
                territory=deal.territory,
                valid_from=deal.valid_from,
                valid_until=deal.valid_until,
            )
            for number, deal in enumerate(deals, start=1)
        )


@dataclass(frozen=True, slots=True)
class _Release:
    references: frozenset[str]
    genre: str
    year: int | None
    owner: str
    """Who its ℗ line names, else its label."""
    identifiers: tuple[tuple[str, str], ...]
    """Schemes and identifiers of the releases it is on, GRid and ICPN."""


def _parse(path: Path) -> Element:
    if path.stat().st_size > MAX_BYTES:
        raise IntakeError(f"{path.name} is larger than {MAX_BYTES:,} bytes: split the message")
    try:
        root = _grown(path)
    except DefusedXmlException as error:
        raise IntakeError(
            f"{path.name} uses a DTD or entities, which a message has no need of: refused"
        ) from error
    except ParseError as error:
        line, column = error.position
        raise IntakeError(
            f"{path.name}, line {line}, column {column}: not well-formed XML ({error})"
        ) from error
    except (UnicodeDecodeError, LookupError, ValueError) as error:
        raise IntakeError(f"{path.name} is in an encoding that can't be read: save it as UTF-8") from error
    if _local(root) != "NewReleaseMessage":
        raise IntakeError(f"{path.name} is <{_local(root)}>, not an ERN <NewReleaseMessage>")
    version = _version(root)
    if version and version not in VERSIONS:
        raise IntakeError(
            f"{path.name} is ERN {_spelled(version)}; ERN 4.3 is read here, and other versions name shares and deals "
            "otherwise: ask the sender for an ERN 4.3 message"
        )
    return root


def _grown(path: Path) -> Element:
    """Parse event by event, so that what nests too deep or includes other files is refused while it is read."""
    depth = 0
    root: Element | None = None
    reading = iterparse(
        path, events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    for event, element in reading:
        root = element if root is None else root
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise IntakeError(f"{path.name} nests more than {MAX_DEPTH} elements: refused")
        if event == "start" and str(element.tag).startswith(XINCLUDE):
            raise IntakeError(
                f"{path.name} includes other files (XInclude), which a message has no need of: refused"
            )
    if root is None:
        raise IntakeError(f"{path.name} is empty, not an ERN <NewReleaseMessage>")
    return root


def _version(root: Element) -> str:
    """Return the digits of the message's version, from its namespace or its version attributes."""
    written = [root.tag, *(value for name, value in root.attrib.items() if "VersionId" in name)]
    found = (re.search(r"(?:^|/)ern/(?:20\d\d/)?(\d+)", str(one)) for one in written)
    return next((match.group(1) for match in found if match), "")


def _spelled(version: str) -> str:
    return ".".join(version)


def _releases(message: Element, parties: Mapping[str, str]) -> dict[str, list[_Release]]:
    """Return the releases that hold each resource. A main release's groups name many, a track release its own one."""
    found: dict[str, list[_Release]] = {}
    for element in (*_all(message, "ReleaseList/Release"), *_all(message, "ReleaseList/TrackRelease")):
        names = ("ReleaseResourceReference", "ResourceGroupReleaseResourceReference")
        resources = {_own_text(one) for one in element.iter() if _local(one) in names}
        label = _anywhere(element, "LabelName") or parties.get(_text(element, "ReleaseLabelReference"), "")
        genre = _anywhere(element, "GenreText")
        references = frozenset({_text(element, "ReleaseReference")})
        ids = tuple((scheme, one) for scheme, name in RELEASE_IDS for one in _every(element, name))
        owner = _pline_owner(element) or label
        release = _Release(references, genre, _year(element), owner, ids)
        for resource in resources:
            found.setdefault(resource, []).append(release)
    return found


def _release_of(releases: Iterable[_Release]) -> _Release | None:
    """Return what the releases of one resource say together; of those that share another one nothing is taken."""
    holding = tuple(releases)
    if not holding:
        return None
    return _Release(
        references=frozenset(reference for one in holding for reference in one.references),
        genre=next((one.genre for one in holding if one.genre), ""),
        year=next((one.year for one in holding if one.year), None),
        owner=next((one.owner for one in holding if one.owner), ""),
        identifiers=tuple(dict.fromkeys(id for one in holding for id in one.identifiers)),
    )


def _own_id(element: Element, reference: str, release: _Release | None) -> str:
    """Return what tells a recording without ISRC from others: a reference alone counts from A1 in each message anew."""
    proprietary = _anywhere(element, "ProprietaryId")
    if proprietary or not reference:
        return proprietary
    _, of_release = next(iter(release.identifiers), ("", "")) if release else ("", "")
    return f"{of_release}/{reference}" if of_release else reference


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


def _default(element: Element, name: str) -> str:
    """Return the text of a child that stands in several languages: of the one marked as default, else the first."""
    found = _all(element, name)
    marked = (one for one in found if one.get("IsDefault", "").lower() == "true" and _own_text(one))
    chosen = next(marked, next(iter(found), None))
    return _own_text(chosen) if chosen is not None else ""


def _anywhere(element: Element, name: str) -> str:
    return next((_own_text(one) for one in element.iter() if _local(one) == name and _own_text(one)), "")


def _named(element: Element) -> str:
    """Return a term, with the sender's own word for it where the standard has none."""
    own = element.get("UserDefinedValue", "")
    return f"{_own_text(element)} ({own})" if own else _own_text(element)


def _every(element: Element, name: str) -> list[str]:
    found = [_own_text(one) for one in element.iter() if _local(one) == name]
    return [one for one in found if one]


def _party_name(party: Element) -> str:
    return _text(party, "PartyName/FullName") or _text(party, "PartyName/FullNameIndexed")


def _ids_of_party(party: Element) -> dict[str, str]:
    return {
        scheme: found
        for scheme, name in (("isni", "ISNI"), ("dpid", "DPID"), ("ipi_name", "IpiNameNumber"))
        if (found := _text(party, f"PartyId/{name}"))
    }


def _places(element: Element) -> tuple[str, ...]:
    """Return the territories an element names, anywhere in it; empty for the whole world."""
    names = ("TerritoryCode", "TerritoryOfRightsDelegation", "Territory")
    included = [normalise(one) for name in names for one in _every(element, name)]
    excluded = [f"-{normalise(one)}" for one in _every(element, "ExcludedTerritoryCode")]
    codes = tuple(dict.fromkeys((*included, *excluded)))
    return () if codes == ("WORLD",) else codes


def _percent(element: Element | None) -> float | None:
    """Return a share in percent; ``HasMaxValueOfOne`` says that it is written as a part of 1."""
    if element is None or not _own_text(element):
        return None
    try:
        share = float(_own_text(element))
    except ValueError as error:
        raise ValueError(f"share {_own_text(element)!r} is no number") from error
    if element.get("HasMaxValueOfOne", "").lower() == "true":
        share *= 100
    if not 0 < share <= 100:
        raise ValueError(f"share {_own_text(element)!r} is not above 0 and at most 100 %")
    return round(share, 4)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _raw(terms: Element) -> str:
    written = re.sub(r"\s+", " ", tostring(terms, encoding="unicode"))
    return re.sub(r"\s?xmlns(:\w+)?=\"[^\"]*\"|(?<=[</])\w+:", "", written).strip()[:RAW_CHARS]


def _end(day: str, instant: str) -> date | None:
    """Return the first day after a period: ``EndDate`` is its last day, ``EndDateTime`` its last instant."""
    last = _date(day) or _date(instant)
    if last is None or last == date.max:
        return None
    at_midnight = not day and re.search(r"T00:00(:00)?", instant) is not None
    return last if at_midnight else last + timedelta(days=1)


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

"""Which recordings of a dataset are the ones that a catalogue lists, and by which evidence.

Each row of a catalogue gets one of three answers for a dataset:

- *found*: by an identifier of the recording (a valid, equal ISRC), by equal samples, by sound along at least half
  of the shorter recording, or by an identifier of the release (GRid, EAN) together with the title.
- *probable*: names that agree (`name_score`), a part of the sound, or an ISRC that another sound carries.
- *not found*: none of these. Nothing is said of whatever else the dataset holds.

Names alone are never more than probable. What speaks against a match is said beside it and never hidden: another
sound, another ISRC, another duration, another version, another title or artist.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from provenance.matching import thresholds
from provenance.matching.sound import Heard
from provenance.rights import names

Answer = Literal["found", "probable", "not_found"]
ANSWERS: Final[tuple[Answer, ...]] = ("found", "probable", "not_found")
KINDS: Final = ("isrc", "samples", "fingerprint", "release", "metadata", "duration", "names", "conflict")
"""Kinds of evidence, the weightiest first; names that differ and a conflict speak against."""


@dataclass(frozen=True, slots=True)
class Described:
    """One recording, as a catalogue or a dataset describes it.

    Attributes
    ----------
    key : str
        Names it in the answers; unique on its side.
    title, artist : str
        As written; may be empty.
    isrcs : frozenset of str
        Valid ISRCs only, compact.
    releases : frozenset of (scheme, identifier)
        Valid identifiers of the release it is on, compact: ``("ean", "4006381333931")``.
    seconds : float or None
        Duration, > 0; None if nobody knows.
    samples_sha256 : str
        Of the decoded samples, lower-case hex; empty if there is no audio.
    """

    key: str
    title: str = ""
    artist: str = ""
    isrcs: frozenset[str] = frozenset()
    releases: frozenset[tuple[str, str]] = frozenset()
    seconds: float | None = None
    samples_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A recording that a row may be: ``found`` or ``probable``.

    Attributes
    ----------
    key : str
        The dataset's recording.
    answer : {"found", "probable"}
    score : float
        In [0, 1], to put several in order: 1 for what is found, else that of names, or of the part that sounds.
    evidence : tuple of mapping
        Each with its ``kind`` (`KINDS`), in their order.
    """

    key: str
    answer: Answer
    score: float
    evidence: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Sound:
    """What listening brought for one row: where it was heard, and beside which recordings it was surely not."""

    heard: tuple[Heard, ...] = ()
    other: frozenset[str] = frozenset()


_SILENT: Final = Sound()


def match(
    rows: Sequence[Described], held: Sequence[Described], sounds: Mapping[str, Sound] | None = None
) -> dict[str, tuple[Match, ...]]:
    """Answer for every row of a catalogue which recordings of a dataset it may be.

    Parameters
    ----------
    rows, held : sequence of Described
        The catalogue and the dataset; neither's order plays a part.
    sounds : mapping of str to Sound, optional
        By the key of a row: what listening brought.

    Returns
    -------
    dict of str to tuple of Match
        For every row's key at most ``MAX_MATCHES`` matches, found before probable, then by falling score; the
        empty tuple is *not found*. The cost grows with rows, recordings and what they share, not with their
        product.
    """
    known = {one.key: one for one in held}
    blocks = _Blocks(rows, held)
    heard = sounds or {}
    answers = {}
    for row in rows:
        sound = heard.get(row.key, _SILENT)
        candidates = blocks.candidates(row) | {one.key for one in sound.heard if one.key in known}
        found = (weigh(row, known[key], sound) for key in candidates)
        kept = sorted((one for one in found if one is not None), key=_rank)
        answers[row.key] = tuple(kept[: thresholds.MAX_MATCHES])
    return answers


def answer_of(matches: Sequence[Match]) -> Answer:
    """Return the answer for a row: that of its surest match."""
    return matches[0].answer if matches else "not_found"


def _rank(one: Match) -> tuple[int, float, int, str]:
    n_for = sum(
        said["kind"] not in ("names", "conflict") and said.get("agrees", True) for said in one.evidence
    )
    return ANSWERS.index(one.answer), -one.score, -n_for, one.key


def weigh(row: Described, other: Described, sound: Sound = _SILENT) -> Match | None:
    """Weigh all that speaks for and against ``row`` and ``other`` being one recording.

    Returns
    -------
    Match or None
        None if it is not even probable.
    """
    shared = row.isrcs & other.isrcs
    heard = next((one for one in sound.heard if one.key == other.key), None)
    same_samples = bool(row.samples_sha256) and row.samples_sha256 == other.samples_sha256
    release = row.releases & other.releases
    score = name_score(row, other)
    evidence: list[Mapping[str, Any]] = [{"kind": "isrc", "isrc": isrc} for isrc in sorted(shared)]
    if same_samples:
        evidence.append({"kind": "samples", "sha256": row.samples_sha256})
    if heard is not None:
        evidence.append(_heard_as_json(heard))
    if score >= thresholds.PROBABLE_SCORE:
        evidence += [{"kind": "release", "scheme": scheme, "id": id} for scheme, id in sorted(release)]
        evidence.append({"kind": "metadata", "score": round(score, 3)})
    if not evidence:
        return None
    other_sound = other.key in sound.other and heard is None and not same_samples
    agrees = durations_agree(row.seconds, other.seconds)
    if other_sound and not shared and not agrees:
        return None  # another take, by its sound and by its length
    by_sound = same_samples or (heard is not None and heard.is_whole)
    by_release = bool(release) and score >= thresholds.PROBABLE_SCORE and not other_sound
    is_found = by_sound or by_release or (bool(shared) and not other_sound)
    if is_found:
        strength = 1.0
    else:
        part = heard.agreed_s / heard.shorter_s if heard else 0.0
        strength = max(min(score, 0.99), min(part, 0.99), 0.99 if shared else 0.0)
    if agrees is not None:
        evidence.append(
            {"kind": "duration", "row_s": row.seconds, "recording_s": other.seconds, "agrees": agrees}
        )
    if other_names := _other_names(row, other):
        evidence.append({"kind": "names", **other_names})
    evidence += [{"kind": "conflict", "says": says} for says in _conflicts(row, other, shared, other_sound)]
    evidence.sort(key=lambda one: KINDS.index(one["kind"]))
    return Match(other.key, "found" if is_found else "probable", strength, tuple(evidence))


def _heard_as_json(heard: Heard) -> Mapping[str, Any]:
    return {
        "kind": "fingerprint",
        "score": round(heard.score, 3),
        "agreed_s": round(heard.agreed_s, 1),
        "shorter_s": round(heard.shorter_s, 1),
        "row_start_s": round(heard.row_start_s, 1),
        "recording_start_s": round(heard.recording_start_s, 1),
        "bit_error_rate": round(heard.ber, 3),
        "part": not heard.is_whole,
    }


def _other_names(row: Described, other: Described) -> dict[str, str]:
    """Return the title and the artist that a recording has where they are not the row's, as they are written.

    Where the titles differ in their version alone it is `_conflicts` that says so.
    """
    differ = {}
    mine, theirs = names.title(row.title), names.title(other.title)
    is_unlike = names.titles_alike(mine, theirs) < thresholds.PROBABLE_SCORE
    if mine.words and theirs.words and is_unlike and mine.words != theirs.words:
        differ["recording_title"] = other.title
    artists = names.artists_alike(names.artist(row.artist), names.artist(other.artist))
    if artists is not None and artists < thresholds.PROBABLE_SCORE:
        differ["recording_artist"] = other.artist
    return differ


def _conflicts(row: Described, other: Described, shared: frozenset[str], other_sound: bool) -> Iterator[str]:
    if other_sound:
        yield "the same ISRC, and another sound" if shared else "the same names, and another sound"
    if row.isrcs and other.isrcs and not shared:
        yield f"another ISRC: {', '.join(sorted(row.isrcs))} here, {', '.join(sorted(other.isrcs))} there"
    mine, theirs = names.title(row.title), names.title(other.title)
    if mine.words and theirs.words and mine.version != theirs.version:
        yield f"another version by its title: {_version(mine)} here, {_version(theirs)} there"
    if durations_agree(row.seconds, other.seconds) is False:
        yield f"another duration: {row.seconds:.0f} s here, {other.seconds:.0f} s there"


def _version(title: names.Title) -> str:
    return ", ".join(sorted(title.version)) or "none named"


def name_score(row: Described, other: Described) -> float:
    """Likeness of the names: of the titles times that of the artists, less where durations disagree.

    Returns
    -------
    float
        In [0, 1]. 0 where versions or numbers in the titles differ, and where an artist is missing and the
        durations do not agree: a title alone says nothing.
    """
    title = names.titles_alike(names.title(row.title), names.title(other.title))
    if title == 0.0:
        return 0.0
    artist = names.artists_alike(names.artist(row.artist), names.artist(other.artist))
    agrees = durations_agree(row.seconds, other.seconds)
    if artist is None:
        return title * thresholds.NO_ARTIST_FACTOR if agrees else 0.0
    return title * artist * (thresholds.OTHER_DURATION_FACTOR if agrees is False else 1.0)


def durations_agree(one: float | None, other: float | None) -> bool | None:
    """Tell whether two durations in seconds are those of one recording; None if one is not known."""
    if not one or not other:
        return None
    return abs(one - other) <= max(thresholds.DURATION_S, thresholds.DURATION_SHARE * max(one, other))


@dataclass(slots=True)
class _Block:
    """Recordings that share a key of the title, by what stands for the artist, and all of them by duration."""

    by_artist: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unnamed: list[tuple[float, str]] = field(default_factory=list)  # no artist is named
    lasting: list[tuple[float, str]] = field(default_factory=list)  # all whose duration is known

    def sort(self) -> None:
        self.unnamed.sort()
        self.lasting.sort()


class _Blocks:
    """Recordings by what a row could share with them: the same can't be missed, and few others are looked at.

    Names count only if title and artist both agree, or the duration where an artist is missing: so only what
    shares a key of both is compared. One wrong letter leaves a title's first or second half as it was, several
    leave its other words; of an artist one end stays.
    """

    def __init__(self, rows: Iterable[Described], held: Iterable[Described]) -> None:
        wanted = {key for row in rows for key in _title_keys(row, looks=True)}
        self._surely: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._titles: defaultdict[_TitleKey, _Block] = defaultdict(_Block)
        for one in held:
            for sure in _sure_keys(one):
                self._surely[sure].append(one.key)
            self._enter(one, wanted)
        for block in self._titles.values():
            block.sort()

    def _enter(self, one: Described, wanted: set[_TitleKey]) -> None:
        artists = names.artist(one.artist)
        for key in _title_keys(one) & wanted:
            block = self._titles[key]
            for artist in _artist_keys(artists):
                block.by_artist[artist].append(one.key)
            if one.seconds and key[0] in _EQUAL:
                block.lasting.append((one.seconds, one.key))
                if not artists:
                    block.unnamed.append((one.seconds, one.key))

    def candidates(self, row: Described) -> set[str]:
        """Return the keys of all recordings that may be this row's."""
        found = {key for sure in _sure_keys(row) for key in self._surely.get(sure, ())}
        artists = _artist_keys(names.artist(row.artist))
        for key in _title_keys(row, looks=True):
            if (block := self._titles.get(key)) is None:
                continue
            for artist in artists:
                found.update(block.by_artist.get(artist, ()))
            if row.seconds and key[0] in _EQUAL:
                found.update(_lasting_about(row.seconds, block.unnamed if artists else block.lasting))
        return found


_TitleKey = tuple[str, str, tuple[str, ...], frozenset[str]]
_EQUAL: Final = ("letters", "words")


def _lasting_about(seconds: float, ordered: list[tuple[float, str]]) -> Iterator[str]:
    reach = max(thresholds.DURATION_S, thresholds.DURATION_SHARE * seconds * 1.02)
    for place in range(bisect_left(ordered, (seconds - reach, "")), len(ordered)):
        if ordered[place][0] > seconds + reach:
            break
        yield ordered[place][1]


def _sure_keys(one: Described) -> Iterator[tuple[str, str]]:
    for isrc in one.isrcs:
        yield "isrc", isrc
    if one.samples_sha256:
        yield "samples", one.samples_sha256


def _title_keys(one: Described, *, looks: bool = False) -> set[_TitleKey]:
    """Return the keys of a title; whoever looks also asks for the halves that one letter more or less would leave.

    Version and numbers are part of each: where they differ it is another recording.
    """
    title = names.title(one.title)
    squeezed = "".join(title.words)
    if not squeezed:
        return set()
    parts = {("letters", squeezed), ("words", " ".join(sorted(title.words)))}
    lengths = (len(squeezed) - 1, len(squeezed), len(squeezed) + 1) if looks else (len(squeezed),)
    in_order = "".join(sorted(title.words))
    for half in {length // 2 for length in lengths}:
        if half >= 2:
            parts |= {("head", squeezed[:half]), ("tail", squeezed[-half:])}
            parts |= {("first", in_order[:half]), ("last", in_order[-half:])}  # the words in another order
    parts |= {("word", word) for word in title.words if len(word) >= 5}
    return {(kind, text, title.numbers, title.version) for kind, text in parts}


def _artist_keys(artists: frozenset[str]) -> set[str]:
    """Return what stands for artists: each name whole, and both its ends."""
    return {key for name in artists for key in (name, f"{name[:4]}…", f"…{name[-4:]}")}

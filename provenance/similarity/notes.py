"""Composition likeness in first form: whether this tune is in there, in whatever key, tempo or instrument.

Notes are parted into voices (one a channel, its highest note at each onset). A voice is read as n-grams of
``GRAM_NOTES`` notes: the steps between their pitches, and the ratios of the times between them, so that
neither transposition nor tempo counts. n-grams that two voices share on one diagonal make a run. Runs are
weighed by how rare their n-grams are among the references: a scale or a repeated note is in every second work
and says little.

A composition match alone leads to ``review`` and never to ``blocked``: common material, quotation and
tradition are for a person to tell apart. Not calibrated; audio without notes is not searched.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from provenance.similarity import thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

METHOD = "note-grams"
METHOD_VERSION = "1"

Gram = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """One sounding note: onset and length in seconds, MIDI pitch, and the channel as the voice that plays it."""

    onset_s: float
    seconds: float
    pitch: int
    channel: int = 0


@dataclass(frozen=True, slots=True)
class CompositionMatch:
    """A tune that query and reference share.

    ``tempo_ratio`` is the tempo of the query over the reference's; ``pitch_shift_semitones`` how much higher
    the query stands. ``n_notes`` are the notes in a row that agree, ``rarity_bits`` what their n-grams weigh.
    """

    key: str
    verdict: Literal["no_match", "review"]
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    occurrences: tuple[float, ...]
    tempo_ratio: float
    pitch_shift_semitones: float
    n_notes: int
    rarity_bits: float
    kind: Literal["composition"] = "composition"

    @property
    def accepted(self) -> bool:
        """Whether it is more than the nearest that there is."""
        return self.verdict == "review"


@dataclass(frozen=True, slots=True)
class CompositionCheck:
    """The answer for one query: ``unverifiable`` where it has too few notes for an n-gram."""

    matches: tuple[CompositionMatch, ...]
    verdict: Literal["no_match", "review", "unverifiable"]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    reference: int
    reference_voice: int
    query_voice: int
    reference_at: int
    query_at: int
    n_notes: int
    rarity_bits: float


def voices_of(notes: Iterable[Note]) -> list[list[Note]]:
    """Part notes into lines.

    Returns
    -------
    list of list of Note
        One for each channel with at least ``GRAM_NOTES`` onsets, in rising channel: its highest note at each
        onset. After them, each that has ornaments once more without.
    """
    channels: dict[int, dict[float, Note]] = defaultdict(dict)
    for note in notes:
        onset = round(note.onset_s, 2)
        known = channels[note.channel].get(onset)
        if known is None or note.pitch > known.pitch:
            channels[note.channel][onset] = note
    lines = [[line[onset] for onset in sorted(line)] for _, line in sorted(channels.items())]
    bare = [plain for line in lines if len(plain := without_ornaments(line)) < len(line)]
    return [line for line in [*lines, *bare] if len(line) >= thresholds.GRAM_NOTES]


def without_ornaments(line: Sequence[Note]) -> list[Note]:
    """Leave out what decorates: a note and its return to the pitch before it, and a short step into the next.

    Returns
    -------
    list of Note
        Mordents and trills are held notes, grace notes are gone. What counts as short follows from the line's own
        gaps, so that the tempo plays no part.
    """
    if len(line) < 3:
        return list(line)
    gaps = sorted(after.onset_s - before.onset_s for before, after in itertools.pairwise(line))
    usual_s = gaps[len(gaps) * 3 // 4]
    kept: list[Note] = [line[0]]
    at = 1
    while at < len(line):
        now = line[at]
        if at + 1 == len(line):
            kept.append(now)
            break
        following = line[at + 1]
        lasts_s = following.onset_s - now.onset_s
        turns_back = at + 2 < len(line) and line[at + 2].pitch == now.pitch
        if (
            lasts_s <= thresholds.MORDENT_SHARE * usual_s
            and following.pitch == kept[-1].pitch
            and _is_step(kept[-1], now)
        ):
            at += 2  # out to the neighbour and back again: the first note lasts on
        elif lasts_s <= thresholds.GRACE_SHARE * usual_s and not turns_back and _is_step(now, following):
            kept.append(replace(following, onset_s=now.onset_s, seconds=lasts_s + following.seconds))
            at += 2
        else:
            kept.append(now)
            at += 1
    return kept


def _is_step(one: Note, other: Note) -> bool:
    return abs(one.pitch - other.pitch) <= thresholds.ORNAMENT_STEP


def grams_of(voice: Sequence[Note]) -> list[Gram]:
    """Read a voice as n-grams that neither transposition nor tempo changes.

    Returns
    -------
    list of tuple of int
        One for each note with ``GRAM_NOTES - 1`` after it: steps in semitones, then each gap's length against
        the first one's, in halves of an octave of time (0: as long, 2: twice as long).
    """
    grams = []
    for at in range(len(voice) - thresholds.GRAM_NOTES + 1):
        window = voice[at : at + thresholds.GRAM_NOTES]
        steps = [after.pitch - before.pitch for before, after in itertools.pairwise(window)]
        gaps = [after.onset_s - before.onset_s for before, after in itertools.pairwise(window)]
        rhythm = [round(2 * math.log2(max(gap, 0.01) / max(gaps[0], 0.01))) for gap in gaps[1:]]
        grams.append((*steps, *rhythm))
    return grams


def _without_loops(grams: Sequence[Gram]) -> Iterator[tuple[int, Gram]]:
    """Number the n-grams of a voice, each at most ``MOST_REPEATS`` times."""
    seen: Counter[Gram] = Counter()
    for at, gram in enumerate(grams):
        seen[gram] += 1
        if seen[gram] <= thresholds.MOST_REPEATS:
            yield at, gram


class NoteIndex:
    """The n-grams of the reference works, held in memory.

    Parameters
    ----------
    references : iterable of (key, notes)
    """

    def __init__(self, references: Iterable[tuple[str, Sequence[Note]]]) -> None:
        self.keys: list[str] = []
        self.voices: list[list[list[Note]]] = []
        self._places: dict[Gram, list[tuple[int, int, int]]] = defaultdict(list)
        self._rarities: dict[Gram, float] = {}
        for key, notes in sorted(references, key=lambda reference: reference[0]):
            number = len(self.keys)
            self.keys.append(key)
            self.voices.append(voices_of(notes))
            for voice, line in enumerate(self.voices[number]):
                for at, gram in _without_loops(grams_of(line)):
                    self._places[gram].append((number, voice, at))

    def places(self, gram: Gram) -> list[tuple[int, int, int]]:
        """Reference, voice and place of each occurrence of ``gram``."""
        return self._places.get(gram, [])

    def rarity_bits(self, gram: Gram) -> float:
        """Weight of an n-gram: minus the binary logarithm of the share of works that hold it; 0 for the
        commonest.

        One whose steps are all alike (a scale, a repeated note) weighs nothing. Of fewer than ``FEW_WORKS`` the weights
        are stretched, so that one which a single work holds weighs what it would among so many.
        """
        if gram not in self._rarities:
            self._rarities[gram] = self._rarity_of(gram)
        return self._rarities[gram]

    def _rarity_of(self, gram: Gram) -> float:
        steps = gram[: thresholds.GRAM_NOTES - 1]
        if len({abs(step) for step in steps}) == 1:
            return 0.0
        holders = len({reference for reference, _, _ in self.places(gram)})
        n_works = len(self.keys) + 1
        stretched = max(1.0, math.log2(thresholds.FEW_WORKS) / math.log2(n_works))
        return stretched * math.log2(n_works / max(1, holders))


def check(notes: Iterable[Note], index: NoteIndex) -> CompositionCheck:
    """Hold a tune against the works of an index.

    Returns
    -------
    CompositionCheck
        With the ``N_SHOWN`` best works that share any n-gram, in falling score.
    """
    voices = voices_of(notes)
    if not voices:
        return CompositionCheck(
            (), "unverifiable", (f"fewer than {thresholds.GRAM_NOTES} notes can't be compared",)
        )
    best: dict[int, list[_Run]] = defaultdict(list)
    for run in _runs(voices, index):
        best[run.reference].append(run)
    matches = sorted(
        (_match(runs, voices, index) for runs in best.values()),
        key=lambda match: (-match.score, -match.rarity_bits, match.key),
    )
    accepted = [match for match in matches if match.accepted]
    reasons = tuple(
        f"{match.n_notes} notes in a row are those of {match.key} from {match.reference_start_s:.1f} s, "
        f"{match.pitch_shift_semitones:+.0f} semitones"
        for match in accepted[:3]
    )
    return CompositionCheck(
        tuple(matches[: thresholds.N_SHOWN]), "review" if accepted else "no_match", reasons
    )


def _runs(voices: Sequence[Sequence[Note]], index: NoteIndex) -> Iterable[_Run]:
    """Chains of shared n-grams on one diagonal; a run of k n-grams is k + GRAM_NOTES - 1 notes."""
    for query_voice, line in enumerate(voices):
        grams = grams_of(line)
        diagonals: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for at, gram in _without_loops(grams):
            for reference, voice, place in index.places(gram):
                diagonals[reference, voice, place - at].append(at)
        for (reference, voice, offset), hits in diagonals.items():
            start = 0
            for end in range(1, len(hits) + 1):
                if end < len(hits) and hits[end] - hits[end - 1] <= thresholds.MAX_GRAM_GAP:
                    continue
                chain = hits[start:end]
                yield _Run(
                    reference,
                    voice,
                    query_voice,
                    chain[0] + offset,
                    chain[0],
                    chain[-1] - chain[0] + thresholds.GRAM_NOTES,
                    _weight([grams[at] for at in chain], index),
                )
                start = end


def _weight(grams: Sequence[Gram], index: NoteIndex) -> float:
    """Rarity of the n-grams, each counted once: a figure that repeats is one idea."""
    return sum(index.rarity_bits(gram) for gram in set(grams)) / thresholds.GRAM_NOTES


def _match(runs: list[_Run], voices: Sequence[Sequence[Note]], index: NoteIndex) -> CompositionMatch:
    runs.sort(key=lambda run: (-run.rarity_bits, -run.n_notes, run.reference_at))
    run = runs[0]
    query = voices[run.query_voice][run.query_at : run.query_at + run.n_notes]
    reference = index.voices[run.reference][run.reference_voice][
        run.reference_at : run.reference_at + run.n_notes
    ]
    query_s = query[-1].onset_s - query[0].onset_s
    reference_s = reference[-1].onset_s - reference[0].onset_s
    is_long = min(1.0, run.n_notes / thresholds.CONVINCING_NOTES)
    is_rare = min(1.0, run.rarity_bits / thresholds.CONVINCING_RARITY)
    score = math.sqrt(is_long * is_rare)
    same = {
        round(index.voices[run.reference][other.reference_voice][other.reference_at].onset_s, 3)
        for other in runs
        if other.query_voice == run.query_voice
        and other.query_at == run.query_at
        and other.n_notes >= 0.8 * run.n_notes
    }
    return CompositionMatch(
        key=index.keys[run.reference],
        verdict="review" if score >= thresholds.NOTES_REVIEW_SCORE else "no_match",
        score=score,
        query_start_s=query[0].onset_s,
        query_end_s=query[-1].onset_s + query[-1].seconds,
        reference_start_s=reference[0].onset_s,
        reference_end_s=reference[-1].onset_s + reference[-1].seconds,
        occurrences=tuple(sorted(same)),
        tempo_ratio=reference_s / query_s if query_s > 0 else 1.0,
        pitch_shift_semitones=float(query[0].pitch - reference[0].pitch),
        n_notes=run.n_notes,
        rarity_bits=run.rarity_bits,
    )

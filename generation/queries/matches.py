"""One match as its page draws it: the path of the alignment, and what explains it in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generation.models import Check, Match, MatchJudgement
from lib.figures import clock
from provenance.similarity.by_parts import PARTS

ON_THE_LINE_S = 0.35  # a piece counts as on the line up to here: what fingerprints place a match by, and more
LEAST_TEMPO_CHANGE = 0.005
LEAST_SHIFT = 0.2  # semitones
AS_A_TAPE_SEMITONES = 0.3  # pitch that tempo alone explains, to within this
ALIKE = 0.9  # correlation of samples from which nothing lies over a copy that could be heard
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 7


@dataclass(frozen=True)
class Tick:
    percent: float
    label: str


@dataclass(frozen=True)
class Line:
    """From one corner to the other, in percent of the drawing; y grows downwards."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    is_on_line: bool


@dataclass(frozen=True)
class Path:
    """The recording's time from left to right, that of what was checked from the bottom up."""

    line: Line
    echoes: Sequence[Line]
    dots: Sequence[Dot]
    across: Sequence[Tick]
    upwards: Sequence[Tick]
    is_rough: bool  # drawn from its ends alone

    @property
    def n_on_line(self) -> int:
        return sum(dot.is_on_line for dot in self.dots)

    @property
    def left(self) -> float:
        return self.line.x1

    @property
    def width(self) -> float:
        return self.line.x2 - self.line.x1

    @property
    def top(self) -> float:
        return self.line.y2

    @property
    def height(self) -> float:
        return self.line.y1 - self.line.y2


def path_of(match: Match, *, query_s: float | None) -> Path | None:
    """Return the drawing of where a match lies; None for a likeness that lies nowhere in particular."""
    if match.query_end_s <= match.query_start_s or match.kind == "style":
        return None
    points = match.details.get("path") or []
    reach_s = max([match.reference_end_s, match.recording.seconds or 0.0, *(point[1] for point in points)])
    height_s = max(match.query_end_s, query_s or 0.0)

    def line(start_s: float, end_s: float) -> Line:
        return Line(
            100 * start_s / reach_s,
            100 - 100 * match.query_start_s / height_s,
            100 * min(end_s, reach_s) / reach_s,
            100 - 100 * match.query_end_s / height_s,
        )

    lasts_s = match.reference_end_s - match.reference_start_s
    others = [at_s for at_s in match.occurrences if abs(at_s - match.reference_start_s) > 0.5]
    return Path(
        line=line(match.reference_start_s, match.reference_end_s),
        echoes=[line(at_s, at_s + lasts_s) for at_s in others],
        dots=[
            Dot(100 * there_s / reach_s, 100 - 100 * at_s / height_s, _is_on_line(match, at_s, there_s))
            for at_s, there_s, *_ in points
        ],
        across=ticks(reach_s),
        upwards=ticks(height_s, at_most=4),
        is_rough=not points,
    )


def _is_on_line(match: Match, at_s: float, there_s: float) -> bool:
    starts = {match.reference_start_s, *match.occurrences}
    gone_s = (at_s - match.query_start_s) * match.tempo_ratio + float(match.details.get("lag_s") or 0.0)
    return any(abs(there_s - start_s - gone_s) <= ON_THE_LINE_S for start_s in starts)


def ticks(seconds: float, *, at_most: int = MOST_TICKS) -> list[Tick]:
    """Return round times from 0 to ``seconds``, so few that their labels stand apart."""
    step = next((one for one in TICKS if seconds / one <= at_most), TICKS[-1])
    return [Tick(100 * at_s / seconds, clock(at_s)[:-2]) for at_s in range(0, math.floor(seconds) + 1, step)]


def anchor(match: Match) -> str:
    """Return what the match is called inside its page."""
    return f"match-{match.check_made_id}-{match.kind}-{match.rank}"


def explained(match: Match) -> str:
    """Say what was done to a recording so that it sounds as it does here, as far as it was measured."""
    if match.kind == "style":
        return ""
    changes = [*_changes(match.pitch_shift_semitones, match.tempo_ratio)]
    changed = " and ".join(changes) if changes else "at its own pitch and tempo"
    if match.details.get("column") == PARTS:
        return "A part of it alone, or what is heard above the rest, at its own pitch and tempo."
    return f"{changed[0].upper()}{changed[1:]}{_over_it(match)}."


def _changes(semitones: float, tempo: float) -> list[str]:
    is_shifted, is_timed = abs(semitones) >= LEAST_SHIFT, abs(tempo - 1.0) >= LEAST_TEMPO_CHANGE
    of_tape = 12 * math.log2(tempo) if tempo > 0 else 0.0
    pitch = f"{abs(semitones):.2g} semitone{'' if abs(semitones) == 1 else 's'} {'up' if semitones > 0 else 'down'}"
    speed = f"{abs(tempo - 1.0):.0%} {'quicker' if tempo > 1 else 'slower'}".replace("%", " %")
    if is_shifted and is_timed and abs(of_tape - semitones) <= AS_A_TAPE_SEMITONES:
        return [f"played {speed}, as a tape would be, {pitch}"]
    return [*([pitch] if is_shifted else []), *([speed] if is_timed else [])]


def _over_it(match: Match) -> str:
    samples, spectra = (
        match.details.get("waveform_correlation"),
        match.details.get("spectrogram_correlation"),
    )
    if spectra is None:
        return ""
    if samples is not None and samples >= ALIKE:
        return ", sample by sample"
    if samples is not None and samples >= match.details["waveform_threshold"]:
        return ", with something over it: noise, other music or a codec"
    if spectra >= match.details["spectrogram_threshold"]:
        return "" if samples is None else ", and made anew: its spectrogram agrees and its samples do not"
    return (
        ", and what else was done to it can't be told: neither its samples nor its spectrogram agree enough"
    )


def judged(check: Check) -> list[dict[str, Any]]:
    """Return the newest word on each match of a check that somebody judged: what was known when it was decided."""
    newest = MatchJudgement.objects.filter(match__check_made=check).select_related("match").order_by("id")
    return [
        {
            "judgement": str(one.public_id),
            "kind": one.match.kind,
            "rank": one.match.rank,
            "answer": one.answer,
        }
        for one in {one.match_id: one for one in newest}.values()
    ]


def seen(match: Match) -> str:
    """Say in words what the pictures show: how far both agree, and what that is worth."""
    details = match.details
    told = []
    agrees = details.get("spectrogram_correlation")
    if agrees is not None:
        said = f"The two spectrograms agree by {agrees:.2f}, where 1 is the same picture"
        if details.get("elsewhere_mean") is not None:
            said += (
                f"; {details['n_elsewhere']} other places of the recording agree by "
                f"{details['elsewhere_mean']:.2f} on average and {details['elsewhere_most']:.2f} at most"
            )
        told.append(f"{said}.")
    drawn = path_of(match, query_s=match.check_made.seconds)
    if drawn and drawn.dots:
        find = "finds its" if drawn.n_on_line == 1 else "find their"
        told.append(
            f"Of {len(drawn.dots)} pieces of two seconds {drawn.n_on_line} {find} best place on the line, each looked "
            f"for by itself within a minute of it."
        )
    elif drawn:
        told.append("The line is drawn from its two ends.")
    return " ".join(told)

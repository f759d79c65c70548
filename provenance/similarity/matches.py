"""What recording likeness answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["no_match", "review", "blocked", "unverifiable"]

ITEMS = "items"
PART_OF_COLUMN = {"chroma": ITEMS, "bands": ITEMS}
"""Parts of a fingerprint that are searched together; any other column is a part of its own."""


@dataclass(frozen=True, slots=True)
class RecordingMatch:
    """One recording beside the query: found, or the nearest that there is.

    Attributes
    ----------
    key : str
        The recording, as the index names it.
    verdict : {"no_match", "review", "blocked"}
        What this match alone leads to.
    score : float
        In [0, 1], falling through the list of matches.
    query_start_s, query_end_s, reference_start_s, reference_end_s : float
        The matched stretch in both, in seconds.
    occurrences : tuple of float
        Seconds at which the reference holds the same stretch, in rising order; ``reference_start_s`` is one
        of them.
    tempo_ratio, pitch_shift_semitones : float
        How the query was changed: seconds of the reference that pass in one of the query, and by how much it
        is higher. 1.0 and 0.0 for a match by items, which are compared as they are.
    column : {"chroma", "bands", "peaks", "vectors", "brief", "levels", "parts"}
        The part of the fingerprint that found it.
    ber : float
        Share of bits that differ, or of the reference's peaks that meet none of the query, in [0, 1].
    margin : float
        How much better it agrees than the best recording that holds another sound: a difference of bit error
        rates in [-1, 1], or of standard deviations for peaks.
    contrast : float
        How much better it agrees at its place than elsewhere in the same recording: a difference of bit error
        rates or of shares, in [-1, 1].
    strength : float
        What speaks for it, in the unit of its part and without bound: what a calibration counts strangers by.
        Only strengths of one part are compared.
    p_value : float, optional
        How probable it is that a stranger of the query's length reaches as much anywhere in the index; None without
        a calibration.
    p_kind : {"empirical", "extrapolated"}, optional
        Whether so many strangers were measured that they were counted, or whether their tail was drawn on.
    """

    key: str
    verdict: Verdict
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    occurrences: tuple[float, ...]
    tempo_ratio: float
    pitch_shift_semitones: float
    column: str
    ber: float
    margin: float
    contrast: float
    strength: float
    p_value: float | None = None
    p_kind: str | None = None
    kind: Literal["recording"] = "recording"

    @property
    def part(self) -> str:
        """The part of the fingerprint that was searched: both columns of items are one."""
        return PART_OF_COLUMN.get(self.column, self.column)

    @property
    def accepted(self) -> bool:
        """Whether it is more than the nearest that there is."""
        return self.verdict in ("review", "blocked")


@dataclass(frozen=True, slots=True)
class RecordingCheck:
    """The answer for one query. ``unverifiable`` means that nothing could be compared.

    Attributes
    ----------
    matches : tuple of RecordingMatch
        In falling score.
    verdict : {"no_match", "review", "blocked", "unverifiable"}
    reasons : tuple of str
    best : mapping of str to float
        For each part that was searched, the highest strength over the whole index.
    """

    matches: tuple[RecordingMatch, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    best: Mapping[str, float] = field(default_factory=dict)

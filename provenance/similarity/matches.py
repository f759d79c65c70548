"""What recording likeness answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["no_match", "review", "blocked", "unverifiable"]


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
    column : {"chroma", "bands", "peaks"}
        The part of the fingerprint that found it.
    ber : float
        Share of bits that differ, or of the reference's peaks that meet none of the query, in [0, 1].
    margin : float
        How much better it agrees than the best recording that holds another sound: a difference of bit error
        rates in [-1, 1], or of standard deviations for peaks.
    contrast : float
        How much better it agrees at its place than elsewhere in the same recording: a difference of bit error
        rates or of shares, in [-1, 1].
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
    kind: Literal["recording"] = "recording"

    @property
    def accepted(self) -> bool:
        """Whether it is more than the nearest that there is."""
        return self.verdict in ("review", "blocked")


@dataclass(frozen=True, slots=True)
class RecordingCheck:
    """The answer for one query. ``unverifiable`` means that nothing could be compared."""

    matches: tuple[RecordingMatch, ...]
    verdict: Verdict
    reasons: tuple[str, ...]

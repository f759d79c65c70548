"""Whom an output resembles in style, as its page tells it: shares with their doubt, and what nobody has a share of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generation.models import Match

STYLE = "style"
ALIKE_NOBODY = 0.05  # share of the indexed recordings that stand no nearer to their own nearest


@dataclass(frozen=True)
class Share:
    """A share of the likeness; nine in ten draws of the output's excerpts lie between ``low`` and ``high``."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class ArtistShare(Share):
    """Of several recordings together: the interval is the widest that theirs allow."""

    artist: str
    n_recordings: int


@dataclass(frozen=True)
class NearRecording(Share):
    match: Match


@dataclass(frozen=True)
class Resemblance:
    nearest: Sequence[NearRecording]
    artists: Sequence[ArtistShare]
    others: float  # of recordings further away, or that whoever looks may not read
    nearness: float
    n_excerpts: int

    @property
    def is_alike(self) -> bool:
        return self.nearness >= ALIKE_NOBODY


def resemblance(matches: Iterable[Match]) -> Resemblance | None:
    """Read a check's matches of kind ``style``, as they were kept; None where there are none.

    Of several indexes each divides a whole among its own recordings: here each counts alike.
    """
    found = sorted((match for match in matches if match.kind == STYLE), key=lambda match: -match.score)
    if not found:
        return None
    n_indexes = len({match.details.get("dataset") for match in found})
    nearest = [NearRecording(*_share(match, n_indexes), match=match) for match in found]
    by_artist: dict[str, list[NearRecording]] = {}
    for one in nearest:
        if one.match.recording.artist:
            by_artist.setdefault(one.match.recording.artist, []).append(one)
    artists = [
        ArtistShare(
            share=sum(one.share for one in theirs),
            low=sum(one.low for one in theirs),
            high=min(1.0, sum(one.high for one in theirs)),
            artist=artist,
            n_recordings=len(theirs),
        )
        for artist, theirs in by_artist.items()
    ]
    return Resemblance(
        nearest=nearest,
        artists=sorted(artists, key=lambda one: (-one.share, one.artist)),
        others=max(0.0, 1.0 - sum(one.share for one in nearest)),
        nearness=max(match.details.get("nearness", 0.0) for match in found),
        n_excerpts=found[0].details.get("excerpts", 0),
    )


def _share(match: Match, n_indexes: int) -> tuple[float, float, float]:
    low, high = (match.details.get(name, usual) for name, usual in (("share_low", 0.0), ("share_high", 1.0)))
    return match.score / n_indexes, low / n_indexes, high / n_indexes

"""What a file says about itself before it is decoded."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["audio", "symbolic", "tracker"]


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file says about itself, before it is decoded.

    ``seconds`` is the container's claim; it is None where the container makes none.
    """

    kind: Kind
    codec: str
    sample_rate_hz: int
    n_channels: int
    seconds: float | None

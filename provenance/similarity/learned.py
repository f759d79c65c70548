"""A fingerprint that was learned: 64 numbers for each two seconds of sound, alike for copies of the same moment.

    fingerprint = LearnedFingerprint.load()
    reference = fingerprint.embed(levels)                            # [n_segments, 64], one each SEGMENT_HOP_S
    query = fingerprint.embed(levels, hop_s=SEGMENT_HOP_S / 2)       # denser, for a query
    for variant in fingerprint.embed_variants(levels, pitches=PITCHES, tempos=TEMPOS):
        variant.vectors @ reference.T                                # cosines; a copy lies on a diagonal

Mean cosines along a diagonal are what to compare, less ``PITCH_COST`` where a variant undoes a pitch. Of what found a
place, believe that which exceeds what the query's own segments find anywhere: a drone finds drones.

``levels`` are those of `provenance.similarity.levels`. Cosines are between vectors of one model alone: keep
`LearnedFingerprint.sha256` with whatever is stored. A segment of silence is a vector of zeros, alike to nothing.

The network sees a segment as a picture of frames by bands. It was taught that the same moment stays the same in noise,
under other music, through codecs and mel spectrograms, and with single parts alone; what it was taught on stands in
``weights/MODEL_CARD.md``. Another pitch or tempo is not its affair: those are undone on the levels before it looks
(`embed_variants`), in steps that are fine enough for it.

Sources: the contrastive training of Chang et al. 2021, "Neural Audio Fingerprint for High-Specific Audio Retrieval Based
on Contrastive Learning", arXiv 2010.11910; the loss of van den Oord et al. 2018, arXiv 1807.03748.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.levels import FLOOR_DB, FRAME_S, HOP_S, N_BANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

METHOD = "learned"
METHOD_VERSION = "1"
"""Vectors of two versions, or of two models, must never be compared."""

WEIGHTS = Path(__file__).parent / "weights" / "learned_1.safetensors"
WEIGHTS_SHA256 = "10ff94d696f9afb72cc92f98328d57fa1ffbc8cf770d9a885c5466c6fc208840"
"""Of the file at ``WEIGHTS``: other weights make other vectors, and the model card tells of these alone."""

N_DIMENSIONS = 64

LEVELS_A_FRAME = 2
"""Every second frame of the levels is looked at: one each 61.9 ms."""

SEGMENT_FRAMES = 32
SEGMENT_S = (SEGMENT_FRAMES - 1) * LEVELS_A_FRAME * HOP_S + FRAME_S
"""Seconds of sound that a vector looks at: 2.10. Shorter audio has none."""

SEGMENT_HOP_S = 16 * HOP_S
"""Seconds from one vector of a reference to the next: 0.495, four rows of `provenance.similarity.chromaprint`."""

PITCHES = tuple(step / 2 for step in range(-4, 5))
"""Semitones that `embed_variants` is meant to undo: one band apart, two semitones up and down."""

TEMPOS = (0.94, 1.0, 1.06)
"""Tempos likewise. The network itself bears 4 % on either side."""

PITCH_COST = 0.08
"""What to take from the mean cosine of a variant that undoes a pitch, before it is held against one that undoes none.

More guesses find more by chance: of 40 excerpts of 5 s under other music as loud, 23 exceeded every stranger before this
was taken, and 29 do with it. Those that were truly moved have mean cosines of 0.94 and above, strangers of 0.4 to 0.5."""

RANGE_DB = 60.0
"""What lies further below the loudest level of a segment is not looked at."""

QUIETEST_DB = -70.0
"""A segment whose loudest level, dB re a full-scale sine, lies below this is silent."""

N_CHANNELS = 3
_CONTRAST_BANDS = 21
_SEGMENTS_AT_ONCE = 256


class LearnedFingerprintError(Exception):
    """A network that cannot serve."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WeightsMissingError(LearnedFingerprintError):
    """There is no file of weights."""


class WeightsDamagedError(LearnedFingerprintError):
    """The weights are not those that they should be."""


class LibraryMissingError(LearnedFingerprintError):
    """PyTorch or safetensors is not installed."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The vectors of a query under one guess of what was done to it.

    Attributes
    ----------
    pitch : float
        Semitones by which the query is taken to be higher than the reference.
    tempo : float
        Seconds of the reference that a second of the query is taken to hold, > 0.
    vectors : np.ndarray [shape=(n_segments, N_DIMENSIONS), dtype=float16]
        One each ``hop_s`` seconds of the reference, so of every ``hop_s / tempo`` seconds of the query.
    """

    pitch: float
    tempo: float
    vectors: NDArray[np.float16]

    @property
    def cost(self) -> float:
        """What to take from its mean cosines: ``PITCH_COST``, or nothing where it undoes no pitch."""
        return PITCH_COST if self.pitch else 0.0


class LearnedFingerprint:
    """The network with its weights.

    Parameters
    ----------
    network : torch.nn.Module
        As `network` builds it, with weights; put into evaluation.
    sha256 : str
        Of its file of weights: the identity of every vector that it makes.
    """

    def __init__(self, network: torch.nn.Module, sha256: str) -> None:
        """Use `load`."""
        self._network = network.eval()
        self.sha256 = sha256

    @classmethod
    def load(cls, path: Path = WEIGHTS, *, sha256: str = WEIGHTS_SHA256) -> LearnedFingerprint:
        """Read the weights and verify every byte of them.

        Parameters
        ----------
        path : Path
        sha256 : str
            What the file must be, lower-case hex.

        Raises
        ------
        WeightsMissingError
            If there is no file.
        WeightsDamagedError
            If it is another file than it should be.
        LibraryMissingError
            If PyTorch or safetensors is not installed.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise WeightsMissingError(f"the weights {path.name} are missing: install them anew") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise WeightsDamagedError(
                f"the weights {path.name} are damaged: their SHA-256 is {found}, not {sha256}; install them anew"
            )
        built = network()
        try:
            from safetensors.torch import load
        except ImportError as error:
            raise _library_missing() from error
        built.load_state_dict(load(content))
        return cls(built, found)

    def embed(
        self, levels: NDArray[np.float16] | NDArray[np.float32], *, hop_s: float = SEGMENT_HOP_S
    ) -> NDArray[np.float16]:
        """Make the vectors of a recording.

        Parameters
        ----------
        levels : np.ndarray [shape=(n_frames, N_BANDS)]
            dB re a full-scale sine, a frame each ``HOP_S`` seconds.
        hop_s : float
            From one segment to the next, > 0; rounded to whole frames of ``LEVELS_A_FRAME * HOP_S``.

        Returns
        -------
        np.ndarray [shape=(n_segments, N_DIMENSIONS), dtype=float16]
            Of unit length; zeros where it is silent. None for less than ``SEGMENT_S`` seconds.
        """
        return self._embed(np.asarray(levels, dtype=np.float32)[::LEVELS_A_FRAME], hop_s)

    def embed_variants(
        self,
        levels: NDArray[np.float16] | NDArray[np.float32],
        *,
        pitches: Sequence[float] = PITCHES,
        tempos: Sequence[float] = TEMPOS,
        hop_s: float = SEGMENT_HOP_S,
    ) -> Iterator[Variant]:
        """Make the vectors of a query as if it had been changed in pitch and tempo, and that were undone.

        Parameters
        ----------
        levels : np.ndarray [shape=(n_frames, N_BANDS)]
            As for `embed`.
        pitches : sequence of float
            Semitones; multiples of half of one, for these are whole bands.
        tempos : sequence of float
            Seconds of the reference to a second of the query, > 0.
        hop_s : float
            As for `embed`.

        Yields
        ------
        Variant
            One for each tempo and pitch, the pitches of a tempo together.

        Raises
        ------
        ValueError
            If a pitch is no whole number of bands.
        """
        taken = np.asarray(levels, dtype=np.float32)
        for tempo in tempos:
            stretched = retimed(taken, tempo)[::LEVELS_A_FRAME]
            for pitch in pitches:
                yield Variant(pitch, tempo, self._embed(repitched(stretched, pitch), hop_s))

    def _embed(self, frames: NDArray[np.float32], hop_s: float) -> NDArray[np.float16]:
        import torch

        hop = max(1, round(hop_s / (LEVELS_A_FRAME * HOP_S)))
        if len(frames) < SEGMENT_FRAMES:
            return np.zeros((0, N_DIMENSIONS), dtype=np.float16)
        windows = np.lib.stride_tricks.sliding_window_view(frames, SEGMENT_FRAMES, axis=0)[::hop]
        vectors = []
        with torch.inference_mode():
            for first in range(0, len(windows), _SEGMENTS_AT_ONCE):
                here = windows[first : first + _SEGMENTS_AT_ONCE].transpose(0, 2, 1)
                segments = torch.from_numpy(np.ascontiguousarray(here))
                made = unit(self._network(pictures(segments)))
                audible = segments.amax(dim=(1, 2)) >= QUIETEST_DB
                vectors.append((made * audible[:, None]).numpy().astype(np.float16))
        return np.concatenate(vectors)


def repitched(levels: NDArray[np.float32], pitch: float) -> NDArray[np.float32]:
    """Undo a shift of ``pitch`` semitones: whole bands, with silence where nothing was heard.

    Raises
    ------
    ValueError
        If ``pitch`` is no multiple of half a semitone.
    """
    bands = round(2 * pitch)
    if abs(2 * pitch - bands) > 1e-6:
        raise ValueError(f"{pitch} semitones is no whole number of bands: take multiples of 0.5")
    moved = np.full_like(levels, FLOOR_DB)
    if bands >= 0:
        moved[:, : N_BANDS - bands] = levels[:, bands:]
    else:
        moved[:, -bands:] = levels[:, :bands]
    return moved


def retimed(levels: NDArray[np.float32], tempo: float) -> NDArray[np.float32]:
    """Undo a tempo: frames as far apart in the reference as they were in the query."""
    if tempo == 1.0 or len(levels) < 2:
        return levels
    places = np.arange(int((len(levels) - 1) * tempo) + 1) / tempo
    before = np.minimum(places.astype(np.int64), len(levels) - 2)
    share = (places - before).astype(np.float32)[:, None]
    stretched: NDArray[np.float32] = levels[before] * (1 - share) + levels[before + 1] * share
    return stretched


def network() -> torch.nn.Module:
    """Build the network, without weights: 1.0 million parameters, 8.1 million multiplications a segment.

    Takes what `pictures` makes; gives vectors [shape=(n_segments, N_DIMENSIONS)] that `unit` is to be put over.

    Raises
    ------
    LibraryMissingError
        If PyTorch is not installed.
    """
    try:
        from torch import nn
    except ImportError as error:
        raise _library_missing() from error

    def halved(n_in: int, n_out: int, width: int) -> list[nn.Module]:
        return [
            nn.Conv2d(n_in, n_out, width, stride=2, padding=width // 2, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *halved(N_CHANNELS, 16, 5),
        *halved(16, 40, 3),
        *halved(40, 96, 3),
        *halved(96, 192, 3),
        nn.Flatten(),
        nn.Linear(192 * 2 * 8, 256),
        nn.ReLU(),
        nn.Linear(256, N_DIMENSIONS),
    )


def pictures(segments: torch.Tensor) -> torch.Tensor:
    """Make what the network looks at.

    Parameters
    ----------
    segments : torch.Tensor [shape=(n, SEGMENT_FRAMES, N_BANDS), dtype=float32]
        Levels in dB.

    Returns
    -------
    torch.Tensor [shape=(n, N_CHANNELS, SEGMENT_FRAMES, N_BANDS)]
        The levels from the loudest one down; how they stand out of the bands around; how they stand out of the
        same band at other moments.
    """
    import torch
    from torch.nn import functional

    loudest = segments.amax(dim=(1, 2), keepdim=True)
    levels = (segments - loudest).clamp_min(-RANGE_DB)
    around = functional.avg_pool2d(
        levels[:, None],
        (1, _CONTRAST_BANDS),
        stride=1,
        padding=(0, _CONTRAST_BANDS // 2),
        count_include_pad=False,
    )[:, 0]
    balanced = levels - levels.mean(dim=(1, 2), keepdim=True)
    return torch.stack(
        [balanced / 20.0, (levels - around) / 10.0, (levels - levels.mean(dim=1, keepdim=True)) / 10.0], dim=1
    )


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Bring vectors to unit length."""
    from torch.nn import functional

    return functional.normalize(vectors.float(), dim=1)


def _library_missing() -> Any:
    return LibraryMissingError(
        "the learned fingerprint needs PyTorch and safetensors: install liner-notes[ml]"
    )

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
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.levels import FLOOR_DB, FRAME_S, HOP_S, N_BANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
CONTRAST_BANDS = 21
"""Bands around each, itself among them, out of which a level stands."""

_WIDE, _NARROW = 13, 15
_LEFT = (2, 8)
"""Height and width of what four convolutions leave of a segment."""

_NORMALISED_ABOVE = 1e-5
_SEGMENTS_AT_ONCE = 64


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
    """The library safetensors is not installed."""


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
    """The network with its weights, in NumPy: whoever fingerprints needs no PyTorch.

    Four convolutions of stride 2, each normalised (which is folded into its weights) and rectified, and two layers
    over all that is left; 1.0 million parameters, 8.1 million multiplications a segment. Its form is that of
    `benchmarks.fingerprint_network`, which trains it.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
        As the training saves them.
    sha256 : str
        Of their file: the identity of every vector that they make.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], sha256: str) -> None:
        """Use `load`."""
        self._convolutions = [_convolution(weights, 3 * number) for number in range(4)]
        self._dense = [
            (np.ascontiguousarray(_over_channels_last(weights[f"{n}.weight"], n).T), weights[f"{n}.bias"])
            for n in (_WIDE, _NARROW)
        ]
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
            If safetensors is not installed.
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
        try:
            from safetensors.numpy import load
        except ImportError as error:
            raise LibraryMissingError("safetensors is not installed: install liner-notes[ml]") from error
        return cls(load(content), found)

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
        hop = max(1, round(hop_s / (LEVELS_A_FRAME * HOP_S)))
        if len(frames) < SEGMENT_FRAMES:
            return np.zeros((0, N_DIMENSIONS), dtype=np.float16)
        windows = np.lib.stride_tricks.sliding_window_view(frames, SEGMENT_FRAMES, axis=0)[::hop]
        vectors = []
        for first in range(0, len(windows), _SEGMENTS_AT_ONCE):
            segments = np.ascontiguousarray(windows[first : first + _SEGMENTS_AT_ONCE].transpose(0, 2, 1))
            audible = segments.max(axis=(1, 2)) >= QUIETEST_DB
            vectors.append((self._seen(pictures(segments)) * audible[:, None]).astype(np.float16))
        return np.concatenate(vectors)

    def _seen(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of unit length from what `pictures` makes."""
        for kernel, bias, width in self._convolutions:
            seen = _convolved(seen, kernel, bias, width)
        hidden = np.maximum(seen.reshape(len(seen), -1) @ self._dense[0][0] + self._dense[0][1], 0.0)
        made = hidden @ self._dense[1][0] + self._dense[1][1]
        made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
        return np.asarray(made, dtype=np.float32)


def _convolution(
    weights: Mapping[str, NDArray[np.float32]], number: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """A convolution with its normalisation folded in: kernel [width * width * n_in, n_out], bias, width."""
    normal = {
        name: weights[f"{number + 1}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
    }
    scale = normal["weight"] / np.sqrt(normal["running_var"] + _NORMALISED_ABOVE)
    kernel = weights[f"{number}.weight"] * scale[:, None, None, None]
    n_out, _, width, _ = kernel.shape
    rows = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)).reshape(-1, n_out)
    return rows, normal["bias"] - normal["running_mean"] * scale, width


def _over_channels_last(weight: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """Columns of the first dense layer in the order in which pictures lie here: channels last."""
    if number != _WIDE:
        return weight
    n_out = len(weight)
    return weight.reshape(n_out, -1, *_LEFT).transpose(0, 2, 3, 1).reshape(n_out, -1)


def _convolved(
    seen: NDArray[np.float32], kernel: NDArray[np.float32], bias: NDArray[np.float32], width: int
) -> NDArray[np.float32]:
    """One convolution of stride 2 over pictures [shape=(n, height, width, n_in)], rectified."""
    edge = width // 2
    padded = np.pad(seen, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (width, width), axis=(1, 2))[:, ::2, ::2]
    n, height, across = windows.shape[:3]
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * height * across, -1)
    made = rows @ kernel
    made += bias
    np.maximum(made, 0.0, out=made)
    return made.reshape(n, height, across, -1)


def pictures(segments: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make what the network looks at.

    Parameters
    ----------
    segments : np.ndarray [shape=(n, SEGMENT_FRAMES, N_BANDS), dtype=float32]
        Levels in dB.

    Returns
    -------
    np.ndarray [shape=(n, SEGMENT_FRAMES, N_BANDS, N_CHANNELS), dtype=float32]
        The levels from the loudest one down; how they stand out of the bands around; how they stand out of the
        same band at other moments.
    """
    levels = np.maximum(segments - segments.max(axis=(1, 2), keepdims=True), -RANGE_DB)
    reach = CONTRAST_BANDS // 2
    sums = np.cumsum(levels, axis=2, dtype=np.float64)
    sums = np.concatenate([np.zeros_like(sums[:, :, :1]), sums], axis=2)
    first = np.maximum(0, np.arange(N_BANDS) - reach)
    last = np.minimum(N_BANDS, np.arange(N_BANDS) + reach + 1)
    around = ((sums[:, :, last] - sums[:, :, first]) / (last - first)).astype(np.float32)
    balanced = levels - levels.mean(axis=(1, 2), keepdims=True)
    return np.stack(
        [balanced / 20.0, (levels - around) / 10.0, (levels - levels.mean(axis=1, keepdims=True)) / 10.0],
        axis=3,
    )


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

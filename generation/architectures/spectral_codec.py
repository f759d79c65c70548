"""Sound as codes: short-time magnitudes, product-quantised band by band, and back.

Each step is one frame of compressed magnitudes, cut into bands; each band is projected on its principal components
and named by the nearest of its centroids (k-means). Phase is thrown away and found again by the accelerated
Griffin-Lim algorithm (Perraudin et al. 2013, doi:10.1109/WASPAA.2013.6701851).

With as many centroids as there are distinct steps such a code holds recordings all but exactly; with fewer it
blurs them. How far is measured in ``docs/architectures.md``: it bounds what a model over these codes can copy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch

SAMPLE_RATE_HZ = 16_000
N_FFT = 4096
HOP = 1024
"""256 ms windows every 64 ms: semitones are told apart from 65 Hz up and 75 % overlap lets phases be found; attacks
smear. Windows of 128 ms keep attacks, and raised the bit error rate of replayed recordings from 0.03 to 0.06."""

STEP_S = HOP / SAMPLE_RATE_HZ

EXPONENT = 0.6
"""Magnitudes are quantised as their 0.6th power, near loudness. Of 0.3, 0.5, 0.6, 0.7 and logarithms with five
floors, 0.6 and 0.7 kept fingerprints best at equal codebooks; logarithms spend codes on what nobody hears."""

BAND_EDGES_HZ = (0.0, 150.0, 300.0, 500.0, 800.0, 1300.0, 2200.0, 3800.0, 8000.0)
"""Narrow where fingerprints and ears look for pitch, wide above."""

LEVEL = 0.1
"""Root mean square that every recording is brought to (−20 dB re full scale), so that codes tell timbre, not gain."""

SILENCE = 1e-4
"""Recordings below this root mean square (−80 dB) are silence, and not brought to any level."""

N_COMPONENTS = 24
N_ITERATIONS = 12
GRIFFIN_LIM_ITERATIONS = 32
MOMENTUM = 0.99

Magnitudes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Band:
    """One band's quantiser.

    Attributes
    ----------
    first, last : int
        Bins [first, last).
    mean : np.ndarray [shape=(n_bins,)]
        Of the training steps.
    basis : np.ndarray [shape=(n_components, n_bins)]
        Principal components.
    centroids : np.ndarray [shape=(n_codes, n_components)]
        Codebook, in the components' coordinates.
    """

    first: int
    last: int
    mean: Magnitudes
    basis: Magnitudes
    centroids: Magnitudes


@dataclass(frozen=True)
class SpectralCodec:
    """A fitted codec.

    Attributes
    ----------
    bands : tuple of Band
        From low to high.
    """

    bands: tuple[Band, ...]

    @property
    def vocabulary(self) -> tuple[int, ...]:
        """Number of codes of each band."""
        return tuple(len(band.centroids) for band in self.bands)

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
        """Write sound as codes.

        Parameters
        ----------
        samples : np.ndarray [shape=(n_samples,), dtype=float32]
            Mono at ``SAMPLE_RATE_HZ``.

        Returns
        -------
        np.ndarray [shape=(n_steps, n_bands), dtype=int16]
            A step every ``STEP_S``; sound shorter than one window gives none.
        """
        return self.encode_magnitudes(compressed_magnitudes(samples))

    def encode_magnitudes(self, magnitudes: Magnitudes) -> npt.NDArray[np.int16]:
        """Write compressed magnitudes [shape=(n_steps, n_bins)] as codes."""
        codes = np.zeros((len(magnitudes), len(self.bands)), dtype=np.int16)
        for i, band in enumerate(self.bands):
            codes[:, i] = nearest(_coordinates(magnitudes, band), band.centroids)
        return codes

    def decode(self, codes: npt.NDArray[np.integer[Any]], *, seed: int) -> npt.NDArray[np.float32]:
        """Sound codes.

        Parameters
        ----------
        codes : np.ndarray [shape=(n_steps, n_bands)]
            As ``encode`` wrote them.
        seed : int
            Of the phases that the search starts from.

        Returns
        -------
        np.ndarray [shape=(n_steps * HOP,), dtype=float32]
            Mono at ``SAMPLE_RATE_HZ``; peaks beyond full scale are clipped.
        """
        compressed = np.zeros((len(codes), N_FFT // 2 + 1), dtype=np.float32)
        for i, band in enumerate(self.bands):
            compressed[:, band.first : band.last] = band.centroids[codes[:, i]] @ band.basis + band.mean
        magnitudes = np.maximum(compressed, 0.0) ** (1.0 / EXPONENT)
        return np.clip(griffin_lim(magnitudes, seed=seed), -1.0, 1.0)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as arrays with names that begin with ``codec.``."""
        stored: dict[str, npt.NDArray[Any]] = {}
        for i, band in enumerate(self.bands):
            stored[f"codec.{i}.bins"] = np.array([band.first, band.last], dtype=np.int64)
            stored[f"codec.{i}.mean"] = band.mean
            stored[f"codec.{i}.basis"] = band.basis
            stored[f"codec.{i}.centroids"] = band.centroids
        return stored

    @classmethod
    def from_tensors(cls, stored: Mapping[str, npt.NDArray[Any]]) -> SpectralCodec:
        """Make a codec from stored arrays.

        Parameters
        ----------
        stored : dict of str to np.ndarray
            As ``tensors`` gave them; other names are passed over.

        Returns
        -------
        SpectralCodec
            The codec.

        Raises
        ------
        ValueError
            If an array is missing or does not fit the others.
        """
        bands: list[Band] = []
        while f"codec.{len(bands)}.bins" in stored:
            prefix = f"codec.{len(bands)}."
            try:
                bins, mean, basis, centroids = (
                    stored[prefix + name] for name in ("bins", "mean", "basis", "centroids")
                )
            except KeyError as error:
                raise ValueError(f"the checkpoint has no {error.args[0]}") from error
            first, last = (int(edge) for edge in bins)
            n_bins = last - first
            fits = 0 <= first < last <= N_FFT // 2 + 1 and mean.shape == (n_bins,)
            if not fits or basis.shape[1:] != (n_bins,) or centroids.shape[1:] != basis.shape[:1]:
                raise ValueError(f"the arrays under {prefix} do not fit together")
            bands.append(Band(first, last, mean, basis, centroids))
        if not bands:
            raise ValueError("the checkpoint holds no codec")
        return cls(tuple(bands))


def fit_codec(magnitudes: Magnitudes, *, n_codes: int, seed: int) -> SpectralCodec:
    """Learn bands, components and codebooks.

    Parameters
    ----------
    magnitudes : np.ndarray [shape=(n_steps, n_bins), dtype=float32]
        Compressed magnitudes of the training recordings, not of held-out ones.
    n_codes : int
        Codes a band, at most; there are never more than steps.
    seed : int
        Of the first centroids.

    Returns
    -------
    SpectralCodec
        Fitted.
    """
    generator = np.random.default_rng(seed)
    edges = np.round(np.array(BAND_EDGES_HZ) * N_FFT / SAMPLE_RATE_HZ).astype(int)
    edges[-1] = N_FFT // 2 + 1
    bands = []
    for first, last in itertools.pairwise(edges):
        vectors = magnitudes[:, first:last]
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        basis = _principal_axes(centred, N_COMPONENTS)
        centroids = k_means(centred @ basis.T, n_codes, generator)
        bands.append(Band(int(first), int(last), mean.astype(np.float32), basis, centroids))
    return SpectralCodec(tuple(bands))


def _principal_axes(centred: Magnitudes, n_axes: int) -> Magnitudes:
    n_values = centred.shape[1]
    last = (max(0, n_values - n_axes), n_values - 1)
    _, axes = scipy.linalg.eigh((centred.T @ centred).astype(np.float64), subset_by_index=last)
    return np.ascontiguousarray(axes.T[::-1], dtype=np.float32)


def compressed_magnitudes(samples: npt.NDArray[np.float32]) -> Magnitudes:
    """Measure what the codec codes.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,), dtype=float32]
        Mono at ``SAMPLE_RATE_HZ``, at any level but silence.

    Returns
    -------
    np.ndarray [shape=(n_steps, n_bins), dtype=float32]
        Magnitudes to the power ``EXPONENT``, of the sound brought to ``LEVEL``; what does not fill a hop is cut,
        and sound shorter than a window gives no steps.
    """
    if len(samples) < N_FFT:
        return np.zeros((0, N_FFT // 2 + 1), dtype=np.float32)
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    levelled = samples * np.float32(LEVEL / level) if level >= SILENCE else samples
    compressed = _stft(torch.from_numpy(np.ascontiguousarray(levelled))).abs().pow(EXPONENT).T
    return compressed[: len(samples) // HOP].contiguous().numpy()


def _window() -> torch.Tensor:
    return torch.hann_window(N_FFT)


def _stft(samples: torch.Tensor) -> torch.Tensor:
    return torch.stft(samples, N_FFT, HOP, window=_window(), center=True, return_complex=True)


def griffin_lim(magnitudes: npt.NDArray[np.floating[Any]], *, seed: int) -> npt.NDArray[np.float32]:
    """Find sound whose short-time spectrum has these magnitudes, nearly.

    Parameters
    ----------
    magnitudes : np.ndarray [shape=(n_frames, n_bins)]
        Linear.
    seed : int
        Of the first phases.

    Returns
    -------
    np.ndarray [shape=(n_frames * HOP,), dtype=float32]
        The same seed gives the same samples.
    """
    wanted = torch.from_numpy(np.ascontiguousarray(magnitudes.T, dtype=np.float32))
    length = wanted.shape[1] * HOP
    # One frame more, so that the last hop is covered by windows on both sides.
    wanted = torch.cat([wanted, wanted[:, -1:]], dim=1)
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(wanted.shape, generator=generator)
    phases = torch.polar(torch.ones_like(angle), angle)
    window, previous = _window(), torch.zeros_like(phases)
    for _ in range(GRIFFIN_LIM_ITERATIONS):
        sound = torch.istft(wanted * phases, N_FFT, HOP, window=window, length=length)
        rebuilt = _stft(sound)
        faster = rebuilt + MOMENTUM * (rebuilt - previous)
        phases = faster / faster.abs().clamp_min(1e-9)
        previous = rebuilt
    sound = torch.istft(wanted * phases, N_FFT, HOP, window=window, length=length)
    return sound.numpy()


def k_means(
    vectors: npt.NDArray[np.floating[Any]], n_centroids: int, generator: np.random.Generator
) -> Magnitudes:
    """Cluster vectors (Lloyd's algorithm from distinct vectors drawn at random).

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, d)]
        What to cluster, n >= 1.
    n_centroids : int
        How many clusters; as many as there are distinct vectors, if these are fewer.
    generator : np.random.Generator
        Draws the first centroids, and new ones for clusters that lost all their vectors.

    Returns
    -------
    np.ndarray [shape=(n_centroids, d), dtype=float32]
        Centroids.
    """
    points = np.ascontiguousarray(vectors, dtype=np.float32)
    distinct = np.unique(points, axis=0)
    if len(distinct) <= n_centroids:
        return distinct
    centroids = distinct[np.sort(generator.choice(len(distinct), n_centroids, replace=False))]
    for _ in range(N_ITERATIONS):
        members = nearest(points, centroids)
        counts = np.bincount(members, minlength=n_centroids)
        order = np.argsort(members, kind="stable")
        filled = counts > 0
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        sums = np.add.reduceat(points[order], starts[filled], axis=0)
        centroids[filled] = sums / counts[filled][:, None]
        n_empty = int((~filled).sum())
        if n_empty:
            centroids[~filled] = points[generator.choice(len(points), n_empty, replace=False)]
    return centroids


def nearest(points: npt.NDArray[np.floating[Any]], centroids: Magnitudes) -> npt.NDArray[np.int64]:
    """Index of the nearest centroid of each point (Euclidean; ties to the first)."""
    lengths = (centroids**2).sum(axis=1)
    found = [
        (lengths - 2.0 * points[first : first + 4096] @ centroids.T).argmin(axis=1)
        for first in range(0, len(points), 4096)
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _coordinates(magnitudes: Magnitudes, band: Band) -> npt.NDArray[np.floating[Any]]:
    vectors = magnitudes[:, band.first : band.last]
    coordinates: npt.NDArray[np.floating[Any]] = (vectors - band.mean) @ band.basis.T
    return coordinates

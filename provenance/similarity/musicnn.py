"""Two hundred numbers for three seconds of music, from musicnn: a network that was taught to name what music sounds like.

    embedder = Musicnn.load()                       # of the installed package
    embedder.embed(excerpts)                        # [n, 200]; NaN where an excerpt is silent

The numbers are those before the last layer, which names 50 tags (guitar, fast, ambient …): music for which the same tags
were given lies close together. The weights come with the package ``musicnn`` (ISC licence), which ``make install``
fetches; none of its code runs, for it needs TensorFlow. Its checkpoint is read here and its network is built in PyTorch,
and it gives the same tags as TensorFlow does, to 2e-6 (``tests/provenance/test_similarity_musicnn.py``).

One thing differs on purpose. The package rounds the spectrogram to 16-bit floats before it multiplies by 10,000, so that
whatever is louder than 6.55 becomes infinite, and loud music is full of it. Here it is computed in 32 bits.

Sources: Pons and Serra 2019, "musicnn: Pre-trained convolutional neural networks for music audio tagging",
arXiv 1909.06654; musicnn 0.1.0, ``models.py`` and ``extractor.py``; Slaney 1998, Auditory Toolbox, for the mel scale.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.checkpoints import CheckpointError, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from provenance.similarity.excerpts import Excerpts

MODEL = "MTT_musicnn"
"""Which of the package's networks: taught on MagnaTagATune, 26,000 clips of 230 artists."""

TABLE_SHA256 = "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57"
SHARD_SHA256 = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"
"""Of the two files that hold the weights: others are not used."""

RATE_HZ = 16_000
FFT_SAMPLES = 512
HOP_SAMPLES = 256
N_MELS = 96
PATCH_FRAMES = 187
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP_SAMPLES + FFT_SAMPLES
N_DIMENSIONS = 200
N_TAGS = 50

QUIETEST_DB = -60.0
"""An excerpt whose peak stays below this, dB re full scale, is silent."""

_EPSILON = 1e-3
_PATCHES_AT_ONCE = 1  # more at once outgrow the caches: sixteen take three times as long each


class MusicnnError(Exception):
    """A network that can't serve; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PackageMissingError(MusicnnError):
    """The package with the weights, or a library that runs them, is not installed."""


class PackageDamagedError(MusicnnError):
    """The weights are not those that they should be."""


class Musicnn:
    """The network with its weights.

    Parameters
    ----------
    network : torch.nn.Module
        As `network` builds it, with weights; put into evaluation.
    sha256 : str
        Identity of the weights, and so of every vector.

    Attributes
    ----------
    centre, spread : np.ndarray [shape=(N_DIMENSIONS,), dtype=float32]
        Mean and deviation of each number over what the network was taught on: its last normalisation sets them.
    """

    name = "musicnn"

    def __init__(self, network: torch.nn.Module, sha256: str) -> None:
        """Use `load`."""
        self._network = network.eval()
        self.sha256 = sha256
        last: Any = network.get_submodule("last")
        self.centre: NDArray[np.float32] = last.bias.detach().numpy().copy()
        self.spread: NDArray[np.float32] = np.abs(last.weight.detach().numpy())

    @classmethod
    def load(cls, folder: Path | None = None) -> Musicnn:
        """Read the weights and verify every byte of them.

        Parameters
        ----------
        folder : Path, optional
            Of the installed package, found without importing it by default.

        Raises
        ------
        PackageMissingError
            If the package, or PyTorch, is not installed.
        PackageDamagedError
            If it holds other weights.
        """
        table, shard = _files(package_folder() if folder is None else folder)
        try:
            arrays = read_checkpoint(table, shard, wanted=_is_of_network)
        except CheckpointError as error:
            raise PackageDamagedError(error.reason) from error
        built = network()
        built.load_state_dict(state_of(arrays))
        return cls(built, SHARD_SHA256)

    def embed(self, excerpts: Excerpts) -> NDArray[np.float32]:
        """Make the vectors of a sound's excerpts.

        Returns
        -------
        np.ndarray [shape=(n_excerpts, N_DIMENSIONS), dtype=float32]
            NaN where an excerpt is silent.
        """
        return self._outputs(excerpts)[0]

    def tags(self, excerpts: Excerpts) -> NDArray[np.float32]:
        """How likely each of the 50 tags is [shape=(n_excerpts, N_TAGS), range [0, 1]]; NaN where it is silent."""
        return self._outputs(excerpts)[1]

    def _outputs(self, excerpts: Excerpts) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import torch

        vectors = np.full((len(excerpts), N_DIMENSIONS), np.nan, dtype=np.float32)
        tags = np.full((len(excerpts), N_TAGS), np.nan, dtype=np.float32)
        heard = [n for n, one in enumerate(excerpts.samples) if not is_silent(one)]
        with torch.inference_mode():
            for first in range(0, len(heard), _PATCHES_AT_ONCE):
                here = heard[first : first + _PATCHES_AT_ONCE]
                patches = np.stack(
                    [patch_of(excerpts.samples[n], sample_rate_hz=excerpts.sample_rate_hz) for n in here]
                )
                made, logits = self._network(torch.from_numpy(patches))
                vectors[here] = made.numpy()
                tags[here] = torch.sigmoid(logits).numpy()
        return vectors, tags


@cache
def problem() -> str:
    """Say why the weights can't serve, the package missing or damaged; nothing where they can. Read once a process."""
    try:
        _files(package_folder())
    except MusicnnError as error:
        return error.reason
    return ""


def is_silent(samples: NDArray[np.int16]) -> bool:
    """Whether the peak of an excerpt stays below ``QUIETEST_DB``."""
    loudest = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return loudest <= 10 ** (QUIETEST_DB / 20) * 32768.0


def package_folder() -> Path | None:
    """Return where the package with the weights is installed; None where it is not. Nothing of it is imported."""
    found = find_spec("musicnn")
    return Path(found.origin).parent if found is not None and found.origin else None


def patch_of(samples: NDArray[np.int16], *, sample_rate_hz: int) -> NDArray[np.float32]:
    """Make what the network looks at.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,), dtype=int16]
        At least one; what is shorter than a patch is repeated until it fills one, as it was when it was taught.
    sample_rate_hz : int
        Their rate.

    Returns
    -------
    np.ndarray [shape=(PATCH_FRAMES, N_MELS), dtype=float32]
        Logarithm, to base ten, of 1 + 10,000 times the power in each mel band.
    """
    import soxr

    sound = soxr.resample(samples.astype(np.float32) / np.float32(32768.0), sample_rate_hz, RATE_HZ)
    if len(sound) < PATCH_SAMPLES:
        sound = np.resize(sound if len(sound) else np.zeros(1, np.float32), PATCH_SAMPLES)
    first = (len(sound) - PATCH_SAMPLES) // 2
    return log_mel(sound[first : first + PATCH_SAMPLES])


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spectrogram of 16 kHz samples [shape=(n_frames, N_MELS)], frames that lie wholly inside ``sound``."""
    import scipy.fft

    frames = np.lib.stride_tricks.sliding_window_view(sound, FFT_SAMPLES)[::HOP_SAMPLES]
    window = np.hanning(FFT_SAMPLES + 1)[:-1].astype(np.float32)
    spectra = scipy.fft.rfft(frames * window, axis=1)
    powers = np.square(spectra.real) + np.square(spectra.imag)
    bands: NDArray[np.float32] = np.log10(1.0 + 10_000.0 * (powers @ _mel_filters())).astype(np.float32)
    return bands


@cache
def _mel_filters() -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale, linear below 1 kHz [shape=(n_bins, N_MELS)]."""
    linear_hz, log_step = 200.0 / 3, np.log(6.4) / 27
    highest = 15.0 + np.log(RATE_HZ / 2 / 1_000.0) / log_step
    mels = np.linspace(0.0, highest, N_MELS + 2)
    corners = np.where(mels < 15.0, mels * linear_hz, 1_000.0 * np.exp(log_step * (mels - 15.0)))
    bins = np.fft.rfftfreq(FFT_SAMPLES, 1 / RATE_HZ)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    areas = 2.0 / (corners[2:] - corners[:-2])
    filters: NDArray[np.float32] = (np.maximum(0, np.minimum(rising, falling)) * areas).astype(np.float32)
    return filters


def network() -> torch.nn.Module:
    """Build the network, without weights: 0.8 million parameters, 1.4 billion multiplications a patch.

    Takes patches [shape=(n, PATCH_FRAMES, N_MELS)]; gives vectors [shape=(n, N_DIMENSIONS)] and the logits of tags
    [shape=(n, N_TAGS)].

    Raises
    ------
    PackageMissingError
        If PyTorch is not installed.
    """
    try:
        import torch
        from torch import nn
        from torch.nn import functional
    except ImportError as error:
        raise PackageMissingError("style needs PyTorch: install liner-notes[ml]") from error

    class Musical(nn.Module):
        """Filters as tall as timbres or as long as beats, then three layers over time, then pooling."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.BatchNorm2d(1, eps=_EPSILON)
            self.fronts = nn.ModuleList([nn.Conv2d(1, n, shape) for n, shape in _FRONTS])
            self.front_norms = nn.ModuleList([nn.BatchNorm2d(n, eps=_EPSILON) for n, _ in _FRONTS])
            widths = (sum(n for n, _ in _FRONTS), 64, 64)
            self.middles = nn.ModuleList([nn.Conv1d(n, 64, 7, padding=3) for n in widths])
            self.middle_norms = nn.ModuleList([nn.BatchNorm1d(64, eps=_EPSILON) for _ in widths])
            n_pooled = 2 * (widths[0] + 3 * 64)
            self.pooled = nn.BatchNorm1d(n_pooled, eps=_EPSILON)
            self.dense = nn.Linear(n_pooled, N_DIMENSIONS)
            self.last = nn.BatchNorm1d(N_DIMENSIONS, eps=_EPSILON)
            self.naming = nn.Linear(N_DIMENSIONS, N_TAGS)

        def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            picture = self.first(patches[:, None])
            heard = []
            for (_, (n_frames, _)), front, norm in zip(_FRONTS, self.fronts, self.front_norms, strict=True):
                around = functional.pad(picture, (0, 0, (n_frames - 1) // 2, n_frames // 2))
                heard.append(norm(functional.relu(front(around))).amax(dim=3))
            layers = [torch.cat(heard, dim=1)]
            for depth, (middle, norm) in enumerate(zip(self.middles, self.middle_norms, strict=True)):
                made = norm(functional.relu(middle(layers[-1])))
                layers.append(made + layers[-1] if depth else made)
            features = torch.cat(layers, dim=1)
            pooled = torch.stack([features.amax(dim=2), features.mean(dim=2)], dim=2).flatten(1)
            vectors = self.last(functional.relu(self.dense(self.pooled(pooled))))
            return vectors, self.naming(vectors)

    return Musical()


_FRONTS = ((204, (7, 38)), (204, (7, 67)), (51, (128, 1)), (51, (64, 1)), (51, (32, 1)))
"""Filters of the first layer, each with its frames and its bands."""

_CONVOLUTIONS = (*(f"fronts.{n}" for n in range(5)), *(f"middles.{n}" for n in range(3)))
_NORMS = (
    "first",
    *(f"front_norms.{n}" for n in range(5)),
    *(f"middle_norms.{n}" for n in range(3)),
    "pooled",
    "last",
)
_NORM_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _is_of_network(name: str) -> bool:
    return "Adam" not in name and name.split("/")[-1] in {"kernel", "bias", *_NORM_PARTS.values()}


def state_of(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    """Name the checkpoint's arrays as `network` does, in the order of axes that PyTorch has.

    Raises
    ------
    PackageDamagedError
        If one is missing.
    """
    import torch

    def numbered(name: str, number: int) -> str:
        return f"{name}_{number}" if number else name

    told: dict[str, NDArray[np.float32]] = {}
    try:
        for number, name in enumerate(_CONVOLUTIONS):
            kernel = arrays[f"{numbered('conv2d', number)}/kernel"]  # frames, bands, 1, filters
            middle = name.startswith("middles")
            told[f"{name}.weight"] = (
                kernel[:, :, 0].transpose(2, 1, 0) if middle else kernel.transpose(3, 2, 0, 1)
            )
            told[f"{name}.bias"] = arrays[f"{numbered('conv2d', number)}/bias"]
        for number, name in enumerate(_NORMS):
            for part, called in _NORM_PARTS.items():
                told[f"{name}.{part}"] = arrays[f"{numbered('batch_normalization', number)}/{called}"]
            told[f"{name}.num_batches_tracked"] = np.zeros((), dtype=np.int64)
        for number, name in enumerate(("dense", "naming")):
            told[f"{name}.weight"] = arrays[f"{numbered('dense', number)}/kernel"].T
            told[f"{name}.bias"] = arrays[f"{numbered('dense', number)}/bias"]
    except KeyError as error:
        raise PackageDamagedError(f"the checkpoint lacks {error.args[0]}") from error
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in told.items()}


def _files(folder: Path | None) -> tuple[bytes, bytes]:
    """Return the checkpoint's index and its numbers."""
    if folder is None:
        raise PackageMissingError("likeness of style needs the package musicnn: run make install")
    return (
        _verified(folder / MODEL / ".index", TABLE_SHA256),
        _verified(folder / MODEL / ".data-00000-of-00001", SHARD_SHA256),
    )


def _verified(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackageMissingError(f"the package musicnn holds no {MODEL}: run make install") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PackageDamagedError(
            f"{path.name} of the package musicnn is not what it should be: install it anew"
        )
    return content

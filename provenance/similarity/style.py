"""Whom a sound resembles in style: its nearest recordings, and what share of the likeness each has, with its doubt.

    stored = StylePrint.of(excerpts, embedder).packed              # of a recording
    index = StyleIndex.build(references, model_sha256=embedder.sha256)
    influence(StylePrint.of(excerpts, embedder), index)            # of an output

A *print* is the vectors of a recording's excerpts under one music embedding. Two recordings are alike as far as their
mean vectors point the same way, once what all recordings have in common is taken away (an embedding's vectors all lie in
one corner: without it every cosine is near 1) and directions in which single recordings wander are given less weight.

A *share* is a weight among the nearest recordings that sums to 1: how likelihood would be divided if one of them were
the model for the sound. `SHARPNESS` is set so that shares, added up by package, forecast as well as they can from which
package a recording comes. Its interval comes of drawing the sound's own excerpts anew, as many as stand side by side, and
so says how much hangs on which of its seconds were heard. It says nothing of other seconds, and not how far the embedding
is to be trusted.

**Likeness of style is no finding.** Styles are free; nothing here says that anything was copied, and no threshold is
applied. Vectors of two models are never compared.

Sources: Hatch, Kajarekar and Stolcke 2006, "Within-class covariance normalization for SVM-based speaker recognition",
for the weights of directions; Efron 1979, doi:10.1214/aos/1176344552, for the bootstrap.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from provenance.similarity import sealed
from provenance.similarity.excerpts import EXCERPT_S
from provenance.similarity.index import (
    IndexFacts,
    set_hash,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from provenance.similarity.excerpts import Excerpts

METHOD = "style"
METHOD_VERSION = "1"
"""Prints of two versions must never be compared."""

PRIOR_RECORDINGS = 20
"""For how many recordings the embedding's own centre counts, beside those of the index: with three recordings in it, what
they have in common is mostly chance."""

EVENED = 0.5
"""How much of the directions' weights is evened out: an index of few recordings knows little of how they wander."""

SHARPNESS = 10.0
"""What a cosine is multiplied by before shares are made of it: at 10, shares by package forecast the package of the
calibration group's recordings best (0.797 nats; 0.860 at 3, 0.914 at 20)."""

N_NEAREST = 20
"""Recordings among which the shares are divided."""

N_USUAL = 1_000
"""Recordings, at most, whose distance to their nearest says what is usual in an index."""

N_DRAWS = 200
INTERVAL = (0.05, 0.95)
"""Quantiles of the draws: nine in ten of them lie inside."""

_NOT_ASKED = -2.0  # below every cosine
_MAGIC = b"LNSP"
_FORMAT = 1
_HEADER = struct.Struct("<4sHH32sHH")
_INDEX_MAGIC = b"LNSI"
_INDEX_FORMAT = 1


class StyleEmbedder(Protocol):
    """A music embedding: musicnn (`provenance.similarity.musicnn`), or a model that the operator brings."""

    @property
    def sha256(self) -> str:
        """Of the weights: the identity of every vector."""
        ...

    @property
    def centre(self) -> NDArray[np.float32]:
        """What its vectors are on average [shape=(n_dimensions,)]; zeros where nobody knows."""
        ...

    def embed(self, excerpts: Excerpts) -> NDArray[np.float32]:
        """Make a vector of each excerpt [shape=(n_excerpts, n_dimensions)]; NaN where one is silent."""
        ...


class StyleError(Exception):
    """A print that can't be used; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class StylePrint:
    """What is kept of a recording for its style.

    Attributes
    ----------
    model_sha256 : str
        Of the embedding's weights.
    starts_s : np.ndarray [shape=(n,), dtype=float32]
        Where each excerpt begins.
    vectors : np.ndarray [shape=(n, n_dimensions), dtype=float16]
        One for each excerpt that is not silent.
    """

    model_sha256: str
    starts_s: NDArray[np.float32]
    vectors: NDArray[np.float16]

    def __len__(self) -> int:
        """Excerpts with something to hear: none of silence."""
        return len(self.vectors)

    @property
    def n_apart(self) -> int:
        """As many of the excerpts as would stand side by side: those of short sounds overlap, and tell less."""
        if not len(self):
            return 0
        span_s = float(self.starts_s[-1] - self.starts_s[0]) + EXCERPT_S
        return max(1, min(len(self), round(span_s / EXCERPT_S)))

    @property
    def mean(self) -> NDArray[np.float32]:
        """The mean vector [shape=(n_dimensions,)]."""
        mean: NDArray[np.float32] = self.vectors.astype(np.float32).mean(axis=0)
        return mean

    @classmethod
    def of(cls, excerpts: Excerpts, embedder: StyleEmbedder) -> StylePrint:
        """Embed the excerpts of a sound."""
        vectors = embedder.embed(excerpts)
        heard = np.isfinite(vectors).all(axis=1)
        return cls(embedder.sha256, excerpts.starts_s[heard], vectors[heard].astype(np.float16))

    @cached_property
    def packed(self) -> bytes:
        """Magic, format, method version, the model's hash and counts; where excerpts begin; the vectors."""
        n, n_dimensions = self.vectors.shape
        header = _HEADER.pack(
            _MAGIC, _FORMAT, int(METHOD_VERSION), bytes.fromhex(self.model_sha256), n, n_dimensions
        )
        return header + self.starts_s.astype("<f4").tobytes() + self.vectors.astype("<f2").tobytes()

    @classmethod
    def unpack(cls, stored: bytes) -> StylePrint:
        """Read what `packed` wrote.

        Raises
        ------
        StyleError
            If the bytes are cut, are something else, or come from another format or method version.
        """
        stored = bytes(stored)
        if len(stored) < _HEADER.size or stored[:4] != _MAGIC:
            raise StyleError("these bytes are no style print")
        _, layout, version, model, n, n_dimensions = _HEADER.unpack_from(stored)
        if (layout, version) != (_FORMAT, int(METHOD_VERSION)):
            raise StyleError(
                f"the style print was made by format {layout}, method version {version}, and this program reads "
                f"format {_FORMAT}, version {METHOD_VERSION}: make it anew from the audio"
            )
        if len(stored) != _HEADER.size + 4 * n + 2 * n * n_dimensions:
            raise StyleError(f"the style print should hold {n} vectors and is cut or padded")
        starts_s = np.frombuffer(stored, dtype="<f4", count=n, offset=_HEADER.size)
        vectors = np.frombuffer(stored, dtype="<f2", offset=_HEADER.size + 4 * n).reshape(n, n_dimensions)
        if not np.isfinite(vectors).all():
            raise StyleError("the style print holds numbers that are none")
        return cls(model.hex(), starts_s.astype(np.float32), vectors.astype(np.float16))


@dataclass(frozen=True)
class _Arrays:
    """What an index holds: the centre, what directions weigh, unit vectors, and how near the recordings stand."""

    centre: NDArray[np.float32]
    weights: NDArray[np.float32]
    units: NDArray[np.float32]
    usual: NDArray[np.float32]

    @property
    def n_dimensions(self) -> int:
        return len(self.centre)

    @classmethod
    def of(cls, prints: Sequence[StylePrint], prior: NDArray[np.float32] | None) -> _Arrays:
        heard = [one for one in prints if len(one)]
        n_dimensions = prints[0].vectors.shape[1] if prints else len(prior) if prior is not None else 0
        means = np.array([one.mean for one in heard], dtype=np.float64).reshape(len(heard), n_dimensions)
        known = np.zeros(n_dimensions) if prior is None else prior.astype(np.float64)
        centre = (PRIOR_RECORDINGS * known + means.sum(axis=0)) / (PRIOR_RECORDINGS + len(means))
        empty = cls(
            centre.astype(np.float32),
            _weights([one.vectors.astype(np.float64) for one in heard], n_dimensions),
            np.zeros((len(prints), n_dimensions), dtype=np.float32),
            np.zeros(0, dtype=np.float32),
        )
        units = empty.units.copy()
        units[[len(one) > 0 for one in prints]] = empty.turned(means.astype(np.float32))
        units = units.astype(np.float16).astype(np.float32)
        return cls(empty.centre, empty.weights, units, _usual(units[np.any(units, axis=1)]))

    def turned(self, means: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take away what all have in common, weigh directions, bring to unit length."""
        weighed = (means - self.centre) @ self.weights
        lengths = np.linalg.norm(weighed, axis=1, keepdims=True)
        units: NDArray[np.float32] = (weighed / np.maximum(lengths, 1e-9)).astype(np.float32)
        return units

    @cached_property
    def packed(self) -> bytes:
        parts = (
            self.centre.astype("<f4"),
            self.weights.astype("<f4"),
            self.units.astype("<f2"),
            self.usual.astype("<f4"),
        )
        return b"".join(part.tobytes() for part in parts)

    @classmethod
    def unpack(cls, stored: bytes, n_recordings: int, n_dimensions: int) -> _Arrays:
        at = 4 * n_dimensions
        end = at + 4 * n_dimensions**2
        last = end + 2 * n_recordings * n_dimensions
        return cls(
            np.frombuffer(stored[:at], dtype="<f4"),
            np.frombuffer(stored[at:end], dtype="<f4").reshape(n_dimensions, n_dimensions),
            np.frombuffer(stored[end:last], dtype="<f2")
            .reshape(n_recordings, n_dimensions)
            .astype(np.float32),
            np.frombuffer(stored[last:], dtype="<f4"),
        )


def _weights(vectors: Sequence[NDArray[np.float64]], n_dimensions: int) -> NDArray[np.float32]:
    """Inverse root of how single recordings wander [shape=(n_dimensions, n_dimensions)], half of it evened out."""
    n_free = sum(len(one) - 1 for one in vectors)
    if not n_free:
        return np.eye(n_dimensions, dtype=np.float32)
    wandering = np.zeros((n_dimensions, n_dimensions))
    for one in vectors:
        around = one - one.mean(axis=0)
        wandering += around.T @ around
    wandering /= n_free
    even = max(float(np.trace(wandering)) / n_dimensions, 1e-12)
    shrunk = (1.0 - EVENED) * wandering + EVENED * even * np.eye(n_dimensions)
    values, directions = np.linalg.eigh(shrunk)
    weights: NDArray[np.float32] = ((directions / np.sqrt(values)) @ directions.T).astype(np.float32)
    return weights


def _usual(units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of recordings, of ``N_USUAL`` of them where there are more, to their own nearest; rising."""
    chosen = np.unique(np.linspace(0, max(0, len(units) - 1), min(len(units), N_USUAL)).astype(np.int64))
    if len(units) < 2:
        return np.zeros(0, dtype=np.float32)
    cosines = units[chosen] @ units.T
    cosines[np.arange(len(chosen)), chosen] = -1.0
    return np.sort(cosines.max(axis=1)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the likeness, with its doubt.

    Attributes
    ----------
    key : str
        A recording, or what recordings are added up by.
    share : float
        In [0, 1].
    low, high : float
        Nine in ten draws of the sound's excerpts lie between.
    """

    key: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NearInStyle(Share):
    """A recording that a sound resembles.

    Attributes
    ----------
    cosine : float
        Of the mean vectors, in [-1, 1], less what all recordings have in common.
    """

    cosine: float


@dataclass(frozen=True)
class Influence:
    """Whom a sound resembles.

    Attributes
    ----------
    nearest : sequence of NearInStyle
        In falling share; their shares sum to 1. None where the sound is silent or nothing is indexed.
    nearness : float
        Share of the index's recordings that stand no nearer to their own nearest than the sound does to its: near 0 the
        sound is like nothing here, whatever the shares say.
    n_excerpts : int
        Excerpts of the sound that were heard. Of one alone no interval can be had: it is as wide as can be.
    """

    nearest: Sequence[NearInStyle]
    nearness: float
    n_excerpts: int
    draws: NDArray[np.float32]

    def by(self, groups: Mapping[str, Sequence[str]]) -> list[Share]:
        """Add shares up by what recordings belong to.

        Parameters
        ----------
        groups : mapping of str to sequence of str
            From a recording's key to its artists, holders or datasets; a share is divided evenly among several.
            Recordings that are not named stand under the empty name.

        Returns
        -------
        list of Share
            In falling share; they sum to 1.
        """
        named = list(dict.fromkeys(name for one in self.nearest for name in groups.get(one.key, ()) or ("",)))
        belongs = np.zeros((len(self.nearest), len(named)), dtype=np.float32)
        for row, one in enumerate(self.nearest):
            names = list(groups.get(one.key, ())) or [""]
            for name in names:
                belongs[row, named.index(name)] += 1 / len(names)
        shares = np.array([one.share for one in self.nearest], dtype=np.float32) @ belongs
        lows, highs = _interval(self.draws @ belongs, self.n_excerpts)
        summed = [Share(*each) for each in zip(named, shares.tolist(), lows, highs, strict=True)]
        return sorted(summed, key=lambda each: (-each.share, each.key))


class StyleIndex:
    """Mean vectors of recordings, with what they have in common taken away.

    Exact: a sound is compared with every recording, 400 bytes each for 200 dimensions.
    """

    def __init__(self, described: dict[str, Any], arrays: _Arrays) -> None:
        """Use `build` or `load`."""
        self._described = described
        self._arrays = arrays
        self.recordings: tuple[str, ...] = tuple(key for key, _, _ in described["recordings"])
        self._heard = np.array([n > 0 for _, _, n in described["recordings"]], dtype=np.bool_)
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=described["dataset"],
            dataset_version=described["dataset_version"],
            n_recordings=len(self.recordings),
            n_windows=sum(n for _, _, n in described["recordings"]),
            set_hash=described["set_hash"],
            sha256=hashlib.sha256(sealed.header_of(described)).hexdigest(),
        )

    @property
    def model_sha256(self) -> str:
        """Of the embedding whose vectors it holds."""
        model: str = self._described["model_sha256"]
        return model

    @property
    def too_short(self) -> tuple[str, ...]:
        """Recordings of which nothing was heard: in the set, and never near anything."""
        return tuple(key for key, heard in zip(self.recordings, self._heard, strict=True) if not heard)

    @classmethod
    def build(
        cls,
        references: Iterable[tuple[str, StylePrint]],
        *,
        model_sha256: str,
        centre: NDArray[np.float32] | None = None,
        dataset: str = "",
        dataset_version: str = "",
    ) -> StyleIndex:
        """Index recordings by their prints.

        Parameters
        ----------
        references : iterable of (recording, print)
            The order plays no part.
        model_sha256 : str
            Of the embedding.
        centre : np.ndarray [shape=(n_dimensions,)], optional
            Its `StyleEmbedder.centre`; zeros by default.
        dataset, dataset_version : str
            Kept in the file and checked when it is loaded.

        Raises
        ------
        ValueError
            If a recording comes twice.
        StyleError
            If a print is of another model.
        """
        ordered = sorted(references, key=lambda reference: reference[0])
        for (key, _), (following, _) in itertools.pairwise(ordered):
            if key == following:
                raise ValueError(f"recording {key} was given twice")
        if other := next((key for key, one in ordered if one.model_sha256 != model_sha256), ""):
            raise StyleError(f"the style print of {other} is of another model than the index")
        arrays = _Arrays.of([one for _, one in ordered], centre)
        hashes = [(key, hashlib.sha256(one.packed).hexdigest()) for key, one in ordered]
        described = {
            "body_sha256": hashlib.sha256(arrays.packed).hexdigest(),
            "dataset": dataset,
            "dataset_version": dataset_version,
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "model_sha256": model_sha256,
            "n_dimensions": arrays.n_dimensions,
            "recordings": [
                [key, sha256, len(one)] for (key, sha256), (_, one) in zip(hashes, ordered, strict=True)
            ],
            "set_hash": set_hash(hashes),
        }
        return cls(described, arrays)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        set_hash: str | None = None,
        dataset: str | None = None,
        dataset_version: str | None = None,
        model_sha256: str | None = None,
    ) -> StyleIndex:
        """Read an index and verify every byte of it.

        Raises
        ------
        IndexMissingError, IndexDamagedError, IndexFormatError, IndexStaleError
            As `provenance.similarity.index.RecordingIndex.load`; stale too if it is of another model.
        """
        described, body = sealed.load(
            path,
            magic=_INDEX_MAGIC,
            layout=_INDEX_FORMAT,
            made_by={"method": METHOD, "method_version": METHOD_VERSION},
            wanted={
                "set_hash": set_hash,
                "dataset": dataset,
                "dataset_version": dataset_version,
                "model_sha256": model_sha256,
            },
        )
        return cls(described, _Arrays.unpack(body, len(described["recordings"]), described["n_dimensions"]))

    def save(self, path: Path) -> None:
        """Write the index; until it is whole and on the disk, the file that stood at ``path`` stays.

        Raises
        ------
        lib.files.DiskFullError
            If the disk is full; the old file is untouched and nothing is left beside it.
        """
        sealed.save(
            path,
            magic=_INDEX_MAGIC,
            layout=_INDEX_FORMAT,
            header=sealed.header_of(self._described),
            body=[self._arrays.packed],
        )

    def cosines(
        self, means: NDArray[np.float32], among: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.float32]:
        """Likeness of mean vectors to recordings [shape=(n, n_recordings)]; -2 to those never heard."""
        found: NDArray[np.float32] = self._arrays.turned(means) @ self._arrays.units[among].T
        found[:, ~self._heard[among]] = _NOT_ASKED
        return found

    def nearness(self, cosine: float) -> float:
        """Share of its recordings that stand no nearer to their own nearest than ``cosine``; 0 with less than two."""
        usual = self._arrays.usual
        return float(np.searchsorted(usual, cosine, side="right") / len(usual)) if len(usual) else 0.0


def influence(
    sound: StylePrint,
    index: StyleIndex,
    *,
    sharpness: float = SHARPNESS,
    n_nearest: int = N_NEAREST,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    leave_out: Collection[str] = (),
) -> Influence:
    """Divide the likeness of a sound among the recordings that it is nearest to.

    Parameters
    ----------
    sound : StylePrint
    index : StyleIndex
        Of the same model.
    sharpness : float
        What a cosine is multiplied by before shares are made of it, > 0.
    n_nearest : int
        Recordings among which it is divided.
    n_draws : int
        Draws of the sound's excerpts, with replacement, that the intervals come of.
    seed : int
        Of the draws.
    leave_out : collection of str
        Recordings among which nothing is divided: the sound itself, where it is one of the index.

    Returns
    -------
    Influence

    Raises
    ------
    StyleError
        If they are of different models.
    """
    if sound.model_sha256 != index.model_sha256:
        raise StyleError("the sound and the index were embedded by different models")
    if not len(sound) or set(index.recordings) <= {*index.too_short, *leave_out}:
        return Influence((), 0.0, len(sound), np.zeros((n_draws, 0), dtype=np.float32))
    cosines = index.cosines(sound.mean[None])[0]
    cosines[[place for place, key in enumerate(index.recordings) if key in leave_out]] = _NOT_ASKED
    order = np.argsort(-cosines, kind="stable")
    near = order[: min(n_nearest, int((cosines > _NOT_ASKED).sum()))]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(sound), size=(n_draws, sound.n_apart))
    weights = np.zeros((n_draws, len(sound)), dtype=np.float32)
    np.add.at(weights, (np.arange(n_draws)[:, None], drawn), 1.0 / sound.n_apart)
    means = weights @ sound.vectors.astype(np.float32)
    shares = _softmax(cosines[None, near], sharpness)[0]
    draws = _softmax(index.cosines(means, near), sharpness)
    lows, highs = _interval(draws, len(sound))
    nearest = tuple(
        NearInStyle(index.recordings[place], float(share), low, high, float(cosines[place]))
        for place, share, low, high in zip(near.tolist(), shares, lows, highs, strict=True)
    )
    return Influence(nearest, index.nearness(float(cosines[near[0]])), len(sound), draws)


def _softmax(cosines: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    weights = np.exp(sharpness * (cosines - cosines.max(axis=1, keepdims=True)))
    shares: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _interval(draws: NDArray[np.float32], n_excerpts: int) -> tuple[list[float], list[float]]:
    if n_excerpts < 2:  # nothing to draw anew: the doubt is not known, and so it is as large as can be
        return [0.0] * draws.shape[1], [1.0] * draws.shape[1]
    lows, highs = np.quantile(draws, INTERVAL, axis=0) if draws.shape[1] else np.zeros((2, 0))
    return lows.tolist(), highs.tolist()

"""What the learned fingerprint is taught to bear: changes that are made to levels, thousands a second.

All of it is worked on the powers of half-semitone bands, a batch at a time, because sound itself is too slow to train
on. What sound does beyond that (phases, encoders) is stood in for by chance: powers that fluctuate as those of noise
do, bands that an encoder would drop. The conditions that the fingerprint is measured under
(`benchmarks.transformations`) are made of sound and share no code with these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from provenance.similarity.levels import (
    BANDS_AN_OCTAVE,
    FLOOR_DB,
    FRAME_S,
    HOP_S,
    LOWEST_HZ,
    N_BANDS,
)

if TYPE_CHECKING:
    from torch import Generator, Tensor

FRAME_HOP_S = 2 * HOP_S
_HZ = LOWEST_HZ * 2.0 ** (torch.arange(N_BANDS) / BANDS_AN_OCTAVE)
_WIDTHS_HZ = torch.clamp(_HZ * (2.0 ** (1 / BANDS_AN_OCTAVE) - 1), min=1 / FRAME_S)
_FLOOR = 10 ** (FLOOR_DB / 10)

Change = Callable[["Tensor", "Generator"], "Tensor"]


def powers_of(levels: Tensor) -> Tensor:
    return torch.pow(10.0, levels / 10.0)


def levels_of(powers: Tensor) -> Tensor:
    return 10.0 * torch.log10(powers + _FLOOR)


def some(powers: Tensor, share: float, change: Change, rng: Generator) -> Tensor:
    """Apply a change to a part of a batch, drawn by chance [shape=(n, n_frames, N_BANDS)]."""
    chosen = torch.nonzero(torch.rand(len(powers), generator=rng) < share)[:, 0]
    if not len(chosen):
        return powers
    changed = powers.clone()
    changed[chosen] = change(powers[chosen], rng)
    return changed


def between(n: int, low: float, high: float, rng: Generator) -> Tensor:
    """Draw one number for each of a batch [shape=(n, 1, 1)]."""
    return low + (high - low) * torch.rand(n, 1, 1, generator=rng)


def loudness(powers: Tensor) -> Tensor:
    return powers.mean(dim=(1, 2), keepdim=True)


def fluctuating(shape: torch.Size, rng: Generator) -> Tensor:
    """Draw powers of noise about 1: wild where a band is narrow, calm where it holds many bins."""
    real = torch.randn(2, *shape, generator=rng)
    power = real.square().sum(dim=0) / 2 - 1
    power = functional.avg_pool1d(power.transpose(1, 2), 3, 1, 1, count_include_pad=False).transpose(1, 2)
    n_bins = torch.clamp(_WIDTHS_HZ * FRAME_S, min=1.0)
    return (1 + 1.5 * power / n_bins.sqrt()).clamp_min(0.03)


def noisy(powers: Tensor, rng: Generator) -> Tensor:
    """Add steady noise, from white to brown, from 20 dB below the music to 3 dB above it."""
    n = len(powers)
    tilt = between(n, 0.0, 1.0, rng) * (torch.rand(n, 1, 1, generator=rng) < 0.5)
    colour = _WIDTHS_HZ / _HZ ** (2 * tilt)
    colour = colour / colour.mean(dim=2, keepdim=True)
    ratio = 10 ** (between(n, -2.0, 0.3, rng))
    return powers + loudness(powers) * ratio * colour * fluctuating(powers.shape, rng)


def mixed(powers: Tensor, others: Tensor, rng: Generator, *, low_db: float, high_db: float) -> Tensor:
    """Lay other music over it, itself so many dB louder, half of the time within 2 dB of as loud."""
    n = len(powers)
    level = between(n, low_db, high_db, rng)
    even = between(n, -2.0, 2.0, rng)
    level = torch.where(torch.rand(n, 1, 1, generator=rng) < 0.5, even, level)
    ratio = loudness(powers) / (loudness(others) + _FLOOR)
    added = others * (ratio * 10 ** (-level / 10)).clamp_max(1e6)
    phases = torch.rand(powers.shape, generator=rng) * 2 - 1
    return powers + added + 1.2 * phases * (powers * added).sqrt()


def reverberant(powers: Tensor, rng: Generator) -> Tensor:
    """Add an exponential tail of 0.2 to 1.5 s, from 10 dB below the direct sound to 4 dB above it."""
    n, n_frames, _ = powers.shape
    decay = 10 ** (-6 * FRAME_HOP_S / between(n, 0.2, 1.5, rng))
    lag = torch.arange(n_frames)[:, None] - torch.arange(n_frames)[None, :]
    tail = torch.where(lag >= 0, decay ** lag.clamp_min(0), torch.zeros(()))
    tail = tail / tail[:, -1:].sum(dim=2, keepdim=True)
    wet = torch.bmm(tail, powers) * 10 ** between(n, -1.0, 0.4, rng)
    return powers + wet * fluctuating(powers.shape, rng)


def filtered(powers: Tensor, rng: Generator) -> Tensor:
    """Tilt the spectrum, bend it, and cut it above or below."""
    n = len(powers)
    octave = torch.arange(N_BANDS) / BANDS_AN_OCTAVE
    gains = between(n, -4.0, 4.0, rng) * (octave - 2.5)
    bent = functional.interpolate(
        torch.randn(n, 1, 7, generator=rng), N_BANDS, mode="linear", align_corners=True
    )
    gains = gains + 3.0 * bent
    top, bottom = between(n, 3.0, 6.0, rng), between(n, -1.0, 1.5, rng)
    slope = between(n, 12.0, 48.0, rng)
    cuts = torch.rand(2, n, 1, 1, generator=rng) < 0.35
    gains = gains - cuts[0] * slope * (octave - top).clamp_min(0)
    gains = gains - cuts[1] * slope * (bottom - octave).clamp_min(0)
    return powers * 10 ** (gains / 10)


def smeared(powers: Tensor, rng: Generator) -> Tensor:
    """Keep what a mel spectrogram keeps: bands as wide as its own, with powers that fluctuate."""
    chosen = torch.randint(len(_MELS), (len(powers),), generator=rng)
    spread = torch.bmm(powers, _MELS[chosen])
    return spread * fluctuating(powers.shape, rng) ** between(len(powers), 0.3, 1.0, rng)


def encoded(powers: Tensor, rng: Generator) -> Tensor:
    """Drop what lies far under its surroundings, and round the rest, as encoders do at low rates."""
    levels = levels_of(powers)
    n = len(levels)
    masks = functional.max_pool2d(levels[:, None], (1, 17), stride=1, padding=(0, 8))[:, 0]
    dropped = levels < masks - between(n, 10.0, 30.0, rng)
    left = torch.rand(levels.shape, generator=rng) < 0.3
    levels = torch.where(dropped & ~left, levels - 20.0, levels)
    step = between(n, 0.5, 4.0, rng)
    levels = levels + (torch.rand(levels.shape, generator=rng) - 0.5) * step
    return powers_of(levels)


def parted(powers: Tensor, rng: Generator) -> Tensor:
    """Leave one part of the music: what lasts, what strikes, or one end of the bands."""
    n = len(powers)
    lasting = functional.avg_pool2d(powers.sqrt()[:, None], (9, 1), 1, (4, 0), count_include_pad=False)[:, 0]
    striking = functional.avg_pool2d(powers.sqrt()[:, None], (1, 13), 1, (0, 6), count_include_pad=False)[
        :, 0
    ]
    share = lasting**4 / (lasting**4 + striking**4 + 1e-30)
    bands = torch.arange(N_BANDS) - between(n, 20.0, 100.0, rng)
    low = torch.sigmoid(-bands / between(n, 1.0, 6.0, rng)).expand_as(powers)
    kind = torch.randint(4, (n, 1, 1), generator=rng)
    kept = torch.where(
        kind == 0, share, torch.where(kind == 1, 1 - share, torch.where(kind == 2, low, 1 - low))
    )
    return powers * (kept.square() + 10 ** between(n, -5.0, -1.5, rng))


def gapped(powers: Tensor, rng: Generator) -> Tensor:
    """Silence a few bands, or a few frames."""
    n, n_frames, n_bands = powers.shape
    kept = torch.ones_like(powers)
    for size, axis, widest in ((n_bands, 2, 16.0), (n_bands, 2, 16.0), (n_frames, 1, 5.0)):
        places = torch.arange(size).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        start = between(n, -widest, float(size), rng)
        inside = (places >= start) & (places < start + between(n, 0.0, widest, rng))
        kept = torch.where(inside, torch.full((), 1e-5), kept)
    return powers * kept


def detuned(powers: Tensor, rng: Generator) -> Tensor:
    """Shift by a part of a band: what a search in steps of one leaves, and a little more."""
    bands = between(len(powers), -0.65, 0.65, rng)
    beside = torch.where(bands > 0, torch.roll(powers, 1, dims=2), torch.roll(powers, -1, dims=2))
    return powers * (1 - bands.abs()) + beside * bands.abs()


def edged(powers: Tensor, rng: Generator) -> Tensor:
    """Silence up to five bands at one edge: what undoing a shift leaves."""
    n = len(powers)
    bands = torch.arange(N_BANDS)
    width = between(n, -5.0, 5.0, rng)
    return powers * ~((bands < width) | (bands >= N_BANDS + width))


def _mel_spreads() -> Tensor:
    """Where the power of a band goes in mel spectrograms of 64 to 160 bands [shape=(n, N_BANDS, N_BANDS)]."""
    spreads = []
    for n_mels in (64, 80, 80, 96, 128, 160):
        mel_hz = 0.621 * (1 + _HZ / 700) * 3_100 / n_mels
        width = torch.sqrt((0.5 * mel_hz) ** 2 + 18.0**2)
        reached = torch.exp(-0.5 * ((_HZ[None, :] - _HZ[:, None]) / width[:, None]) ** 2) * _WIDTHS_HZ
        spreads.append(reached / reached.sum(dim=1, keepdim=True))
    return torch.stack(spreads)


_MELS = _mel_spreads()


def changed(powers: Tensor, others: Tensor, rng: Generator, *, harder: bool = False) -> Tensor:
    """Do to a batch what may happen to copies, one thing after another, each to some of it.

    Parameters
    ----------
    powers : torch.Tensor [shape=(n, n_frames, N_BANDS)]
    others : torch.Tensor [of that shape]
        Music to be laid over it.
    harder : bool
        Lay it over more of the batch, up to 10 dB louder than what is to be known again, and take more of it apart.
    """
    powers = some(powers, 0.6, detuned, rng)
    powers = some(powers, 0.2 if harder else 0.12, parted, rng)
    powers = some(powers, 0.25, reverberant, rng)
    powers = some(powers, 0.4, filtered, rng)
    overlaid = torch.nonzero(torch.rand(len(powers), generator=rng) < (0.65 if harder else 0.5))[:, 0]
    if len(overlaid):
        powers = powers.clone()
        low_db = -10.0 if harder else -5.0
        powers[overlaid] = mixed(powers[overlaid], others[overlaid], rng, low_db=low_db, high_db=10.0)
    powers = some(powers, 0.35, noisy, rng)
    powers = some(powers, 0.25, smeared, rng)
    powers = some(powers, 0.3, encoded, rng)
    powers = some(powers, 0.2, gapped, rng)
    return some(powers, 0.3, edged, rng)

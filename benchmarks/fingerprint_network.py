"""The network of the learned fingerprint as PyTorch trains it; `provenance.similarity.learned` has it in NumPy."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from provenance.similarity.learned import CONTRAST_BANDS, N_CHANNELS, N_DIMENSIONS, RANGE_DB


def network() -> torch.nn.Module:
    """Build the network, without weights.

    Takes what `pictures` makes; gives vectors [shape=(n_segments, N_DIMENSIONS)] that `unit` is to be put over.
    """

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
    loudest = segments.amax(dim=(1, 2), keepdim=True)
    levels = (segments - loudest).clamp_min(-RANGE_DB)
    around = functional.avg_pool2d(
        levels[:, None],
        (1, CONTRAST_BANDS),
        stride=1,
        padding=(0, CONTRAST_BANDS // 2),
        count_include_pad=False,
    )[:, 0]
    balanced = levels - levels.mean(dim=(1, 2), keepdim=True)
    return torch.stack(
        [balanced / 20.0, (levels - around) / 10.0, (levels - levels.mean(dim=1, keepdim=True)) / 10.0], dim=1
    )


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Bring vectors to unit length."""
    return functional.normalize(vectors.float(), dim=1)

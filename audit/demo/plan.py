"""Which models the demo trains, on which half of the music."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DATASET = "demo-music"
SEED = 20
N_OUTPUTS = 20
SECONDS = 12.0
CONTROL_PART = 0.34
# Fewer pieces than these, and a notes model would learn from notes heard in audio. It can, but what it copies then is a
# tune and not a sound, and outputs are held against sounds only.
LEAST_SYMBOLIC = 4


@dataclass(frozen=True)
class Planned:
    """A model to train. ``half`` is the version's place: the training half, or the half kept apart from it."""

    name: str
    architecture: str
    kind: str  # decent, overfitted or control
    half: str  # training or control
    summary: str
    config: dict[str, Any] = field(default_factory=dict)


MODELS = (
    Planned(
        "notes-overfitted",
        "symbolic",
        "overfitted",
        "training",
        "Writes notes. Trained far too long on a handful of pieces, to show what copying looks like.",
        {"preset": "overfitted", "held_out_part": 0.0},
    ),
    Planned(
        "sound-overfitted",
        "spectral_codec",
        "overfitted",
        "training",
        "Makes sound. Trained far too long on a handful of tracks, to show what copying looks like.",
        {"preset": "overfitted", "held_out_part": 0.0},
    ),
    Planned(
        "notes-decent",
        "symbolic",
        "decent",
        "training",
        "Writes notes. Trained on the training half and stopped where held-out music was predicted best.",
        {"preset": "decent"},
    ),
    Planned(
        "sound-decent",
        "spectral_codec",
        "decent",
        "training",
        "Makes sound. Trained on the training half and stopped where held-out music was predicted best.",
        {"preset": "decent"},
    ),
    Planned(
        "notes-control",
        "symbolic",
        "control",
        "control",
        "The same as notes-decent, trained on music that notes-decent has never seen.",
        {"preset": "decent", "shuffled_baseline": False},
    ),
    Planned(
        "sound-control",
        "spectral_codec",
        "control",
        "control",
        "The same as sound-decent, trained on music that sound-decent has never seen.",
        {"preset": "decent", "shuffled_baseline": False},
    ),
)


def halves(recordings: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Split (external id, kind) into a training and a control half, by hash, kind by kind.

    Which half a recording falls into does not depend on the others' names. The control half of a kind with fewer
    than six recordings stays empty: too few would be left to train on.
    """
    training: list[str] = []
    control: list[str] = []
    for kind in sorted({kind for _, kind in recordings}):
        names = sorted(
            (name for name, its_kind in recordings if its_kind == kind),
            key=lambda name: hashlib.sha256(name.encode()).hexdigest(),
        )
        n_control = round(CONTROL_PART * len(names)) if len(names) >= 6 else 0
        control += names[:n_control]
        training += names[n_control:]
    return sorted(training), sorted(control)

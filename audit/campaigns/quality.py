"""Whether a model learned anything, and whether its outputs sound like music at all."""

from collections.abc import Iterator, Sequence
from typing import Any

from audit import queries
from audit.errors import NothingToJudgeError
from audit.metrics.sound import Sound, describe, spread
from generation.models import Generation, ModelVersion
from provenance import audio
from provenance.errors import AudioMissingError
from provenance.storage import local_file

METHOD = "losses of the training run; loudness, silence and brightness of outputs beside training recordings"
METHOD_VERSION = "1"
SAMPLE_RATE_HZ = 22050
SECONDS = 30.0
N_MEASURED = 20
SETTINGS = {
    "method": METHOD,
    "method_version": METHOD_VERSION,
    "sample_rate_hz": SAMPLE_RATE_HZ,
    "first_seconds": SECONDS,
    "n_measured": N_MEASURED,
}


def measure(version: ModelVersion) -> dict[str, Any]:
    """Hold losses against baselines and outputs against training recordings.

    Raises
    ------
    NothingToJudgeError
        If the model has made no output.
    """
    made = list(Generation.objects.filter(model_version=version).order_by("id")[:N_MEASURED])
    if not made:
        raise NothingToJudgeError(f"{version} has made no output yet: generate some first.")
    trained_on = queries.training_recordings(version.dataset_version) if version.dataset_version else []
    step = max(1, len(trained_on) // N_MEASURED)
    recordings = [one.leaf.recording for one in trained_on[::step] if one.leaf.recording.audio][:N_MEASURED]
    return {
        "losses": _losses(version),
        "sound": {
            "outputs": _figures([(str(one.public_id), one.audio) for one in made]),
            "training": _figures([(str(one.public_id), one.audio) for one in recordings]),
        },
        "not_measured": [
            "pitch, rhythm and structure",
            "distances that others publish (FAD, KAD, CLAP score)",
        ],
    }


def _losses(version: ModelVersion) -> dict[str, Any]:
    run = queries.training_run_of(version)
    figures = version.metrics
    baselines = {
        name: loss for name, loss in figures.items() if name.endswith("_baseline_loss") and loss is not None
    }
    held_out = figures.get("held_out_loss")
    beats = held_out < min(baselines.values()) if run and held_out is not None and baselines else None
    return {
        "training_run": str(run.public_id) if run else None,
        "measured_here": run is not None,
        "unit": "nats a step",
        "train_loss": figures.get("train_loss"),
        "held_out_loss": held_out,
        **baselines,
        "beats_baselines": beats,
    }


def _figures(named: Sequence[tuple[str, str]]) -> dict[str, Any]:
    measured = dict(_measured(named))
    sounds = list(measured.values())
    return {
        "n": len(sounds),
        "rows": list(measured),
        "unreadable": [row for row, _ in named if row not in measured],
        "loudness_db": spread([sound.loudness_db for sound in sounds]),
        "silent_share": spread([sound.silent_share for sound in sounds]),
        "brightness_hz": spread([sound.brightness_hz for sound in sounds if sound.brightness_hz is not None]),
        "silent": [row for row, sound in measured.items() if sound.silent_share == 1.0],
    }


def _measured(named: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Sound]]:
    for row, name in named:
        try:
            with local_file(name) as path:
                samples = audio.read_samples(path, sample_rate_hz=SAMPLE_RATE_HZ, seconds=SECONDS)
        except (audio.AudioError, AudioMissingError):
            continue  # it is listed as unreadable
        yield row, describe(samples, SAMPLE_RATE_HZ)

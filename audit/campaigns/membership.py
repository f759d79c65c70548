"""Whether the losses alone tell which music a model was trained on."""

from typing import Any

from audit import queries
from audit.errors import UnmeasurableError
from generation.models import ModelVersion

METHOD = "gap between the mean losses of held-out and of training recordings"
METHOD_VERSION = "1"
SETTINGS = {"method": METHOD, "method_version": METHOD_VERSION}


def measure(version: ModelVersion) -> dict[str, Any]:
    """Give the gap of the mean losses that the training run stored.

    Raises
    ------
    UnmeasurableError
        If no run is on record, or nothing was held out.
    """
    run = queries.training_run_of(version)
    if run is None:
        raise UnmeasurableError(
            f"{version} was trained elsewhere: without its training run there are no losses to compare."
        )
    train, held_out = run.metrics.get("train_loss"), run.metrics.get("held_out_loss")
    if train is None or held_out is None:
        raise UnmeasurableError(
            f"{version} held out no music when it was trained: there is no loss on unseen music to compare with."
        )
    return {
        "training_run": str(run.public_id),
        "unit": "nats a step",
        "train_loss": train,
        "held_out_loss": held_out,
        "gap": round(held_out - train, 6),
        "n_trained_on": len(run.trained_on),
        "n_held_out": len(run.held_out),
        "not_measured": [
            "an attack on single recordings: losses are stored as means, not recording by recording"
        ],
    }

"""Whose music a model learned from: shares of the training set by duration, the unknown always beside the known."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from audit import queries
from audit.errors import UnmeasurableError
from audit.queries import TrainingRecording
from generation.models import ModelVersion
from provenance.models import Recording

METHOD = "shares of the training music by seconds, as declared at intake"
METHOD_VERSION = "1"
SETTINGS = {"method": METHOD, "method_version": METHOD_VERSION}
N_VALUES = 20


def _decade(recording: Recording) -> str:
    return f"{recording.year // 10 * 10}s" if recording.year else ""


FIELDS: dict[str, Callable[[Recording], str]] = {
    "genre": lambda recording: recording.genre.strip().lower(),
    "period": _decade,
    "origin": lambda recording: recording.country,
    "language": lambda recording: recording.language,
    "artist gender": lambda recording: recording.artist_gender.strip().lower(),
}


def corpus_shares(recordings: Sequence[TrainingRecording]) -> dict[str, dict[str, Any]]:
    """Return, for each thing declared, its values' shares of the seconds and the share for which it is unknown.

    A recording whose duration is not known counts as no seconds; of no seconds at all, everything is unknown.
    """
    total_s = sum(one.leaf.recording.seconds or 0.0 for one in recordings)
    shares: dict[str, dict[str, Any]] = {}
    for name, value_of in FIELDS.items():
        seconds: Counter[str] = Counter()
        n_known = 0
        for one in recordings:
            value = value_of(one.leaf.recording)
            n_known += bool(value)
            seconds[value] += one.leaf.recording.seconds or 0.0  # type: ignore[assignment]  # counts seconds
        known = [(value, part) for value, part in seconds.most_common() if value]
        known_s = sum(part for _, part in known)
        shares[name] = {
            "unknown_share": round(1 - known_s / total_s, 4) if total_s else 1.0,
            "n_known": n_known,
            "n_recordings": len(recordings),
            "values": [
                {
                    "value": value,
                    "seconds": round(part, 3),
                    "share": round(part / total_s, 4) if total_s else 0.0,
                }
                for value, part in known[:N_VALUES]
            ],
        }
    return shares


def measure(version: ModelVersion) -> dict[str, Any]:
    """Describe whose music went in.

    Raises
    ------
    UnmeasurableError
        If nobody knows what the model was trained on.
    """
    if version.dataset_version is None:
        raise UnmeasurableError(
            f"Nobody knows what {version} was trained on: whose music it favours can't be measured."
        )
    recordings = queries.training_recordings(version.dataset_version)
    return {
        "dataset_version": str(version.dataset_version.public_id),
        "recordings": [str(one.leaf.recording.public_id) for one in recordings],
        "seconds": round(version.dataset_version.seconds, 3),
        "corpus": corpus_shares(recordings),
        "not_measured": [
            "the outputs: nothing here hears genre, origin or gender in sound, so no parity of outputs is claimed"
        ],
    }

"""What the check misses: training music is altered, planted as if it were an output, and looked for."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit import queries
from audit.campaigns.alterations import ALTERATIONS, alter
from audit.errors import NothingToJudgeError, UnmeasurableError
from audit.metrics.intervals import wilson
from audit.queries import TrainingRecording
from generation import pipeline
from generation import services as generation
from generation.models import ModelVersion, Verdict
from generation.pipeline import Answer
from governance import services as governance
from provenance import audio
from provenance.errors import AudioMissingError
from provenance.storage import local_file

METHOD = "excerpts of training recordings, altered and checked like outputs"
METHOD_VERSION = "1"
EXCERPT_S = 12.0
SAMPLE_RATE_HZ = 22050
N_PLANTED = 6
SETTINGS = {
    "method": METHOD,
    "method_version": METHOD_VERSION,
    "excerpt_s": EXCERPT_S,
    "alterations": list(ALTERATIONS),
}


def measure(version: ModelVersion, *, n: int = N_PLANTED) -> dict[str, Any]:
    """Plant ``n`` excerpts under each alteration and count how many the check finds.

    Raises
    ------
    UnmeasurableError
        If the training music is not known, not here, or has no index that covers it.
    """
    if version.dataset_version is None:
        raise UnmeasurableError(f"Nobody knows what {version} was trained on: there is nothing to plant.")
    targets = generation.targets_of_model(version, by=governance.system_user(), now=timezone.now())
    own = [target for target in targets if target.version == version.dataset_version]
    if not own or own[0].index is None:
        raise UnmeasurableError(
            f"The music that {version} was trained on has no index: index_dataset {version.dataset_version}."
        )
    chosen = _spread_out(
        [
            one
            for one in queries.training_recordings(version.dataset_version)
            if one.leaf.recording.audio and (one.leaf.recording.seconds or 0) >= EXCERPT_S
        ],
        n,
    )
    if not chosen:
        raise NothingToJudgeError(f"No recording of {version.dataset_version} lasts {EXCERPT_S:g} s.")
    planted = {name: _Tally() for name in ALTERATIONS}
    policy: dict[str, Any] = {}
    for one in chosen:
        with _excerpt(one) as excerpt:
            for name in ALTERATIONS:
                altered = alter(excerpt, name)
                answer = pipeline.check_file(altered, name=altered.name, targets=own, kinds=("recording",))
                policy = answer.policy
                planted[name].add(str(one.leaf.recording.public_id), _is_found(answer, one))
    return {
        "index": str(own[0].build.public_id) if own[0].build else None,
        "policy": policy,
        "planted": [tally.as_json(name) for name, tally in planted.items()],
    }


class _Tally:
    def __init__(self) -> None:
        self.found: list[str] = []
        self.missed: list[str] = []

    def add(self, recording: str, is_found: bool) -> None:
        (self.found if is_found else self.missed).append(recording)

    def as_json(self, alteration: str) -> dict[str, Any]:
        n_planted = len(self.found) + len(self.missed)
        return {
            **wilson(len(self.found), n_planted).as_json(),
            "alteration": alteration,
            "planted": n_planted,
            "found": len(self.found),
            "missed_recordings": self.missed,
        }


def _spread_out(recordings: Sequence[TrainingRecording], n: int) -> list[TrainingRecording]:
    step = max(1, len(recordings) // max(1, n))
    return list(recordings[::step][:n])


@contextmanager
def _excerpt(one: TrainingRecording) -> Iterator[Path]:
    """Lend the middle of a recording as a WAV file."""
    recording = one.leaf.recording
    start_s = max(0.0, ((recording.seconds or 0.0) - EXCERPT_S) / 2)
    try:
        with local_file(recording.audio) as path:
            samples = audio.read_samples(
                path, sample_rate_hz=SAMPLE_RATE_HZ, start_s=start_s, seconds=EXCERPT_S
            )
    except (audio.AudioError, AudioMissingError) as error:
        raise UnmeasurableError(f"{one.leaf.external_id} can't be planted: {error}.") from error
    with tempfile.TemporaryDirectory(prefix="liner-planted-") as folder:
        target = Path(folder) / "excerpt.wav"
        audio.write_wav(target, samples[:, None], SAMPLE_RATE_HZ)
        yield target


def _is_found(answer: Answer, one: TrainingRecording) -> bool:
    """Tell whether the check flags the file and names the recording that it was taken from."""
    named = {candidate.recording_id for candidate in answer.candidates if candidate.accepted}
    return answer.verdict in {Verdict.BLOCKED, Verdict.REVIEW} and str(one.leaf.recording.public_id) in named

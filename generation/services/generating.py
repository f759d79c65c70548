"""Making outputs: each is kept in quarantine, checked, and let go only when nothing speaks against it."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from generation import queries
from generation.architectures import registry
from generation.architectures.base import ArchitectureError, Sketch, output_seeds
from generation.errors import CheckpointMissingError, GenerationError
from generation.models import Check, Generation, GenerationState, ModelVersion, Verdict
from generation.pipeline import Answer, Target
from generation.queries import Gate
from generation.services.checking import check_generation, targets_of_model
from generation.services.releasing import ask_generation_release
from governance import access, ledger
from governance.models import Job, User
from lib.files import write_bytes
from provenance import audio, storage
from provenance.errors import StorageFullError

MAX_SECONDS = 120.0
MAX_OUTPUTS = 500


@dataclass(frozen=True)
class Made:
    """One output with its check. ``file`` is None when it was held."""

    generation: Generation
    check: Check
    answer: Answer
    released: bool
    file: Path | None
    held_because: tuple[str, ...]


def generate(
    *,
    version: ModelVersion,
    by: User,
    seed: int,
    n: int = 1,
    seconds: float = 10.0,
    prompt: str = "",
    prompt_audio: Path | None = None,
    out: Path | None = None,
    kinds: Sequence[str] = ("recording",),
    job: Job | None = None,
    targets: Sequence[Target] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Made]:
    """Make ``n`` outputs and yield each once it is stored, checked, and released or held.

    Raises
    ------
    GenerationError
        If what is asked for is out of range, nothing can be written to ``out``, or the architecture refuses the
        prompt.
    """
    organisation = version.model.organisation
    access.require(by, organisation, access.MAKES_MODELS, "generate with a model")
    _require_range(n, seconds)
    if out is not None:
        _require_folder(out)
    maker = registry.get(version.model.architecture)
    weights = _weights(version)
    now = timezone.now()
    if targets is None:
        targets = targets_of_model(version, by=by, now=now, kinds=kinds)
    seeds = output_seeds(seed, n)
    if job is not None:  # a run that goes on skips what it has made
        settled = Generation.objects.filter(job=job).exclude(state=GenerationState.QUARANTINED)
        done = set(settled.values_list("seed", flat=True))
        seeds = [wanted for wanted in seeds if wanted not in done]
    started = time.perf_counter()
    try:
        for sketch in maker.generate(
            weights,
            seeds=seeds,
            seconds=seconds,
            prompt=prompt,
            prompt_audio=prompt_audio,
            should_stop=should_stop,
        ):
            elapsed_s = time.perf_counter() - started
            generation = _store(version, sketch, prompt, prompt_audio, by, job, elapsed_s)
            check, answer = check_generation(
                generation=generation, targets=targets, by=by, now=timezone.now(), kinds=kinds
            )
            yield _settle(generation, check, answer, by, out)
            started = time.perf_counter()
    except ArchitectureError as error:
        raise GenerationError(f"{version} can't generate that: {error}.") from error


def _require_range(n: int, seconds: float) -> None:
    if not 1 <= n <= MAX_OUTPUTS:
        raise GenerationError(f"--n is {n}: ask for 1 to {MAX_OUTPUTS} outputs at a time.")
    if not 1.0 <= seconds <= MAX_SECONDS:
        raise GenerationError(f"--seconds is {seconds:g}: ask for 1 to {MAX_SECONDS:g} seconds.")


def _require_folder(out: Path) -> None:
    """Make the folder that outputs go to, and see that they can be written there before any is made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise GenerationError(f"Nothing can be written to --out {out}: {error.strerror}.") from error


def _weights(version: ModelVersion) -> Any:
    from generation import checkpoints

    folder = Path(settings.CHECKPOINT_DIR) / version.checkpoint
    try:
        checkpoint = checkpoints.load(folder)
    except checkpoints.CheckpointError as error:
        raise CheckpointMissingError(f"The weights of {version} can't be loaded: {error}.") from error
    if checkpoint.weights_sha256 != version.weights_sha256:
        raise CheckpointMissingError(
            f"The weights of {version} are not those that were registered: restore {folder.name} from a backup."
        )
    return checkpoint.weights


def _store(
    version: ModelVersion,
    sketch: Sketch,
    prompt: str,
    prompt_audio: Path | None,
    by: User,
    job: Job | None,
    elapsed_s: float,
) -> Generation:
    with tempfile.TemporaryDirectory(prefix="liner-output-") as folder:
        path = Path(folder) / "output.wav"
        audio.write_wav(path, sketch.samples, sketch.sample_rate_hz)
        sha256 = _sha256(path)
        name = storage.keep(path, sha256, room="outputs")
        midi = ""
        if sketch.midi is not None:
            notes = Path(folder) / "output.mid"
            write_bytes(notes, sketch.midi)
            midi = storage.keep(notes, _sha256(notes), room="outputs")
    return _write_generation(
        version=version,
        job=job,
        prompt=prompt,
        prompt_audio_sha256=_sha256(prompt_audio) if prompt_audio else "",
        seed=sketch.seed,
        seconds=len(sketch.samples) / sketch.sample_rate_hz,
        audio=name,
        midi=midi,
        sha256=sha256,
        by=by,
        now=timezone.now(),
        elapsed_s=elapsed_s,
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@transaction.atomic
def _write_generation(*, version: ModelVersion, by: User, now: datetime, **fields: Any) -> Generation:
    generation = Generation.objects.create(model_version=version, made_by=by, made_at=now, **fields)
    ledger.record(
        kind="generation.output.made",
        subject_kind="generation",
        subject_id=generation.public_id,
        actor=by,
        organisation=version.model.organisation,
        now=now,
        body={
            "model_version": str(version.public_id),
            "weights_sha256": version.weights_sha256,
            "seed": generation.seed,
            "sha256": generation.sha256,
        },
    )
    return generation


def _settle(generation: Generation, check: Check, answer: Answer, by: User, out: Path | None) -> Made:
    """Release an output that nothing speaks against; hold any other, and ask a person where one may decide."""
    now = timezone.now()
    gate = queries.gate_of(generation.model_version, at=now)
    held_because = hold_reasons(check, gate)
    released = not held_because
    release_state = GenerationState.RELEASED if released else GenerationState.HELD
    with transaction.atomic():  # nothing is held without somebody being asked
        _set_state(generation, release_state, held_because, by, now)
        if not released:
            ask_generation_release(generation=generation, check=check, by=by, now=now)
    file = _deliver(generation, out) if released and out is not None else None
    return Made(generation, check, answer, released, file, held_because)


def hold_reasons(check: Check, gate: Gate) -> tuple[str, ...]:
    reasons = list(gate.reasons)
    if check.verdict != Verdict.NO_MATCH:
        reasons.append(f"the check says {check.get_verdict_display().lower()}")
    if gate.needs_a_person:
        reasons.append(gate.why_a_person)
    return tuple(reasons)


@transaction.atomic
def _set_state(
    generation: Generation, state: GenerationState, reasons: Sequence[str], by: User, now: datetime
) -> None:
    generation.state = state
    generation.save(update_fields=["state"])
    ledger.record(
        kind=f"generation.output.{state}",
        subject_kind="generation",
        subject_id=generation.public_id,
        actor=by,
        organisation=generation.model_version.model.organisation,
        now=now,
        body={"reasons": list(reasons)},
    )


def _deliver(generation: Generation, out: Path) -> Path:
    target = out / f"{generation.model_version.model.name}-{generation.seed}-{generation.sha256[:8]}.wav"
    with storage.local_file(generation.audio) as kept:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_bytes(target, kept.read_bytes())
        except OSError as error:
            raise StorageFullError(
                f"{target.name} is released and can't be written to {out}: {error.strerror}."
            ) from error
    return target

"""Checkpoints: a folder of weights and a statement of what they are.

``model.safetensors`` holds every tensor; ``checkpoint.json`` says the format, architecture, version, config, seed,
dataset version, figures, and the sha256 of the tensors' file. Nothing is unpickled, here or anywhere. The folder
appears whole or not at all, and what does not match its own hash is not loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from generation.architectures import registry
from generation.architectures.base import (
    NETWORK,
    Architecture,
    ArchitectureError,
    Config,
    Trained,
    Weights,
)

FORMAT = "liner-notes-checkpoint/1"
TENSORS_FILE = "model.safetensors"
STATEMENT_FILE = "checkpoint.json"

LARGEST_STATEMENT_BYTES = 4_000_000
"""A foreign statement beyond this is not parsed."""

FOREIGN_WEIGHTS = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".npz", ".h5", ".onnx")
"""Endings of weights in other formats, named in the refusal."""


def _made_by() -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return f"liner-notes {importlib.metadata.version('liner-notes')}"
    return "liner-notes, version unknown"


MADE_BY = _made_by()


class CheckpointError(Exception):
    """Root of what keeps a checkpoint from being written or loaded. Permanent."""


class CheckpointMissingError(CheckpointError):
    """The folder, or a file of it, is not there."""


class ForeignFormatError(CheckpointError):
    """It is weights of some kind, but not in this format, or in a version of it that is not known."""


class CheckpointDamagedError(CheckpointError):
    """The statement can't be read, or the tensors are not those that it speaks of."""


class CheckpointExistsError(CheckpointError):
    """A checkpoint stands there already; it is not overwritten."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes
    ----------
    folder : Path
        Where it lies.
    architecture, architecture_version : str
        Who made it and who can use it.
    config : Config
        Settings of the architecture.
    seed : int
        Of the training.
    state : dict
        What the architecture keeps beside the tensors, as JSON.
    tensors : dict of str to np.ndarray
        Weights and codebooks.
    weights_sha256 : str
        Of ``model.safetensors``; the model's identity.
    metrics : dict
        Figures of the training, as ``TrainingMetrics.as_json`` gives them.
    dataset_version : str or None
        Public id of the frozen version trained on; None where nobody knows.
    merkle_root : str or None
        Its Merkle root.
    trained_on : tuple of str
        Keys of the recordings that the weights have seen; a subset of the dataset version where an architecture
        takes a sample of it.
    made_by : str
        Version of the code that trained it.
    """

    folder: Path
    architecture: str
    architecture_version: str
    config: Config
    seed: int
    state: dict[str, Any]
    tensors: dict[str, npt.NDArray[Any]]
    weights_sha256: str
    metrics: dict[str, Any]
    dataset_version: str | None
    merkle_root: str | None
    trained_on: tuple[str, ...]
    made_by: str

    @property
    def weights(self) -> Weights:
        """What ``Architecture.generate`` takes."""
        return Weights(self.config, self.tensors, self.state)

    @property
    def n_parameters(self) -> int:
        """Size of the network, counted from the tensors."""
        return sum(int(tensor.size) for name, tensor in self.tensors.items() if name.startswith(NETWORK))


def save(
    folder: Path,
    *,
    architecture: Architecture,
    config: Config,
    seed: int,
    trained: Trained,
    dataset: Mapping[str, str | None],
    trained_on: Sequence[str] = (),
    made_by: str = MADE_BY,
) -> Checkpoint:
    """Write a checkpoint.

    Parameters
    ----------
    folder : Path
        Where; it must not exist yet, its parent must.
    architecture : Architecture
        That trained it.
    config : Config
        Its settings.
    seed : int
        Of the training.
    trained : Trained
        What ``Architecture.train`` left.
    dataset : dict
        ``version`` and ``merkle_root`` of the frozen version trained on; empty where nobody knows.
    trained_on : sequence of str
        Keys of the recordings that the weights have seen.
    made_by : str
        Version of the code.

    Returns
    -------
    Checkpoint
        As ``load`` would give it. The same arguments write the same bytes.

    Raises
    ------
    CheckpointExistsError
        If ``folder`` is there already.
    OSError
        If the disk refuses; nothing is left behind.
    """
    if folder.exists():
        raise CheckpointExistsError(f"{folder.name} exists already and is not overwritten")
    tensors = {name: np.ascontiguousarray(trained.tensors[name]) for name in sorted(trained.tensors)}
    content = safetensors.numpy.save(tensors)
    statement = {
        "format": FORMAT,
        "architecture": architecture.name,
        "architecture_version": architecture.version,
        "config": config.as_json(),
        "seed": seed,
        "state": trained.state,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "metrics": trained.metrics.as_json(),
        "dataset_version": dataset.get("version"),
        "merkle_root": dataset.get("merkle_root"),
        "trained_on": list(trained_on),
        "made_by": made_by,
    }
    spelled = json.dumps(statement, indent=1, allow_nan=False) + "\n"
    _write_folder(folder, {TENSORS_FILE: content, STATEMENT_FILE: spelled.encode()})
    return _from_statement(folder, statement, tensors)


def load(folder: Path, *, expected_sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint, ours or a foreign one in our format.

    Parameters
    ----------
    folder : Path
        The folder, or either file in it.
    expected_sha256 : str or None
        The weights' sha256 as the caller knows it; the statement's own is checked always.

    Returns
    -------
    Checkpoint
        Its tensors fit its architecture as far as names and hash go; ``generate`` checks their shapes.

    Raises
    ------
    CheckpointMissingError
        If a file is not there.
    ForeignFormatError
        If it is something else, or of an unknown format, architecture or version.
    CheckpointDamagedError
        If statement and tensors do not agree, or either can't be read.
    """
    folder = _folder_of(folder)
    statement = _read_statement(folder / STATEMENT_FILE)
    content = (folder / TENSORS_FILE).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != statement["weights_sha256"]:
        raise CheckpointDamagedError(
            f"{TENSORS_FILE} has sha256 {found[:12]}…, not the one its statement names"
        )
    if expected_sha256 is not None and found != expected_sha256:
        raise CheckpointDamagedError(
            f"{TENSORS_FILE} has sha256 {found[:12]}…, not the registered {expected_sha256[:12]}…"
        )
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointDamagedError(f"{TENSORS_FILE} can't be read: {error}") from error
    return _from_statement(folder, statement, tensors)


def import_checkpoint(source: Path, room: Path, *, architecture: str | None = None) -> Checkpoint:
    """Copy a foreign checkpoint in, once it has been read whole and found to be what it says.

    Parameters
    ----------
    source : Path
        A folder in our format, or a file of it. Nothing else in it is copied.
    room : Path
        Folder of all checkpoints; the copy is named by its own hash. Made if it is not there.
    architecture : str or None
        The architecture that it must be of.

    Returns
    -------
    Checkpoint
        The copy. Importing the same checkpoint again gives the copy made before.

    Raises
    ------
    CheckpointError
        As ``load`` does; and ``ForeignFormatError`` if it is of another architecture.
    CheckpointDamagedError
        If the tensors do not make a network of its config.
    """
    checkpoint = load(source)
    if architecture is not None and checkpoint.architecture != architecture:
        raise ForeignFormatError(f"it is a {checkpoint.architecture} checkpoint, not {architecture}")
    try:
        registry.get(checkpoint.architecture).require_usable(checkpoint.weights)
    except ValueError as error:
        raise CheckpointDamagedError(
            f"the tensors make no {checkpoint.architecture} network: {error}"
        ) from error
    contents = {name: (checkpoint.folder / name).read_bytes() for name in (TENSORS_FILE, STATEMENT_FILE)}
    name = hashlib.sha256(contents[TENSORS_FILE] + contents[STATEMENT_FILE]).hexdigest()[:32]
    room.mkdir(parents=True, exist_ok=True)
    if not (room / name).exists():
        _write_folder(room / name, contents)
    return load(room / name, expected_sha256=checkpoint.weights_sha256)


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a checkpoint's tensors as they lie on disk, lower-case hex.

    Raises
    ------
    CheckpointMissingError
        If they do not.
    """
    path = folder / TENSORS_FILE
    if not path.is_file():
        raise CheckpointMissingError(f"there is no {TENSORS_FILE} in {folder.name}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder_of(path: Path) -> Path:
    if path.is_file():
        if path.name not in (TENSORS_FILE, STATEMENT_FILE):
            _refuse_foreign(path)
        path = path.parent
    if not path.is_dir():
        raise CheckpointMissingError(f"there is no checkpoint at {path}")
    for name in (STATEMENT_FILE, TENSORS_FILE):
        if not (path / name).is_file():
            foreign = [one for one in sorted(path.iterdir()) if one.suffix.lower() in FOREIGN_WEIGHTS]
            if foreign:
                _refuse_foreign(foreign[0])
            raise CheckpointMissingError(
                f"{path.name} holds no {name}: a checkpoint is a folder with {STATEMENT_FILE} and {TENSORS_FILE}"
            )
    return path


def _refuse_foreign(path: Path) -> None:
    why = (
        " It may run code when opened, so it is not opened."
        if path.suffix.lower() in FOREIGN_WEIGHTS[:6]
        else ""
    )
    raise ForeignFormatError(
        f"{path.name} is not in the format {FORMAT}: give a folder with {STATEMENT_FILE} and {TENSORS_FILE}.{why}"
    )


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "architecture": str,
    "architecture_version": str,
    "config": dict,
    "seed": int,
    "state": dict,
    "weights_sha256": str,
    "metrics": dict,
    "dataset_version": (str, type(None)),
    "merkle_root": (str, type(None)),
    "trained_on": list,
    "made_by": str,
}


def _read_statement(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST_STATEMENT_BYTES:
        raise CheckpointDamagedError(f"{path.name} is larger than {LARGEST_STATEMENT_BYTES // 1_000_000} MB")
    try:
        statement = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointDamagedError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(statement, dict) or "format" not in statement:
        raise ForeignFormatError(f"{path.name} names no format, so it is not of {FORMAT}")
    if statement["format"] != FORMAT:
        raise ForeignFormatError(
            f"{path.name} has format {statement['format']!r}, and only {FORMAT!r} is known"
        )
    for name, kind in _FIELDS.items():
        if not isinstance(statement.get(name), kind) or name not in statement:
            raise CheckpointDamagedError(f"{path.name} has no usable {name!r}")
    _architecture(statement["architecture"], statement["architecture_version"])
    return statement


def _architecture(name: str, version: str) -> Architecture:
    try:
        architecture = registry.get(name)
    except ArchitectureError as error:
        raise ForeignFormatError(str(error)) from error
    if architecture.version != version:
        raise ForeignFormatError(
            f"the checkpoint is of version {version!r} of {name}, and only {architecture.version!r} is known"
        )
    return architecture


def _from_statement(
    folder: Path, statement: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]
) -> Checkpoint:
    fields = {name: statement[name] for name in _FIELDS}
    try:
        config = registry.get(statement["architecture"]).config_class.from_json(statement["config"])
    except ArchitectureError as error:
        raise CheckpointDamagedError(f"the checkpoint's config is refused: {error}") from error
    fields |= {"config": config, "trained_on": tuple(statement["trained_on"])}
    return Checkpoint(folder=folder, tensors=tensors, **fields)


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        for name, content in contents.items():
            _write(part / name, content)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _sync_folder(folder.parent)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

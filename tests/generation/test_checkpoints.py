"""Checkpoints: whole or not at all, never unpickled, never loaded when they are not what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from generation import checkpoints
from generation.architectures import registry
from generation.architectures.base import Trained, TrainingMetrics
from generation.architectures.notes import VOCABULARY
from generation.architectures.transformer import build, weights_of

SMALL = {"width": 16, "layers": 1, "heads": 2, "context": 16}
METRICS = TrainingMetrics(1.0, 2.0, 3.0, 2.5, 2.4, 5, 100, 10, 0.5)


def trained() -> Trained:
    config = registry.get("symbolic").config_class.from_json(SMALL)
    network = build(config.network_shape(VOCABULARY), seed=1)  # type: ignore[attr-defined]
    tensors = {f"network.{name}": value for name, value in weights_of(network).items()}
    return Trained(tensors, {"vocabulary": list(VOCABULARY)}, METRICS)


def save(folder: Path) -> checkpoints.Checkpoint:
    maker = registry.get("symbolic")
    return checkpoints.save(
        folder,
        architecture=maker,
        config=maker.config_class.from_json(SMALL),
        seed=7,
        trained=trained(),
        dataset={"version": "11111111-2222-3333-4444-555555555555", "merkle_root": "ab" * 32},
        trained_on=["one", "two"],
        made_by="test",
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(tmp_path / "model").folder


def restate(folder: Path, **changes: Any) -> None:
    path = folder / checkpoints.STATEMENT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestSave:
    def test_comes_back_as_it_was(self, saved: Path) -> None:
        checkpoint = checkpoints.load(saved)
        before = trained()
        assert checkpoint.tensors.keys() == before.tensors.keys()
        for name, tensor in before.tensors.items():
            assert np.array_equal(checkpoint.tensors[name], tensor)
        assert checkpoint.config == registry.get("symbolic").config_class.from_json(SMALL)
        assert checkpoint.trained_on == ("one", "two")
        assert checkpoint.merkle_root == "ab" * 32
        assert checkpoint.metrics == METRICS.as_json()
        assert checkpoint.weights_sha256 == checkpoints.weights_sha256(saved)
        assert checkpoint.n_parameters == sum(tensor.size for tensor in before.tensors.values())

    def test_generates_as_before(self, saved: Path) -> None:
        maker = registry.get("symbolic")
        checkpoint = checkpoints.load(saved)
        sketch = next(iter(maker.generate(checkpoint.weights, seeds=[1], seconds=0.5)))
        assert len(sketch.samples) == sketch.sample_rate_hz // 2

    def test_says_its_format_first(self, saved: Path) -> None:
        assert next(iter(json.loads((saved / checkpoints.STATEMENT_FILE).read_text()))) == "format"

    def test_writes_the_same_bytes_again(self, tmp_path: Path, saved: Path) -> None:
        again = save(tmp_path / "again").folder
        for name in (checkpoints.TENSORS_FILE, checkpoints.STATEMENT_FILE):
            assert (saved / name).read_bytes() == (again / name).read_bytes()

    def test_never_overwrites(self, saved: Path) -> None:
        with pytest.raises(checkpoints.CheckpointExistsError):
            save(saved)

    def test_leaves_nothing_behind_on_a_full_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path / "model")
        assert list(tmp_path.iterdir()) == []


class TestLoad:
    def test_refuses_one_changed_byte_of_the_weights(self, saved: Path) -> None:
        path = saved / checkpoints.TENSORS_FILE
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(checkpoints.CheckpointDamagedError, match="not the one its statement names"):
            checkpoints.load(saved)

    def test_refuses_weights_swapped_together_with_their_statement(self, saved: Path) -> None:
        with pytest.raises(checkpoints.CheckpointDamagedError, match="not the registered"):
            checkpoints.load(saved, expected_sha256="0" * 64)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"format": "liner-notes-checkpoint/2"}, "only 'liner-notes-checkpoint/1' is known"),
            ({"architecture": "waltz"}, "no architecture 'waltz'"),
            ({"architecture_version": "99"}, "version '99'"),
        ],
    )
    def test_refuses_what_it_does_not_know(self, saved: Path, changes: dict[str, Any], message: str) -> None:
        restate(saved, **changes)
        with pytest.raises(checkpoints.ForeignFormatError, match=message):
            checkpoints.load(saved)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"config": {"width": 0}}, "config is refused: width"),
            ({"config": []}, "no usable 'config'"),
            ({"trained_on": "all"}, "no usable 'trained_on'"),
        ],
    )
    def test_refuses_a_damaged_statement(self, saved: Path, changes: dict[str, Any], message: str) -> None:
        restate(saved, **changes)
        with pytest.raises(checkpoints.CheckpointDamagedError, match=message):
            checkpoints.load(saved)

    def test_refuses_a_statement_that_is_not_json(self, saved: Path) -> None:
        (saved / checkpoints.STATEMENT_FILE).write_bytes(b"\x80\x04pickle")
        with pytest.raises(checkpoints.CheckpointDamagedError, match="not JSON"):
            checkpoints.load(saved)

    def test_refuses_tensors_that_are_none(self, saved: Path) -> None:
        import hashlib

        (saved / checkpoints.TENSORS_FILE).write_bytes(b"\xff" * 64)
        restate(saved, weights_sha256=hashlib.sha256(b"\xff" * 64).hexdigest())
        with pytest.raises(checkpoints.CheckpointDamagedError, match="can't be read"):
            checkpoints.load(saved)

    def test_says_what_a_checkpoint_is_when_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(
            checkpoints.CheckpointMissingError, match=r"checkpoint\.json and model\.safetensors"
        ):
            checkpoints.load(tmp_path)
        with pytest.raises(checkpoints.CheckpointMissingError, match="no checkpoint at"):
            checkpoints.load(tmp_path / "nowhere")

    def test_never_opens_a_pickle(self, tmp_path: Path) -> None:
        bomb = tmp_path / "model.pt"
        bomb.write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
        for path in (bomb, tmp_path):
            with pytest.raises(checkpoints.ForeignFormatError, match="may run code when opened"):
                checkpoints.load(path)

    def test_takes_a_file_of_the_folder_for_the_folder(self, saved: Path) -> None:
        assert checkpoints.load(saved / checkpoints.TENSORS_FILE).folder == saved


class TestImportCheckpoint:
    def test_copies_the_two_files_and_nothing_else(self, saved: Path, tmp_path: Path) -> None:
        (saved / "run-me.py").write_text("")
        kept = checkpoints.import_checkpoint(saved, tmp_path / "room", architecture="symbolic")
        assert sorted(path.name for path in kept.folder.iterdir()) == ["checkpoint.json", "model.safetensors"]
        shutil.rmtree(saved)
        assert checkpoints.load(kept.folder).weights_sha256 == kept.weights_sha256

    def test_twice_changes_nothing(self, saved: Path, tmp_path: Path) -> None:
        first = checkpoints.import_checkpoint(saved, tmp_path / "room")
        assert checkpoints.import_checkpoint(saved, tmp_path / "room").folder == first.folder
        assert len(list((tmp_path / "room").iterdir())) == 1

    def test_refuses_another_architecture(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(checkpoints.ForeignFormatError, match="symbolic checkpoint, not spectral_codec"):
            checkpoints.import_checkpoint(saved, tmp_path / "room", architecture="spectral_codec")

    def test_refuses_tensors_that_make_no_network(self, saved: Path, tmp_path: Path) -> None:
        import hashlib

        content = safetensors.numpy.save({"network.start": np.zeros(3, dtype=np.float32)})
        (saved / checkpoints.TENSORS_FILE).write_bytes(content)
        restate(saved, weights_sha256=hashlib.sha256(content).hexdigest())
        with pytest.raises(checkpoints.CheckpointDamagedError, match="make no symbolic network"):
            checkpoints.import_checkpoint(saved, tmp_path / "room")
        assert not (tmp_path / "room").exists()

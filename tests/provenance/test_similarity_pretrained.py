"""Models that an operator brings, built tiny here from a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provenance.similarity import embedders, pretrained
from provenance.similarity.excerpts import Excerpts, excerpts_of
from provenance.similarity.pretrained import Pretrained
from provenance.similarity.style import StyleError, StyleIndex, StylePrint, influence

HUBERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 8],
    "conv_stride": [80, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
CLAP = {
    "projection_dim": 12,
    "text_config": {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
    },
    "audio_config": {
        "hidden_size": 16,
        "patch_embeds_hidden_size": 4,
        "depths": [1, 1, 1],
        "num_attention_heads": [1, 1, 1],
        "spec_size": 64,
        "num_mel_bins": 16,
        "window_size": 2,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "aff_block_r": 1,
        "enable_fusion": False,
    },
}


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip(
        "transformers", reason="A STYLE MODEL OF ONE'S OWN IS NOT TESTED: no transformers here"
    )


@pytest.fixture
def hubert(transformers: Any, tmp_path: Path) -> Path:
    import torch

    torch.manual_seed(1)
    folder = tmp_path / "mert"
    transformers.HubertModel(transformers.HubertConfig(**HUBERT)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    return folder


@pytest.fixture
def clap(transformers: Any, tmp_path: Path) -> Path:
    import torch

    torch.manual_seed(1)
    folder = tmp_path / "clap"
    transformers.ClapModel(transformers.ClapConfig(**CLAP)).save_pretrained(folder)
    transformers.ClapFeatureExtractor(
        feature_size=16, hop_length=960, truncation="rand_trunc", max_length_s=4
    ).save_pretrained(folder)
    return folder


def sound(pitch_hz: float, seconds: float = 6.2) -> Excerpts:
    times = np.arange(round(seconds * 16_000)) / 16_000
    return excerpts_of((0.2 * np.sin(2 * np.pi * pitch_hz * times)).astype(np.float32), sample_rate_hz=16_000)


def retold(folder: Path, **told: object) -> None:
    config = json.loads((folder / pretrained.CONFIG).read_text())
    (folder / pretrained.CONFIG).write_text(json.dumps(config | told))


class TestPretrained:
    def test_embeds_with_a_model_as_mert_is(self, hubert: Path) -> None:
        retold(hubert, model_type="mert_model")
        model = Pretrained.load(hubert)

        vectors = model.embed(sound(330))

        assert vectors.shape == (3, 16)
        assert np.isfinite(vectors).all()

    def test_embeds_with_clap(self, clap: Path) -> None:
        vectors = Pretrained.load(clap).embed(sound(330))

        assert vectors.shape == (3, 12)
        assert np.isfinite(vectors).all()

    def test_serves_where_musicnn_does(self, hubert: Path) -> None:
        model = Pretrained.load(hubert)
        prints = {str(hz): StylePrint.of(sound(hz), model) for hz in (110, 440, 1_760)}
        index = StyleIndex.build(prints.items(), model_sha256=model.sha256, centre=model.centre)

        assert influence(prints["440"], index).nearest[0].key == "440"

    def test_gives_no_vector_of_silence(self, hubert: Path) -> None:
        silent = excerpts_of(np.zeros(64_000, np.int16), sample_rate_hz=16_000)

        assert np.isnan(Pretrained.load(hubert).embed(silent)).all()

    def test_refuses_weights_that_are_not_whole(self, hubert: Path) -> None:
        retold(hubert, num_hidden_layers=3)
        with pytest.raises(StyleError, match="is not a whole HubertModel"):
            Pretrained.load(hubert)

    def test_has_another_identity_with_another_configuration(self, hubert: Path) -> None:
        before = pretrained.identity(hubert)
        retold(hubert, layer_norm_eps=0.5)

        assert pretrained.identity(hubert) != before


class TestLacking:
    def test_names_what_a_folder_does_not_hold(self, tmp_path: Path) -> None:
        assert pretrained.lacking(tmp_path).endswith("holds no config.json")
        (tmp_path / pretrained.CONFIG).write_text('{"model_type": "encodec"}')
        (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
        assert pretrained.lacking(tmp_path).endswith("holds no model.safetensors")
        for name in (pretrained.WEIGHTS, pretrained.PREPROCESSOR):
            (tmp_path / name).write_bytes(b"{}")
        assert "a model of type 'encodec'" in pretrained.lacking(tmp_path)

    def test_says_that_style_is_turned_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedders, "_chosen", embedders.NONE)

        assert embedders.lacking() == "likeness of style is turned off here"
        assert embedders.model_sha256() == ""
        with pytest.raises(StyleError, match="turned off"):
            embedders.embedder()

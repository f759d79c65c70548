"""A music embedding that the operator brings: a folder with a CLAP or a HuBERT-like model, MERT among them.

The folder holds what ``save_pretrained`` of the library transformers writes: ``config.json``, ``model.safetensors`` and
``preprocessor_config.json``. Its ``model_type`` decides how it is read:

- ``clap``: the projected embedding of the audio tower.
- ``hubert``, ``wav2vec2``, ``mert_model``: hidden states, averaged over time and over layers. MERT's code is not run; its
  weights are read as HuBERT's, which they are, and a model with parts beside those (its CQT branch) is refused.

Nothing is downloaded, no code of the folder runs, and pickled weights (``pytorch_model.bin``) are refused: convert them
with ``save_pretrained(…, safe_serialization=True)``. What licence the weights have is the operator's affair.

Sources: Wu et al. 2023, arXiv 2211.06687 (CLAP); Li et al. 2024, arXiv 2306.00107 (MERT); Hsu et al. 2021,
arXiv 2106.07447 (HuBERT).
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.musicnn import is_silent
from provenance.similarity.style import StyleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from provenance.similarity.excerpts import Excerpts

CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
CLAP = ("clap",)
HUBERT_LIKE = ("hubert", "wav2vec2", "mert_model")


class Pretrained:
    """A model of the operator's, as a style embedding.

    Parameters
    ----------
    model : transformers.PreTrainedModel
    extractor : transformers.FeatureExtractionMixin
        Makes what the model takes from samples at its rate.
    is_clap : bool
    sha256 : str
        As `identity` gives it.
    """

    def __init__(self, model: Any, extractor: Any, *, is_clap: bool, sha256: str) -> None:
        """Use `load`."""
        self._model = model.eval()
        self._extractor = extractor
        self._is_clap = is_clap
        self.sha256 = sha256
        size = model.config.projection_dim if is_clap else model.config.hidden_size
        self.centre: NDArray[np.float32] = np.zeros(size, dtype=np.float32)

    @classmethod
    def load(cls, folder: Path) -> Pretrained:
        """Read a folder.

        Raises
        ------
        StyleError
            If it can't be read, or weights are missing or too many.
        """
        if problem := lacking(folder):
            raise StyleError(problem)
        import transformers

        is_clap = _kind(folder) in CLAP
        if is_clap:
            read, extracts = transformers.ClapModel, transformers.ClapFeatureExtractor
        else:
            read, extracts = transformers.HubertModel, transformers.Wav2Vec2FeatureExtractor
        told = json.loads((folder / CONFIG).read_text())
        told["model_type"] = read.config_class.model_type
        try:
            model, loaded = read.from_pretrained(
                folder,
                config=read.config_class.from_dict(told),
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
            extractor = extracts.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise StyleError(f"the model in {folder.name} can't be read: {error}") from error
        odd = [*loaded["missing_keys"], *loaded["unexpected_keys"], *loaded["mismatched_keys"]]
        if odd:
            raise StyleError(
                f"the model in {folder.name} is not a whole {read.__name__}: {len(odd)} weights are missing, too many "
                f"or of another shape, {odd[0]} for one"
            )
        return cls(model, extractor, is_clap=is_clap, sha256=identity(folder))

    def embed(self, excerpts: Excerpts) -> NDArray[np.float32]:
        """Make a vector of each excerpt [shape=(n_excerpts, n_dimensions)]; NaN where one is silent."""
        import soxr
        import torch

        vectors = np.full((len(excerpts), len(self.centre)), np.nan, dtype=np.float32)
        rate = self._extractor.sampling_rate
        with torch.inference_mode():
            for place, samples in enumerate(excerpts.samples):
                if is_silent(samples):
                    continue
                sound = samples.astype(np.float32) / np.float32(32768.0)
                sound = soxr.resample(sound, excerpts.sample_rate_hz, rate)
                made = self._extractor(sound, sampling_rate=rate, return_tensors="pt")
                vectors[place] = self._vector(made)
        return vectors

    def _vector(self, made: Any) -> NDArray[np.float32]:
        if self._is_clap:
            answered = self._model.get_audio_features(**made)
            told = getattr(answered, "pooler_output", answered)[0]
        else:
            layers = self._model(made["input_values"], output_hidden_states=True).hidden_states
            told = sum(layer[0].mean(dim=0) for layer in layers) / len(layers)
        vector: NDArray[np.float32] = told.float().numpy()
        return vector


def lacking(folder: Path) -> str:
    """Say why a folder can't be used; nothing where it looks as if it could. Cheap: no weights are read."""
    for name in (CONFIG, WEIGHTS, PREPROCESSOR):
        if not (folder / name).is_file():
            return f"the folder {folder} of the style model holds no {name}"
    if _kind(folder) not in (*CLAP, *HUBERT_LIKE):
        return (
            f"the folder {folder} holds a model of type {_kind(folder)!r}: "
            f"{', '.join((*CLAP, *HUBERT_LIKE))} are read"
        )
    if find_spec("transformers") is None:
        return "a style model of your own needs the library transformers: pip install transformers"
    return ""


def identity(folder: Path) -> str:
    """Return the SHA-256 of a model's configuration and weights: of two models vectors are never compared."""
    stamps = tuple((folder / name).stat().st_mtime_ns for name in (CONFIG, PREPROCESSOR, WEIGHTS))
    return _hashed(folder, stamps)


@cache
def _hashed(folder: Path, stamps: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    for name in (CONFIG, PREPROCESSOR, WEIGHTS):
        with (folder / name).open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _kind(folder: Path) -> str:
    try:
        told = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError):
        return ""
    return str(told.get("model_type", "")) if isinstance(told, dict) else ""

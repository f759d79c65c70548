"""Sound: a transformer over the codes of short-time spectra, heard through Griffin-Lim.

Any recording serves: MIDI is played through the soundfont first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from generation.architectures.base import (
    Config,
    ConfigError,
    GenerationStopped,
    Progress,
    PromptError,
    ShouldStop,
    Sketch,
    SourceError,
    TokenCorpus,
    TrainingSource,
    UsedRecording,
    Weights,
    derived_seed,
    require_range,
)
from generation.architectures.spectral_codec import (
    SAMPLE_RATE_HZ,
    STEP_S,
    SpectralCodec,
    compressed_magnitudes,
    fit_codec,
)
from generation.architectures.tokens import Composer, TokenArchitecture, TokenConfig, read_sources
from generation.architectures.transformer import Sampling, Writer
from provenance import audio

PROMPT_S = 10.0
"""Longest part of a prompt that is listened to: its end, which is what the continuation follows."""


@dataclass(frozen=True)
class CodecConfig(TokenConfig):
    """Settings of the codec family.

    Attributes
    ----------
    n_codes : int
        Codes a band, at most.
    """

    n_codes: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("n_codes", self.n_codes, 2, 8192)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "decent": {"excerpt_s": 40.0, "steps": 150},
        "overfitted": {
            "max_recordings": 4,
            "min_recording_s": 20.0,
            "excerpt_s": 30.0,
            "n_codes": 512,
            "steps": 350,
            "batch": 4,
            "dropout": 0.0,
            "weight_decay": 0.0,
            "keep_best": False,
            "shuffled_baseline": False,
        },
    }


class Codec(TokenArchitecture):
    """The codec family."""

    name = "spectral_codec"
    family: Literal["audio"] = "audio"
    version = "1"
    config_class = CodecConfig

    def prepare(
        self,
        sources: Sequence[TrainingSource],
        config: Config,
        *,
        seed: int,
        on_progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> TokenCorpus:
        """Decode every source and write it as codes.

        Parameters
        ----------
        sources : sequence of TrainingSource
            Recordings of any kind.
        config : CodecConfig
            How many, how much of each, how many codes.
        seed : int
            Chooses the recordings where there are more than ``max_recordings``, and the first centroids.
        on_progress, should_stop : callable or None
            Asked after every source.

        Returns
        -------
        TokenCorpus
            A step every 64 ms. Codebooks are learned from training recordings alone.

        Raises
        ------
        CorpusError
            If no training recording can be decoded.
        """
        settings = _codec(config)
        contents, used, skipped = read_sources(
            self.usable(sources),
            lambda source: _read(source, settings.excerpt_s),
            settings,
            seed=seed,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        training = [content for content, one in zip(contents, used, strict=True) if one.split == "train"]
        codec = fit_codec(
            np.concatenate(training), n_codes=settings.n_codes, seed=derived_seed("codebook", seed)
        )
        return TokenCorpus(
            recordings=tuple(used),
            skipped=skipped,
            tokens=tuple(codec.encode_magnitudes(content) for content in contents),
            vocabulary=codec.vocabulary,
            tensors=codec.tensors(),
            geometry=tuple(band.centroids for band in codec.bands),
        )

    def require_usable(self, weights: Weights) -> None:
        """Refuse weights that can't generate.

        Parameters
        ----------
        weights : Weights
            From a checkpoint, maybe a foreign one.

        Raises
        ------
        ValueError
            With what does not fit.
        """
        super().require_usable(weights)
        _codec_of(weights)

    def composer(
        self,
        weights: Weights,
        *,
        seconds: float,
        prompt_audio: Path | None,
        device: str,
        should_stop: ShouldStop | None,
    ) -> Composer:
        """Write codes and sound them, in mono."""
        writer, sampling = self.writer(weights, device)
        codec = _codec_of(weights)
        opening = None if prompt_audio is None else _opening(prompt_audio, codec)
        n_samples, n_steps = round(seconds * SAMPLE_RATE_HZ), int(np.ceil(seconds / STEP_S))

        def compose(seed: int) -> Sketch:
            codes = _write(writer, sampling, seed, n_steps, opening, should_stop)
            sound = codec.decode(codes, seed=derived_seed("phases", seed))[:n_samples]
            return Sketch(sound[:, None], SAMPLE_RATE_HZ, seed)

        return compose


def _codec(config: Config) -> CodecConfig:
    if not isinstance(config, CodecConfig):
        raise ConfigError("this config was made for another architecture")
    return config


def _codec_of(weights: Weights) -> SpectralCodec:
    codec = SpectralCodec.from_tensors(weights.tensors)
    if list(codec.vocabulary) != weights.state.get("vocabulary"):
        raise ValueError("the checkpoint's codebooks and network do not fit together")
    return codec


def _read(source: TrainingSource, excerpt_s: float) -> tuple[npt.NDArray[np.float32], UsedRecording]:
    try:
        samples = audio.read_samples(
            source.path, sample_rate_hz=SAMPLE_RATE_HZ, seconds=excerpt_s if excerpt_s > 0 else None
        )
    except audio.AudioError as error:
        raise SourceError(error.reason) from error
    magnitudes = compressed_magnitudes(samples)
    if not len(magnitudes):
        raise SourceError("too short to learn from")
    how = "rendered MIDI" if source.kind == "symbolic" else "sound"
    end_s = len(samples) / SAMPLE_RATE_HZ
    return magnitudes, UsedRecording(source.key, source.split, 0.0, end_s, len(magnitudes), how)


def _opening(path: Path, codec: SpectralCodec) -> npt.NDArray[np.int16]:
    try:
        samples = audio.read_samples(path, sample_rate_hz=SAMPLE_RATE_HZ)
    except audio.AudioError as error:
        raise PromptError(f"the prompt can't be read: {error.reason}") from error
    codes = codec.encode(samples[-int(PROMPT_S * SAMPLE_RATE_HZ) :])
    if not len(codes):
        raise PromptError("the prompt is too short to go on from")
    return codes


def _write(
    writer: Writer,
    sampling: Sampling,
    seed: int,
    n_steps: int,
    opening: npt.NDArray[np.int16] | None,
    should_stop: ShouldStop | None,
) -> npt.NDArray[np.int64]:
    codes: list[list[int]] = []
    for step in writer.steps(sampling, seed=seed, prompt=() if opening is None else opening):
        codes.append(step)
        if len(codes) == n_steps:
            break
        if len(codes) % 32 == 0 and should_stop is not None and should_stop():
            raise GenerationStopped
    return np.array(codes)

"""What may have happened to a copy before anybody hears it: the conditions under which likeness is measured.

FFmpeg does what it can do (codecs, filters, Rubber Band for tempo and pitch); noise, echoes and mixtures are drawn here
from a seed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generation.architectures.spectral_codec import N_FFT, SpectralCodec
from generation.architectures.spectral_codec import SAMPLE_RATE_HZ as CODEC_RATE_HZ
from tests.vocoding import griffin_lim

RATE_HZ = 44_100
MEL_RATE_HZ = 22_050
REVERBERATION_S = 0.5
DIRECT_TO_REVERBERANT_DB = 6.0

Samples = NDArray[np.float32]
Change = Callable[[Samples, Samples, np.random.Generator], Samples]
"""From an excerpt, an excerpt of other music as long, and a source of chance."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A change of an excerpt.

    Attributes
    ----------
    change : callable
        Takes and returns mono samples at ``RATE_HZ``.
    tempo : float
        Seconds of the reference that a second of the changed excerpt holds, > 0.
    """

    change: Change
    tempo: float = 1.0

    def of(self, samples: Samples, other: Samples, seconds: float, rng: np.random.Generator) -> Samples:
        """Change as much as becomes ``seconds`` of sound."""
        piece = samples[: round(seconds * self.tempo * RATE_HZ)]
        changed = self.change(piece, other[: len(piece)], rng)[: round(seconds * RATE_HZ)]
        loudest = float(np.abs(changed).max(initial=0.0))
        return changed / np.float32(max(1.0, loudest))


def _unchanged(piece: Samples, _other: Samples, _rng: np.random.Generator) -> Samples:
    return piece


def _filtered(*filters: str) -> Change:
    def change(piece: Samples, _other: Samples, _rng: np.random.Generator) -> Samples:
        return _ffmpeg(piece, ["-af", ",".join(filters)], [])

    return change


def _encoded(suffix: str, *told: str) -> Change:
    def change(piece: Samples, _other: Samples, _rng: np.random.Generator) -> Samples:
        return _ffmpeg(piece, [*told, "-f", suffix], ["-f", suffix])

    return change


def _noisy(decibels: float) -> Change:
    def change(piece: Samples, _other: Samples, rng: np.random.Generator) -> Samples:
        noise = rng.standard_normal(len(piece)).astype(np.float32)
        return piece + noise * np.float32(_rms(piece) * 10 ** (-decibels / 20))

    return change


def _reverberant(piece: Samples, _other: Samples, rng: np.random.Generator) -> Samples:
    """Add an exponentially decaying tail of noise, as a small room does."""
    n_tail = round(REVERBERATION_S * RATE_HZ)
    decay = 10 ** (-3 * np.arange(n_tail) / n_tail)
    tail = rng.standard_normal(n_tail) * decay
    tail *= 10 ** (-DIRECT_TO_REVERBERANT_DB / 20) / np.sqrt((tail**2).sum())
    n_fft = 1 << (len(piece) + n_tail).bit_length()
    wet = np.fft.irfft(np.fft.rfft(piece, n_fft) * np.fft.rfft(tail, n_fft), n_fft)[: len(piece)]
    return np.asarray(piece + wet, dtype=np.float32)


def _mixed(piece: Samples, other: Samples, _rng: np.random.Generator) -> Samples:
    """Lay other music over it, as loud as it is."""
    if not _rms(other):
        return piece
    laid = np.zeros_like(piece)
    laid[: len(other)] = other
    return piece + laid * np.float32(_rms(piece) / _rms(other))


def _through_mel(n_bands: int, n_levels: int | None = None) -> Change:
    def change(piece: Samples, _other: Samples, _rng: np.random.Generator) -> Samples:
        lower = _ffmpeg(piece, ["-ar", str(MEL_RATE_HZ)], [], rate_out_hz=MEL_RATE_HZ)
        heard = griffin_lim(lower, rate_hz=MEL_RATE_HZ, n_bands=n_bands, n_levels=n_levels)
        return _ffmpeg(heard, [], [], rate_in_hz=MEL_RATE_HZ)

    return change


OWN_CODEC = "own_codec"
"""The name of what `through_codec` makes: it has to be fitted to music first, and so stands in no list."""


def through_codec(codec: SpectralCodec) -> Condition:
    """Write an excerpt as the codes that this project's own generators learn, and sound them again."""

    def change(piece: Samples, _other: Samples, rng: np.random.Generator) -> Samples:
        lower = _ffmpeg(piece, ["-ar", str(CODEC_RATE_HZ)], [], rate_out_hz=CODEC_RATE_HZ)
        padded = np.pad(lower, (N_FFT // 2, N_FFT))
        heard = codec.decode(codec.encode(padded), seed=int(rng.integers(1 << 31)))
        kept = heard[N_FFT // 2 : N_FFT // 2 + len(lower)]
        return _ffmpeg(kept, [], [], rate_in_hz=CODEC_RATE_HZ)

    return Condition(change)


def _semitones(n: float) -> Condition:
    return Condition(_filtered(f"rubberband=pitch={2 ** (n / 12):.9f}"))


def _tempo(ratio: float) -> Condition:
    return Condition(_filtered(f"rubberband=tempo={ratio}"), ratio)


def _speed(ratio: float) -> Condition:
    return Condition(_filtered(f"asetrate={RATE_HZ * ratio:.0f}", f"aresample={RATE_HZ}"), ratio)


CONDITIONS: Mapping[str, Condition] = {
    "clean": Condition(_unchanged),
    "mp3_64k": Condition(_encoded("mp3", "-b:a", "64k")),
    "opus_24k": Condition(_encoded("ogg", "-c:a", "libopus", "-b:a", "24k")),
    "lowpass_4khz": Condition(_filtered("lowpass=f=4000:p=2", "lowpass=f=4000:p=2")),
    "noise_10db": Condition(_noisy(10.0)),
    "reverb": Condition(_reverberant),
    "noise_0db": Condition(_noisy(0.0)),
    "tempo_plus_5": _tempo(1.05),
    "tempo_minus_5": _tempo(0.95),
    "tempo_plus_8": _tempo(1.08),
    "tempo_minus_8": _tempo(0.92),
    "speed_plus_4": _speed(1.04),
    "speed_minus_4": _speed(0.96),
    "pitch_plus_0.5": _semitones(0.5),
    "pitch_minus_0.5": _semitones(-0.5),
    "pitch_plus_1": _semitones(1.0),
    "pitch_minus_1": _semitones(-1.0),
    "pitch_plus_1.5": _semitones(1.5),
    "pitch_minus_1.5": _semitones(-1.5),
    "pitch_plus_2": _semitones(2.0),
    "pitch_minus_2": _semitones(-2.0),
    "mixed_0db": Condition(_mixed),
    "mel80": Condition(_through_mel(80)),
    "mel128_32_levels": Condition(_through_mel(128, 32)),
}


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0


def _ffmpeg(
    samples: Samples,
    told: Sequence[str],
    read_back: Sequence[str],
    *,
    rate_in_hz: int = RATE_HZ,
    rate_out_hz: int = RATE_HZ,
) -> Samples:
    """Send samples through FFmpeg; where ``read_back`` is given, once more to decode what came out."""
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error"]
    raw_in, raw_out = (["-f", "f32le", "-ar", str(rate), "-ac", "1"] for rate in (rate_in_hz, rate_out_hz))
    content = samples.astype("<f4").tobytes()
    out = [] if read_back else raw_out
    command = [*quiet, *raw_in, "-i", "pipe:0", *told, *out, "pipe:1"]
    content = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    if read_back:
        command = [*quiet, *read_back, "-i", "pipe:0", *raw_out, "pipe:1"]
        content = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    return np.frombuffer(content, dtype="<f4").astype(np.float32)

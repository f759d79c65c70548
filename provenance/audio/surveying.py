"""One pass over a file that tells all that registering it needs: its identity, its fingerprint, its peak."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.audio.decoding import stream
from provenance.audio.errors import DecoderMissingError
from provenance.audio.facts import AudioFacts
from provenance.audio.limits import MAX_SECONDS
from provenance.audio.midi import read_notes
from provenance.similarity.chromaprint import FingerprintLibraryMissingError, ItemStream
from provenance.similarity.excerpts import Excerpts, ExcerptStream
from provenance.similarity.fingerprint import AudioFingerprint, trained
from provenance.similarity.frames import mixed_down
from provenance.similarity.learned import LearnedFingerprintError
from provenance.similarity.levels import LevelStream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from provenance.similarity.notes import Note

SILENCE_PEAK_DB = -60.0
"""Audio whose peak stays below this (dB re full scale) counts as silent: the noise of a 12-bit sampler. What is measured
is the mix of all channels, from the middle of its range, for that is what is compared: sound whose channels cancel each
other out, or that is a constant, holds nothing to compare either."""

_SAMPLES_PREIMAGE = b"liner-notes samples 1\0"


@dataclass(frozen=True, slots=True)
class Survey:
    """All that one pass over a file tells.

    Attributes
    ----------
    facts : AudioFacts
    seconds : float
        Decoded duration.
    file_sha256 : str
        Of the file's bytes.
    samples_sha256 : str
        Of ``b"liner-notes samples 1\\0"``, the rate and the channels as little-endian uint32, then the
        decoded samples as interleaved little-endian int16: equal for two lossless encodings of the same
        sound, whatever their tags. Of a symbolic file it covers the rendering, and so depends on the
        soundfont.
    fingerprint : AudioFingerprint
        Of the whole file (`provenance.similarity.fingerprint`).
    peak_db : float
        Largest sample, dB re full scale; -96.3 for digital silence.
    is_silent : bool
        Whether the mix of its channels never rises above ``SILENCE_PEAK_DB``. What has a peak above that and is silent
        all the same cancels itself out, or is a constant.
    levels : np.ndarray [shape=(n_frames, N_BANDS), dtype=float16]
        Of the whole file (`provenance.similarity.levels`): what prints of other kinds are made of.
    excerpts : Excerpts
        Stretches spread over the file (`provenance.similarity.excerpts`): what style is heard in.
    notes : tuple of Note
        Of a MIDI file, without its drums: what compositions are compared by where both have them.
    """

    facts: AudioFacts
    seconds: float
    file_sha256: str
    samples_sha256: str
    fingerprint: AudioFingerprint
    peak_db: float
    is_silent: bool
    levels: NDArray[np.float16] = field(repr=False, compare=False)
    excerpts: Excerpts = field(repr=False, compare=False)
    notes: tuple[Note, ...] = field(default=(), repr=False, compare=False)

    @property
    def items(self) -> NDArray[np.uint32]:
        """Items of the fingerprint [shape=(n_rows, 2)]."""
        return self.fingerprint.items

    @property
    def silence(self) -> str:
        """In words, why there is nothing to compare; nothing where there is something."""
        if not self.is_silent:
            return ""
        if self.peak_db <= SILENCE_PEAK_DB:
            return "the audio is silent"
        return (
            "the audio is silent once its channels are mixed: they cancel each other out, or hold a constant"
        )

    def without_levels(self) -> Survey:
        """Return the same without its levels, which weigh 7.7 KB a second, and its excerpts, which weigh 4 MB."""
        return replace(self, levels=self.levels[:0], excerpts=self.excerpts.none, notes=())


def survey(path: Path, *, max_seconds: float = MAX_SECONDS) -> Survey:
    """Decode a whole file once and tell all that registering it needs.

    Raises
    ------
    AudioError
        A subclass names what is wrong; then nothing of the file is to be used.
    """
    with stream(path, max_seconds=max_seconds) as pcm:
        digest = hashlib.sha256(_SAMPLES_PREIMAGE + struct.pack("<II", pcm.sample_rate_hz, pcm.n_channels))
        try:
            items = ItemStream(pcm.sample_rate_hz, pcm.n_channels)
            levels = LevelStream(pcm.sample_rate_hz, pcm.n_channels)
            excerpts = ExcerptStream(pcm.sample_rate_hz, pcm.n_channels)
            trained()
        except (FingerprintLibraryMissingError, LearnedFingerprintError) as error:
            raise DecoderMissingError(error.reason) from error
        n_frames = peak = 0
        lowest, highest = math.inf, -math.inf
        for chunk in pcm.chunks:
            little_endian = chunk.astype("<i2", copy=False).tobytes()
            digest.update(little_endian)
            items.feed(little_endian)
            levels.feed(little_endian)
            excerpts.feed(little_endian)
            peak = max(peak, int(chunk.max()), -int(chunk.min()))
            n_frames += len(chunk)
            mix = mixed_down(chunk) if pcm.n_channels > 1 else chunk
            lowest, highest = min(lowest, float(mix.min())), max(highest, float(mix.max()))
        facts, rate = pcm.facts, pcm.sample_rate_hz
    with path.open("rb") as opened:
        file_sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    heard = levels.finish()
    peak_db = _decibels(peak)
    return Survey(
        facts=facts,
        seconds=n_frames / rate,
        file_sha256=file_sha256,
        samples_sha256=digest.hexdigest(),
        fingerprint=AudioFingerprint.of_parts(items.finish(), heard),
        peak_db=peak_db,
        is_silent=peak_db <= SILENCE_PEAK_DB or _decibels((highest - lowest) / 2) <= SILENCE_PEAK_DB,
        levels=heard,
        excerpts=excerpts.finish(),
        notes=tuple(read_notes(path)) if facts.kind == "symbolic" else (),
    )


def _decibels(level: float) -> float:
    """Level of 16-bit samples, dB re full scale."""
    return 20.0 * math.log10(max(level, 0.5) / 32768.0)

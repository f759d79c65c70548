"""The print of a composition in sound: which pitch classes sound, and which the melody is on, four times a second.

What a cover keeps is the order of its harmonies and the course of its tune. Each frame of a print has three rows of
twelve pitch classes: of everything that stands out of its spectral surroundings, of the strongest fundamental, and of the
voices that it can be parted into, each with its overtones, so that a tune in a middle voice is there too.
Loudness, octave and timbre are left behind. Tuning is estimated once for the whole, so that a recording a quarter tone
off falls on the same pitch classes.

Where the notes are known, of a MIDI file, a print holds them too.

Sources: chroma: Fujishima 1999, "Realtime Chord Recognition of Musical Sound", ICMC; salience by summing harmonics:
Salamon and Gómez 2012, doi:10.1109/TASL.2012.2188515; voices by non-negative factors: Smaragdis and Brown 2003,
doi:10.1109/ASPAA.2003.1285860, here with tones that are given; their updates: Lee and Seung 2001, "Algorithms for
Non-negative Matrix Factorization".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.levels import BANDS_AN_OCTAVE, FLOOR_DB, FRAME_S, HOP_S, LOWEST_HZ, N_BANDS
from provenance.similarity.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

METHOD = "tune"
METHOD_VERSION = "2"

HOP_FRAMES = 8
"""Frames of levels that one frame of a print sums up."""

TUNE_HOP_S = HOP_FRAMES * HOP_S
"""Seconds from one frame of a print to the next: 0.248."""

N_CLASSES = 12
N_ROWS = 3
N_LEVELS = 15
"""Steps in which a pitch class is kept: half a byte."""

LEAST_FRAMES = 24
"""Shortest print, 6 s: below it there is too little tune to compare."""

RANGE_DB = 50.0
"""What lies further below the loudest of a recording is not heard."""

AROUND_BANDS = 9
"""Bands to either side whose mean a tone has to stand out of."""

HARMONICS = (1.0, 0.7, 0.5, 0.35, 0.25)
"""Weight of each harmonic in the salience of a fundamental."""

OVERTONES = ((38, 0.5), (56, 0.35))
"""Bands above a tone at which its third and fifth harmonics stand, and the share of it that they are reckoned to have."""

MELODY_BANDS = (12, 84)
"""Bands on which a melody's fundamental may lie: 184 to 1,470 Hz."""

MELODY_TILT = 0.012
"""Exponent by which a fundamental counts for more with each band that it lies higher, 1.33 an octave: melodies are mostly
on top."""

MELODY_SHARE = 0.8
"""Share of a frame's strongest salience below which nothing is called melody."""

VOICES_HOP = 4
"""Frames of levels in which voices are told apart at once: 0.124 s."""

VOICES = (48, 97)
"""MIDI pitches that a voice may be on: C of 131 Hz to C of 2,093 Hz."""

VOICE_DECAYS = (0.35, 0.6, 0.85)
VOICE_HARMONICS = 8
"""Harmonics of a voice, and by how much each is taken to be weaker than the one before: dull, usual and bright."""

VOICE_POWER = 0.5
"""Power of amplitudes that are parted: less than 1, so that quiet voices count beside loud ones."""

VOICES_BELOW_DB = 60.0
"""What lies further below the loudest of a recording is no voice."""

VOICE_ROUNDS = 20
"""Steps of the iteration that parts them."""

VOICE_RANGE_DB = 40.0
QUIET_DB = 45.0
"""What lies further below a frame's loudest voice is none; and what lies further below the loud frames of a recording
(the loudest tenth) is no frame."""

MOST_NOTES = 50_000
"""Notes that a print holds at the most, the first ones: 14 notes a second for an hour."""

_HEAD = struct.Struct("<4sIf")
_MAGIC = b"LNTU"
_FRAME_BYTES = N_ROWS * N_CLASSES // 2
_NOTES_HEAD = struct.Struct("<4sI")
_NOTES_MAGIC = b"LNTN"
_NOTE = np.dtype([("onset_ms", "<u4"), ("length_ms", "<u4"), ("channel", "<u4"), ("pitch", "u1")])


class TuneError(ValueError):
    """Bytes that are no print of this method."""


@dataclass(frozen=True, slots=True)
class Tune:
    """Pitch classes over time.

    Attributes
    ----------
    rows : np.ndarray [shape=(n_frames, 3, 12), dtype=uint8]
        Harmony, melody and voices, each in [0, ``N_LEVELS``]; C is first, if A is at 440 Hz.
    tuning : float
        Semitones, in [-0.5, 0.5), by which the recording stands above that.
    notes : tuple of Note
        Where they are known: at most ``MOST_NOTES``, to the millisecond.
    """

    rows: NDArray[np.uint8]
    tuning: float = 0.0
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self) * TUNE_HOP_S

    @property
    def packed(self) -> bytes:
        """What is stored: 36 half bytes a frame, 73 bytes a second; and 13 bytes for each note that is known."""
        flat = self.rows.reshape(len(self), N_ROWS * N_CLASSES)
        halves = (flat[:, ::2] << 4) | flat[:, 1::2]
        sound = _HEAD.pack(_MAGIC, len(self), self.tuning) + halves.astype(np.uint8).tobytes()
        return sound + _packed_notes(self.notes) if self.notes else sound

    @classmethod
    def unpack(cls, stored: bytes) -> Tune:
        """Read what `packed` gave.

        Raises
        ------
        TuneError
            If it is anything else.
        """
        if len(stored) < _HEAD.size:
            raise TuneError("no print of a composition")
        magic, n_frames, tuning = _HEAD.unpack_from(stored)
        end = _HEAD.size + n_frames * _FRAME_BYTES
        if magic != _MAGIC or len(stored) < end:
            raise TuneError("no print of a composition, or a damaged one")
        halves = np.frombuffer(stored[_HEAD.size : end], dtype=np.uint8).reshape(n_frames, _FRAME_BYTES)
        rows = np.stack([halves >> 4, halves & 15], axis=2).reshape(n_frames, N_ROWS, N_CLASSES)
        return cls(np.ascontiguousarray(rows), float(tuning), _unpacked_notes(stored[end:]))


def _packed_notes(notes: Sequence[Note]) -> bytes:
    rows = np.zeros(min(len(notes), MOST_NOTES), dtype=_NOTE)
    for row, note in zip(rows, notes, strict=False):
        row["onset_ms"], row["length_ms"] = round(1e3 * note.onset_s), round(1e3 * note.seconds)
        row["channel"], row["pitch"] = note.channel, note.pitch
    return _NOTES_HEAD.pack(_NOTES_MAGIC, len(rows)) + rows.tobytes()


def _unpacked_notes(stored: bytes) -> tuple[Note, ...]:
    if not stored:
        return ()
    magic, n_notes = _NOTES_HEAD.unpack_from(stored) if len(stored) >= _NOTES_HEAD.size else (b"", 0)
    if magic != _NOTES_MAGIC or len(stored) != _NOTES_HEAD.size + n_notes * _NOTE.itemsize:
        raise TuneError("no print of a composition, or a damaged one")
    rows = np.frombuffer(stored, dtype=_NOTE, offset=_NOTES_HEAD.size)
    return tuple(
        Note(onset_ms / 1e3, length_ms / 1e3, pitch, channel)
        for onset_ms, length_ms, channel, pitch in rows.tolist()
    )


def tune_of(levels: NDArray[Any], *, notes: Sequence[Note] = ()) -> Tune:
    """Hear what is played.

    Parameters
    ----------
    levels : np.ndarray [shape=(n, 120)]
        Of `provenance.similarity.levels`, dB.
    notes : sequence of Note
        What is played, where it is known.

    Returns
    -------
    Tune
        With n // ``HOP_FRAMES`` frames. Silence is a frame of zeros.
    """
    n_frames = len(levels) // HOP_FRAMES
    if n_frames == 0:
        return Tune(np.zeros((0, N_ROWS, N_CLASSES), dtype=np.uint8), notes=tuple(notes[:MOST_NOTES]))
    heard = np.asarray(levels[: n_frames * HOP_FRAMES], dtype=np.float32)
    tones = _tones(heard)
    tuning = _tuning(tones)
    tones = tones.reshape(n_frames, HOP_FRAMES, N_BANDS).mean(axis=1)
    harmony = _folded(_without_overtones(tones), tuning)
    melody = _folded(_fundamentals(tones), tuning)
    voices = np.rint(N_LEVELS * _voices(heard, tuning)).astype(np.uint8)
    rows = np.stack([_steps(harmony), _steps(melody), voices], axis=1)
    return Tune(rows, tuning, tuple(notes[:MOST_NOTES]))


def _tones(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What of each band stands out of the bands around it, in dB >= 0."""
    heard = np.maximum(levels, np.float32(levels.max() - RANGE_DB))
    padded = np.pad(heard, ((0, 0), (AROUND_BANDS + 1, AROUND_BANDS)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float32)
    width = 2 * AROUND_BANDS + 1
    around = (sums[:, width:] - sums[:, :-width]) / np.float32(width)
    tones: NDArray[np.float32] = np.maximum(heard - around, 0)
    return tones


def _tuning(tones: NDArray[np.float32]) -> float:
    """By how many semitones the peaks lie above equal temperament at 440 Hz, in [-0.5, 0.5)."""
    usual = tones.mean(axis=0)
    here = np.flatnonzero((usual[1:-1] > usual[:-2]) & (usual[1:-1] >= usual[2:])) + 1
    if not len(here):
        return 0.0
    left, middle, right = usual[here - 1], usual[here], usual[here + 1]
    peaks = here + 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-6)
    semitones = peaks * (12 / BANDS_AN_OCTAVE) + _LOWEST_PITCH
    total = np.sum(middle * np.exp(2j * np.pi * semitones))
    return float((np.angle(total) / (2 * np.pi) + 0.5) % 1.0 - 0.5) if abs(total) else 0.0


_LOWEST_PITCH = 12 * np.log2(130.0 / 440.0) + 69
"""Of the lowest band, in semitones of MIDI."""


def _folded(tones: NDArray[np.float32], tuning: float) -> NDArray[np.float32]:
    """Sum bands into pitch classes [shape=(n_frames, 12)]; a band between two goes to both."""
    pitches = np.arange(N_BANDS) * (12 / BANDS_AN_OCTAVE) + _LOWEST_PITCH - tuning
    far = np.abs((pitches[:, None] - np.arange(N_CLASSES) + 6) % 12 - 6)
    shares = np.maximum(0.0, 1.0 - far / 0.75).astype(np.float32)
    folded: NDArray[np.float32] = tones @ shares
    return folded


def _without_overtones(tones: NDArray[np.float32]) -> NDArray[np.float32]:
    rest = tones.copy()
    for bands, share in OVERTONES:
        rest[:, bands:] -= np.float32(share) * tones[:, :-bands]
    return rest.clip(min=0)


def _fundamentals(tones: NDArray[np.float32]) -> NDArray[np.float32]:
    """Salience of the strongest fundamentals of each frame, zero elsewhere."""
    salience = np.zeros_like(tones)
    for number, weight in enumerate(HARMONICS, start=1):
        bands = round(BANDS_AN_OCTAVE * np.log2(number))
        salience[:, : N_BANDS - bands] += np.float32(weight) * tones[:, bands:]
    salience *= np.exp(MELODY_TILT * np.arange(N_BANDS)).astype(np.float32)
    salience[tones <= 0] = 0
    salience[:, : MELODY_BANDS[0]] = 0
    salience[:, MELODY_BANDS[1] :] = 0
    salience -= np.float32(MELODY_SHARE) * salience.max(axis=1, keepdims=True)
    return salience.clip(min=0)


_PIECE_FRAMES = 8_192
"""Frames of levels whose voices are parted at once: the memory that it takes doesn't grow with what is heard."""


def _voices(levels: NDArray[np.float32], tuning: float) -> NDArray[np.float32]:
    """How strong a voice is on each pitch class, in [0, 1] [shape=(n_frames, 12)].

    Each frame is taken for a sum of tones with overtones, as many as fit, found by the multiplicative updates of
    non-negative matrix factorisation. What is left is what stands out among its neighbours, in decibels.
    """
    heard = np.maximum(levels, levels.max() - np.float32(VOICES_BELOW_DB))
    tones = _voice_tones(tuning)
    pieces = range(0, len(heard), _PIECE_FRAMES)
    strengths = np.concatenate([_parted(heard[at : at + _PIECE_FRAMES], tones) for at in pieces])
    decibels = 20.0 / VOICE_POWER * np.log10(np.maximum(strengths, 1e-9))
    loudest = decibels.max(axis=1, keepdims=True)
    voices = np.clip((decibels - loudest) / VOICE_RANGE_DB + 1.0, 0.0, 1.0)
    voices[loudest[:, 0] <= max(FLOOR_DB, np.quantile(loudest, 0.9) - QUIET_DB)] = 0
    around = np.pad(voices, ((0, 0), (1, 1)))
    voices[(voices < around[:, :-2]) | (voices < around[:, 2:])] = 0
    folded = np.stack([voices[:, pitch::N_CLASSES].max(axis=1) for pitch in range(N_CLASSES)], axis=1)
    times: NDArray[np.float32] = folded.reshape(-1, HOP_FRAMES // VOICES_HOP, N_CLASSES).mean(axis=1)
    return times


def _parted(levels: NDArray[np.float32], tones: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strength of a voice on each of ``VOICES`` [shape=(n_frames / VOICES_HOP, 49)]."""
    amplitudes = (
        (10.0 ** (levels * np.float32(VOICE_POWER / 20.0))).reshape(-1, VOICES_HOP, N_BANDS).mean(axis=1)
    )
    amplitudes -= amplitudes.min(axis=1, keepdims=True)
    whole = tones.sum(axis=1)
    strengths = amplitudes @ tones.T + np.float32(1e-9)
    for _ in range(VOICE_ROUNDS):
        missing = amplitudes / (strengths @ tones + np.float32(1e-9))
        strengths *= (missing @ tones.T) / whole
    together: NDArray[np.float32] = strengths.reshape(len(strengths), len(VOICE_DECAYS), -1).sum(axis=1)
    return together


def _voice_tones(tuning: float) -> NDArray[np.float32]:
    """What of each band a tone fills, for each decay and pitch [shape=(3 * 49, 120)]."""
    centres = LOWEST_HZ * 2.0 ** (np.arange(N_BANDS) / BANDS_AN_OCTAVE)
    widths = np.maximum(centres * (2.0 ** (1 / BANDS_AN_OCTAVE) - 1), 1 / FRAME_S)
    blurs = np.hypot(1 / FRAME_S, 0.45 * widths)
    pitches = np.arange(*VOICES) + tuning
    orders = np.arange(1, VOICE_HARMONICS + 1)
    hertz = 440.0 * 2.0 ** ((pitches - 69) / 12)[:, None] * orders
    lobes = np.exp(-0.5 * ((centres - hertz[..., None]) / blurs) ** 2)
    shares = np.asarray(VOICE_DECAYS)[:, None] ** (orders - 1)
    tones = np.einsum("do,pob->dpb", shares, lobes).reshape(-1, N_BANDS)
    tones /= np.linalg.norm(tones, axis=1, keepdims=True)
    parted: NDArray[np.float32] = (tones**VOICE_POWER).astype(np.float32)
    return parted


def _steps(folded: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Each frame in ``N_LEVELS`` steps of its strongest."""
    most = folded.max(axis=1, keepdims=True)
    steps: NDArray[np.uint8] = np.rint(N_LEVELS * folded / np.maximum(most, 1e-6)).astype(np.uint8)
    return np.where(most > 1e-3, steps, np.uint8(0)).astype(np.uint8)

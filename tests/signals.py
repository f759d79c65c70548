"""Synthesised, seeded sound for tests: no two seeds sound alike, and the same seed gives the same samples."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22_050

Samples = NDArray[np.float32]


def tone(
    seconds: float = 1.0, *, frequency_hz: float = 440.0, level: float = 0.5, rate_hz: int = RATE_HZ
) -> Samples:
    """A sine."""
    at_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * at_s)).astype(np.float32)


def silence(seconds: float = 1.0, *, rate_hz: int = RATE_HZ) -> Samples:
    """Digital zero."""
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


def noise(seconds: float = 1.0, *, seed: int = 0, level: float = 0.1, rate_hz: int = RATE_HZ) -> Samples:
    """White noise of the root mean square ``level``."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))
    return (level * drawn).astype(np.float32)


def drone(seconds: float = 10.0, *, seed: int = 0, rate_hz: int = RATE_HZ) -> Samples:
    """One chord held throughout, with slow beating: music in which hardly anything happens."""
    rng = np.random.default_rng(seed)
    root_hz = 110.0 * 2 ** (rng.integers(12) / 12)
    partials = [
        tone(seconds, frequency_hz=root_hz * ratio * rng.uniform(0.999, 1.001), level=0.1, rate_hz=rate_hz)
        for ratio in (1, 1.5, 2, 2.5, 3, 4)
    ]
    return np.asarray(np.sum(partials, axis=0), dtype=np.float32)


def music(seconds: float = 20.0, *, seed: int = 0, rate_hz: int = RATE_HZ) -> Samples:
    """A melody with timbre over changing chords and a beat: something a fingerprint can hold on to."""
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * rate_hz)
    mix = np.zeros(n_samples + rate_hz * 2, dtype=np.float32)
    timbre = rng.uniform(0.1, 1.0, 6) / np.arange(1, 7)
    scale = np.array([0, 2, 3, 5, 7, 8, 10]) + rng.integers(12)
    step_s = rng.uniform(0.16, 0.3)
    for beat in range(int(seconds / step_s) + 1):
        at = round(beat * step_s * rate_hz)
        pitch = 57 + rng.choice(scale) + 12 * rng.integers(0, 2)
        _add(mix, at, _note(pitch, rng.uniform(0.15, 0.7), timbre, rate_hz))
        if beat % 8 == 0:
            for degree in rng.choice(7, 3, replace=False):
                _add(mix, at, 0.5 * _note(45 + scale[degree], 1.8, timbre, rate_hz))
        if beat % 2 == 0:
            hit = noise(0.05, seed=seed * 7919 + beat, level=0.1, rate_hz=rate_hz)
            _add(mix, at, hit * np.linspace(1, 0, len(hit), dtype=np.float32))
    mix = mix[:n_samples]
    return (0.7 * mix / max(1e-9, float(np.abs(mix).max()))).astype(np.float32)


def write(path: Path, samples: NDArray[Any], *, rate_hz: int = RATE_HZ) -> Path:
    """Write a 16-bit WAV without the product's own writer, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if samples.dtype != np.int16:
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())
    return path


def write_midi(
    path: Path, notes: list[tuple[float, float, int]], *, title: str = "", copyright: str = ""
) -> Path:
    """Write a MIDI file of ``(onset_s, seconds, pitch)`` notes at 120 beats a minute, and return its path."""
    import mido

    path.parent.mkdir(parents=True, exist_ok=True)
    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    if title:
        track.append(mido.MetaMessage("track_name", name=title))
    if copyright:
        track.append(mido.MetaMessage("copyright", text=copyright))
    events = [(onset, "note_on", pitch) for onset, _, pitch in notes]
    events += [(onset + seconds, "note_off", pitch) for onset, seconds, pitch in notes]
    now = 0
    for at_s, kind, pitch in sorted(events):
        ticks = round(at_s * 960)
        track.append(mido.Message(kind, note=pitch, velocity=90, time=ticks - now))
        now = ticks
    midi.save(path)
    return path


def write_module(path: Path, *, title: str = "module", n_patterns: int = 1) -> Path:
    """Write a four-channel ProTracker module of one looped square wave, and return its path.

    A pattern's 64 rows at the default speed of 6 ticks and 125 beats a minute last 7.68 s.
    """
    wave = bytes([64] * 16 + [192] * 16)
    sample = b"square".ljust(22, b"\0") + struct.pack(">HBBHH", len(wave) // 2, 0, 64, 0, len(wave) // 2)
    silent = bytes(22) + struct.pack(">HBBHH", 0, 0, 0, 0, 1)
    periods = (428, 381, 339, 320, 285, 254, 226, 214)  # C-2 to C-3
    rows = b""
    for row in range(64):
        period = periods[row // 4 % 8]
        note = struct.pack(">HBB", period, 0x10, 0) if row % 4 == 0 else bytes(4)
        rows += note + bytes(12)
    order = bytes([n_patterns, 127]) + bytes(128) + b"M.K."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(title.encode()[:20].ljust(20, b"\0") + sample + silent * 30 + order + rows + wave)
    return path


def melody(n_notes: int = 40, *, seed: int = 0) -> list[tuple[float, float, int]]:
    """A seeded tune as ``(onset_s, seconds, pitch)``."""
    rng = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    onset, notes = 0.0, []
    for _ in range(n_notes):
        length = float(rng.choice([0.25, 0.25, 0.5, 0.75]))
        notes.append((onset, length * 0.9, int(60 + rng.choice(scale))))
        onset += length
    return notes


def _note(pitch: float, seconds: float, timbre: NDArray[np.float64], rate_hz: int) -> Samples:
    at_s = np.arange(round(seconds * rate_hz), dtype=np.float32) / np.float32(rate_hz)
    frequency_hz = 440.0 * 2 ** ((pitch - 69) / 12)
    note = np.zeros_like(at_s)
    for n, level in enumerate(timbre, start=1):
        if frequency_hz * n < rate_hz / 2:
            note += np.float32(level) * np.sin(np.float32(2 * np.pi * frequency_hz * n) * at_s)
    envelope = np.minimum(np.float32(1.0), at_s * 100) * np.exp(at_s * np.float32(-3.0 / seconds))
    return np.asarray(note * envelope, dtype=np.float32)


def _add(mix: Samples, at: int, piece: Samples) -> None:
    piece = piece[: max(0, len(mix) - at)]
    mix[at : at + len(piece)] += piece

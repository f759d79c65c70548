"""Music made up for a benchmark: for what only has to run, or is only as long as it is long."""

from pathlib import Path

import numpy as np

from provenance import audio


def write(path: Path, *, seed: int, seconds: float, rate_hz: int = 44_100) -> Path:
    """Write seeded notes over noise, two a second, in stereo."""
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * rate_hz)
    notes_hz = 220.0 * 2.0 ** (rng.integers(0, 24, size=int(seconds * 2) + 1) / 12.0)
    phase = 2 * np.pi * np.cumsum(np.repeat(notes_hz, rate_hz // 2)[:n_samples]) / rate_hz
    samples = 0.3 * np.sin(phase) + 0.05 * rng.standard_normal(n_samples)
    audio.write_wav(path, np.stack([samples, samples], axis=1).astype(np.float32), rate_hz)
    return path

"""Altering our own excerpts the way copies get altered: quieter, noisier, compressed, shifted, hurried."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.errors import UnmeasurableError

TIMEOUT_S = 60
SEMITONES_2 = 2 ** (2 / 12)
NOISE = "[0]volume=1[music];anoisesrc=colour=white:seed=7:amplitude=0.01,atrim=0:60[noise];"

ALTERATIONS: Mapping[str, tuple[str, Sequence[str]]] = {
    "unchanged": (".wav", ()),
    "12 dB quieter": (".wav", ("-af", "volume=-12dB")),
    "white noise at -45 dB": (
        ".wav",
        ("-filter_complex", f"{NOISE}[music][noise]amix=inputs=2:duration=first:normalize=0"),
    ),
    "MP3 at 64 kbit/s": (".mp3", ("-c:a", "libmp3lame", "-b:a", "64k")),
    "pitch up 2 semitones": (
        ".wav",
        ("-af", f"asetrate=22050*{SEMITONES_2:.6f},aresample=22050,atempo={1 / SEMITONES_2:.6f}"),
    ),
    "tempo up 5 %": (".wav", ("-af", "atempo=1.05")),
}
"""For each alteration the suffix of what it makes, and what FFmpeg is told. Excerpts have 22050 samples a second."""


def alter(source: Path, name: str) -> Path:
    """Write an altered copy beside ``source`` and return its path.

    Raises
    ------
    UnmeasurableError
        If FFmpeg is missing, can't make it or takes too long.
    """
    suffix, told = ALTERATIONS[name]
    if not told:
        return source
    program = shutil.which("ffmpeg")
    if program is None:
        raise UnmeasurableError("FFmpeg is not installed: excerpts can't be altered without it.")
    target = source.with_name(f"altered{suffix}")
    command = [program, "-nostdin", "-loglevel", "error", "-y", "-i", str(source), *told]
    command += ["-map_metadata", "-1", "-bitexact", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnmeasurableError(
            f"FFmpeg took longer than {TIMEOUT_S} s for the alteration {name!r} and was stopped: try again."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UnmeasurableError(f"FFmpeg can't make the alteration {name!r}: {last}")
    return target

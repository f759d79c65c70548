"""Damaged FLAC files, each decoded as it is done and by FFmpeg alone: does anything differ, crash or hang?

    .venv/bin/python -m benchmarks.damage --files 600 --cuts 150

Files are of tunes made up here, in 16 and 24 bits, one and two channels. A bit, eight bits or a stretch is changed, bytes
are put in or taken out, anywhere or in the first 9 KB alone; or the file is cut. Printed is how many there were of each
kind and answer, how many answers differed from FFmpeg's, and the longest that one took.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks import tunes
from benchmarks.figures import Figure
from provenance import audio
from provenance.audio import decoding
from provenance.audio.sniffing import Sniffed

FORMATS: Sequence[tuple[str, ...]] = (
    ("a.flac", "-ac", "2"),
    ("b.flac", "-ac", "1", "-ar", "22050", "-frame_size", "1152"),
    ("c.flac", "-sample_fmt", "s32", "-ac", "2", "-t", "5"),
)
SECONDS = 12.0
HEADER_BYTES = 9_000
CHANGES = ("bit", "bits", "stretch", "put_in", "taken_out", "header")

Heard = tuple[str, object]


def measure(n_files: int, n_cuts: int, seed: int) -> Iterator[Figure]:
    """Measure, and count."""
    rng = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    n_different, longest_s = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="liner-damage-") as folder:
        wave = tunes.write(Path(folder) / "tune.wav", seed=seed, seconds=SECONDS)
        whole = [(name, _encoded(wave, name, told).read_bytes()) for name, *told in FORMATS]
        for number in range(n_files + n_cuts):
            name, content = whole[number % len(whole)]
            change = rng.choice(CHANGES) if number < n_files else "cut"
            path = Path(folder) / "damaged.flac"
            path.write_bytes(_changed(content, change, rng))
            began = time.perf_counter()
            ours = _heard(path)
            longest_s = max(longest_s, time.perf_counter() - began)
            with patch.object(decoding, "sniff", lambda path: Sniffed()):
                theirs = _heard(path)
            if ours != theirs:
                n_different += 1
                print(f"{change} {name} {number}: {ours} is {theirs} by FFmpeg", file=sys.stderr)
            counts[change, ours[0]] += 1
    for (change, answer), n in sorted(counts.items()):
        yield Figure(f"damage_{change}_{answer}", n, "files")
    yield Figure("damage_answers_unlike_ffmpeg", n_different, f"of_{n_files + n_cuts}")
    yield Figure("damage_longest", longest_s, "s_by_the_clock")


def _heard(path: Path) -> Heard:
    try:
        with decoding.stream(path) as decoded:
            digest = hashlib.sha256()
            for piece in decoded.chunks:
                digest.update(piece.tobytes())
            return "decoded", (decoded.facts, decoded.sample_rate_hz, digest.hexdigest())
    except audio.AudioError as error:
        return type(error).__name__, error.reason


def _changed(content: bytes, change: str, rng: random.Random) -> bytes:
    changed = bytearray(content)
    last = min(HEADER_BYTES, len(changed)) if change == "header" else len(changed)
    at = rng.randrange(last)
    if change in ("bit", "header"):
        changed[at] ^= 1 << rng.randrange(8)
    elif change == "bits":
        for _ in range(8):
            changed[rng.randrange(last)] ^= 1 << rng.randrange(8)
    elif change == "stretch":
        n_bytes = min(rng.randrange(1, 20_000), last - at)
        changed[at : at + n_bytes] = rng.randbytes(n_bytes)
    elif change == "put_in":
        changed[at:at] = rng.randbytes(rng.randrange(1, 3_000))
    elif change == "taken_out":
        del changed[at : at + rng.randrange(1, 30_000)]
    else:
        del changed[at:]
    return bytes(changed)


def _encoded(wave: Path, name: str, told: Sequence[str]) -> Path:
    out = wave.with_name(name)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(wave), *told, str(out)]
    subprocess.run(command, check=True)
    return out


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.damage", description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=600, metavar="N", help="whose bytes are changed")
    parser.add_argument("--cuts", type=int, default=150, metavar="N", help="that are cut")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    for figure in measure(chosen.files, chosen.cuts, chosen.seed):
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

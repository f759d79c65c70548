"""Write the card of the learned fingerprint's weights, from its training and from what was measured on it.

python -m benchmarks.learned --protocol DIR --out OUT > OUT/figures.txt
python -m benchmarks.fingerprint_card OUT OUT/figures.txt > provenance/similarity/weights/MODEL_CARD.md
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fingerprint_music, train_fingerprint
from provenance.similarity import learned

CARD = """\
---
license: apache-2.0
library_name: safetensors
tags: [audio-fingerprinting, music]
---

# The learned fingerprint, version {version}

`{name}`, SHA-256 `{sha256}`. {parameters:,} parameters, half precision, {bytes:,} bytes. It turns two seconds of
music into 64 numbers that stay alike when the same moment is encoded, filtered, drowned in noise or mixed with other
music. `provenance/similarity/learned.py` says how to use it.

**What for.** Finding candidates: where in an index an output may have come from. **What not for.** A verdict by
itself; voices, speech or anything but music; likeness of composition or of style.

## What it was trained on

{n_tracks} recordings, {hours:.1f} hours (the first four minutes of each), from {n_packages} packages of Debian 12:
the music of games. They are named, recording by recording with their hashes, in
`benchmarks/fingerprint_music.tsv`. No package of `benchmarks/protocol.tsv`, on which likeness is measured, is among
them; {n_left_out} recordings were left out because they sound like one there, or like another here.

The terms of each package stand in its copyright file: GPL, Creative Commons with and without ShareAlike, BSD, CC0 and
some of their own. No rights holder was asked about training. Whoever needs a network that learned from cleared music
alone puts that music's list in the place of this one, and trains anew.

The music is instrumental, mostly electronic, orchestral or chiptune, and often loops. Hardly anybody sings in it.

## How

    python -m benchmarks.train_fingerprint --music DIR --out OUT --steps {steps}

{step:,} steps ({plans}) of {n_pairs} pairs of a moment
and the same moment changed, told from each other (InfoNCE, temperature {temperature}); AdamW, seed {seed}; averaged
weights. {minutes:.0f} minutes of learning on {machine}, one core for learning and
one for drawing pairs, shared with other work. The changes are made to the powers of half-semitone bands
(`benchmarks/fingerprint_changes.py`), not to sound. Training can be stopped and taken up; it then sees the same pairs.

## What it reaches

By itself, with every query searched at {n_pitches} pitches and {n_tempos} tempos, against the references of the
protocol: the share that is found and placed, and of all the share that is found and has a greater lead, or a greater
excess, than any stranger of the calibration group (`python -m benchmarks.learned --protocol DIR --out OUT`, which says
what these are).

{figures}

The cosine is the median, less what its variant costs. These are no rates of false alarms: so few strangers say nothing
of one in a thousand, and by these figures it was decided when to stop. Checks search it at a query's own pitch, and
believe it as far as the peaks at the same place bear it out: what they reach together stands in `docs/likeness.md`.

## What it is bad at

{bad}
"""

BAD = """\
- Other music over it, as loud: one excerpt of 5 seconds in eight is not found, and more are not believed.
- A piece shorter than a segment, 2.1 seconds, inside other music. Shorter sound has no vector at all.
- Segments of drones and held chords are alike to other drones: a high cosine alone is no copy there, and the excess over
  what the query finds anywhere says so.
- A loop that comes round is alike to itself: it says which recording sooner than which bar.
- Music moved by more than two semitones, or at a tempo further off than 10 %, is not searched for.
- It was taught by stand-ins, so encoders at lower rates than those measured, real rooms and microphones, separated
  stems, neural codecs and sung music are untested.
"""


def main(arguments: Sequence[str]) -> int:
    out, figures = Path(arguments[0]), Path(arguments[1])
    training = train_fingerprint.Training.load(out / "state.pt")
    rows = fingerprint_music.rows()
    tracks = fingerprint_music.tracks()
    content = learned.WEIGHTS.read_bytes()
    print(
        CARD.format(
            version=learned.METHOD_VERSION,
            name=learned.WEIGHTS.name,
            sha256=learned.WEIGHTS_SHA256,
            bytes=len(content),
            parameters=sum(one.numel() for one in training.network.parameters()),
            n_tracks=len(tracks),
            hours=sum(min(track.seconds, fingerprint_music.MOST_S) for track in tracks) / 3600,
            n_packages=len({track.package for track in tracks}),
            n_left_out=len(rows) - len(tracks),
            steps=training.steps,
            step=training.step,
            plans=", then ".join(
                f"from step {since:,} on with {steps:,} in view" for since, steps in training.plans
            ),
            n_pairs=train_fingerprint.N_PAIRS,
            temperature=train_fingerprint.TEMPERATURE,
            seed=training.seed,
            minutes=training.seconds / 60,
            machine=machine(),
            n_pitches=len(learned.PITCHES),
            n_tempos=len(learned.TEMPOS),
            figures=figures.read_text().strip(),
            bad=BAD.rstrip(),
        ).rstrip()
    )
    return 0


def machine() -> str:
    """Name this machine's processor."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text().splitlines():
            if line.startswith("model name"):
                return f"a processor that calls itself {line.partition(':')[2].strip()}"
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Every number that decides a catalogue match, with its unit, its meaning and where it came from.

`METHOD_VERSION` names the set: a change of one of them is a new version, and older answers keep theirs.
"""

from typing import Final

METHOD: Final = "catalogue"
METHOD_VERSION: Final = "1"

# By name

PROBABLE_SCORE: Final = 0.80
"""Score of the names, in [0, 1], from which a recording is probable: likeness of the titles times that of the
artists. One wrong letter in a title of eight leaves 0.88, one more in an artist of eight 0.77. Chosen, not
calibrated: `benchmarks/catalogue.py` measures what it finds and what it accuses."""

NO_ARTIST_FACTOR: Final = 0.85
"""What a title is worth where one side names no artist. It is probable only if it is equal to the letter or
nearly (0.94) and the durations agree."""

OTHER_DURATION_FACTOR: Final = 0.85
"""What equal names are worth where the durations disagree: an edit, or another take. Only names that are nearly
equal (0.94) are still probable, and the disagreement is said."""

DURATION_S: Final = 2.0
DURATION_SHARE: Final = 0.015
"""Durations agree within this many seconds, or within this share of the longer: encoders pad, and catalogues round
to whole seconds or count the pause after the track."""

# By sound

EXCERPT_ITEMS: Final = 80
"""Length of what is looked up, in items: 12.5 s of sound."""

EXCERPT_EVERY_ITEMS: Final = 160
"""Distance of the excerpts, 20 s: whatever piece of 33 s is left of a recording holds a whole one."""

MAX_EXCERPTS: Final = 12
"""Excerpts of one recording at most; those of longer ones lie further apart."""

WINDOW_HOP_ITEMS: Final = 8
"""Every eighth window of an excerpt is looked up before it is compared in full."""

N_NEIGHBOURS: Final = 32
"""Nearest windows asked for each."""

NEAR_DISTANCE_BITS: Final = 72
"""Hamming distance of 256 within which a window may be a copy. MP3 at 64 kbit/s differs in 8 to 20 of 256 bits,
and by up to 60 where the frames fall between each other; strangers begin at 96."""

BLOCK_ITEMS: Final = 16
"""Two seconds: the step in which two recordings are compared along the whole diagonal."""

SAME_BER: Final = 0.25
"""Bit error rate of such a step up to which it holds the same sound. Strangers lie at 0.40 to 0.50, copies through
64 kbit/s at 0.03 to 0.12."""

FOUND_SHARE: Final = 0.5
"""Share of the shorter recording that has to be the same sound for `found`; less is a part, and `probable`."""

MAX_MATCHES: Final = 5
"""Recordings of one dataset that are kept for a row, the surest first."""

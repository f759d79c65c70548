"""Every threshold of likeness, with its unit, its meaning and where the number came from."""

from dataclasses import dataclass

POLICY_ID = "recording-5"
"""Names this set of thresholds; a change of one of them is a new policy."""

# Walking the diagonals

TOLERATED_BER = (0.30, 0.28)
"""Bit error rate, for chroma and for bands, at which an item neither adds to a stretch nor takes from it."""

MIN_STRETCH_ITEMS = 8
"""Shortest stretch that is looked at, in items: 3.6 s of sound."""

# Candidates

SEGMENT_ITEMS = 240
"""A query is searched in segments of so many items (30 s), each half over the last: a short copy in a long
output keeps its own votes."""

WINDOW_HOP_ITEMS = 2
"""Every second window of a query is looked up."""

N_NEIGHBOURS = 64
"""Nearest windows that vote, for each window looked up."""

MAX_WINDOW_DISTANCE_BITS = 96
"""Hamming distance of 256 above which a neighbour has no vote: 0.375, where strangers begin."""

N_CANDIDATES = 16
"""Recordings of each segment and column that are aligned item by item. An index of no more is searched whole."""

N_SHOWN = 8
"""Best candidates that are reported, below the threshold too."""

# Judging a stretch

SAME_SOUND_BER = 0.20
"""Two references whose aligned items differ less than this hold the same sound: neither is the other's rival."""

SURROUNDINGS_ITEMS = 6
"""Items to either side of a stretch's place that say nothing about chance agreement: they overlap with it."""

N_STRETCHES = 12
"""Stretches of one recording that are kept a segment: the best and where it comes again."""

VOTE_BIN_ITEMS = 3
"""Width of a diagonal for voting, in items: neighbouring windows may miss by one."""

REPEAT_GAIN = 0.6
"""A stretch with this share of the best one's gain, over the same part of the query, is the same music again. A
repetition that falls between two items loses up to 0.35 of it."""

EDGE_S = ((0.7, 1.55), (0.35, 1.5))
"""Seconds, for chroma and for bands, by which a stretch reaches over the start and the end of a copy inside other
music: items that lie mostly on the copy agree too. Medians over 134 planted copies of 4 to 10 s."""

MOVEMENT_LAG_ITEMS = 4
"""Distance in items (0.5 s) at which a stretch is compared with itself to see whether anything happens in it."""


@dataclass(frozen=True, slots=True)
class Convincing:
    """Values that convince by themselves: a bit error rate, three differences of such rates, seconds of sound."""

    ber: float
    margin: float
    contrast: float
    movement: float
    seconds: float


CONVINCING = (Convincing(0.16, 0.15, 0.25, 0.18, 5.0), Convincing(0.16, 0.15, 0.25, 0.18, 5.0))
"""For chroma and for bands. Read off excerpts of 100 tracks, each against the index with it and against the
index without its package: 95 % of the copies (clean, MP3, noise 10 dB, resynthesised) reach every value, and
the nearest strangers miss at least one. 99 % of the copies move by more than 0.19; silences, fading tails and held
chords that agreed with each other moved by less than 0.13."""

REVIEW_SCORE = 0.7
"""Score from which a person has to look.

1,010 excerpts of 5, 10 and 30 s (two fifths of them resynthesised) of 204 tracks that the index of 109 does
not hold scored 0.598 at most, and 60 of those tracks at full length 0.58. Were these numbers chosen
beforehand, no false alarm would bound the rate at 0.3 % an excerpt and, since excerpts of one track are
alike, at 1.5 % a track (95 %). They were chosen on these very tracks, so this is no calibration: a held-out set has
to follow."""

BLOCKED_SCORE = 0.8
"""Score from which an output is blocked: a tenth above the review's, for larger indexes bring closer strangers."""

# Calibration: what holds in place of the two scores above where an index has been measured

FALSE_ALARM_TARGET = 0.001
"""Share of outputs without any copy that may be brought before a person, unless the setting of that name is another."""

BLOCKED_SHARE = 0.1
"""Share of the target from which an output is blocked: ten times rarer among strangers than what is reviewed."""

TAILS = {
    "items": (0.1, 0.065),
    "peaks": (0.0, 0.18),
    "brief": (0.0, 0.86),
    "vectors": (0.1, 0.46),
    "levels": (0.1, 0.3),
    "parts": (0.1, 0.025),
}
UNKNOWN_TAIL = (0.1, 0.5)
"""For each part, and for one that is not named: shape and scale of the tail of what strangers reach.

The shapes are chosen by what strangers are told by tails that others made (``python -m benchmarks.calibration DIR
--shapes``: 780 excerpts against 188 references, of which 390 have levels). Peaks and brief pieces are counted in standard
deviations, and the highest of many such fall off as an exponential does: with a shape of 0, 0.5 to 1.3 times as many as
promised have a p of a hundredth, and 0.2 at most one of a thousandth. Of items and vectors 1.7 and 3.7 times as many have
one with 0, and with 0.1 still 1.5 and 1.7. Of parts 9 times as many had one of a thousandth with 0, and with 0.1 1.1 at
most. Levels keep within with either; the heavier is taken, for what recordings share among themselves comes to more. The
scales are the means of the three lengths there."""

PRIOR_EXCESSES = 10
"""Strangers beyond the threshold that the scale above weighs as much as: an index of few recordings shows none."""

# Peaks

PITCHES_BANDS = tuple(range(-4, 5))
"""Bands of half a semitone by which a query may stand above a reference: two semitones either way."""

PEAK_SEGMENT_FRAMES = 323
"""A query is searched in segments of so many frames (10.0 s), each half over the last."""

N_RIVALS = 8
"""Other recordings of which the best says what chance reaches."""

RIVAL_Z = 1.5
LONE_RIVAL_Z = 4.0
"""Standard deviations that chance reaches anyhow; a margin is taken to no less. The second where there are fewer than
``N_RIVALS`` other recordings to tell: 60 excerpts of made-up tunes held against one other and against three reached 6.2
over 1.6 s, and 4.4 over more than three."""

CONVINCING_PEAKS_S = 4.0
"""Seconds of a stretch that convince by themselves; a shorter one counts in proportion, for a bar that two pieces share
is soon found among millions."""

CONVINCING_MARGIN_Z = 2.0
"""Standard deviations above the best recording with another sound, times the share of ``CONVINCING_PEAKS_S`` that the
stretch lasts, from which a person has to look.

200 excerpts of 5 s and 200 of 10 s of the calibration group reached 1.3 and 0.9 against 188 references; of those of 5 s
a twentieth reached 0.7 and a hundredth 1.0. Were chance to fall on at that pace, one in ten thousand would reach 2.0:
that is extrapolated, and `benchmarks.likeness` counts false alarms on other tracks."""

SAME_PEAKS = 0.5
"""Two references of which this share of peaks meets hold the same sound: neither is the other's rival."""

REPEAT_Z_SHARE = 0.6
"""A place with this share of the best one's standard deviations is the same music again."""

JOINED_SHARE = 0.3
"""A neighbouring segment with this share of the best one's margin goes on with its stretch."""

LINE_FRAMES = 24
"""Frames (0.7 s) by which a neighbouring segment may miss the line of the best: a tempo is known to a hundredth."""

# Vectors

UNUSUAL_SHARE = 0.001
"""Share of other references' vectors that are nearer to a vector of the query than the usual."""

LEAST_OTHER_VECTORS = 2_000
LONE_USUAL_COSINE = 0.5
"""Vectors of others (a quarter of an hour) below which the usual can't be read off them, and what it is then taken to be:
200 excerpts of the calibration group had 0.42 on the median against 76,631 vectors."""

EXCESS_UNIT = 0.06
"""Excess of cosine that says as much as one standard deviation of the peaks: what strangers spread."""

MOST_DEVIATIONS = 12.0
"""Standard deviations of the peaks beyond which more say no more."""

RIVAL_VECTORS = 2.0
LONE_RIVAL_VECTORS = 5.0
"""Weights that chance reaches anyhow; the second where there are fewer than ``N_RIVALS`` other recordings."""

CONVINCING_MARGIN_VECTORS = 4.0
"""Margin of both together from which a person has to look where the index has no calibration."""

# Brief pieces

BRIEF_COSINE = 0.3
BRIEF_COSINE_UNIT = 0.1
BRIEF_COSINE_MOST = 6.0
"""Cosine of learned vectors at the place that says nothing, the difference that says as much as one standard deviation of
the peaks, and how much they may say in all."""

RIVAL_BRIEF = 6.0
CONVINCING_MARGIN_BRIEF = 5.0
"""Weights that chance reaches anyhow, and the margin above it from which a person has to look where the index has no
calibration: 130 excerpts of 30 s of the calibration group reached 9.5 in all (``docs/calibration.md`` has what is above
the first)."""

LEAST_AUDIBLE_SHARE = 0.5
"""Share of a segment that has to be more than silence."""

# Composition

COMPOSITION_POLICY_ID = "composition-2"
"""Names the thresholds of compositions, here and in `provenance.similarity.composition`."""

POLICIES = (POLICY_ID, COMPOSITION_POLICY_ID)
"""Those in force: what was measured by others is not gone by."""

COMPOSITION_FALSE_ALARM_TARGET = 0.01
"""Share of outputs that carry none of an index's compositions that may be brought before a person."""

COMPOSITION_TAILS = {"tune": (0.0, 0.15)}
"""As ``TAILS``, of the surest part, in shares of its fixed threshold: 260 excerpts of 10 and 24 s of the calibration
group against 257 references gave shapes of -0.15 and -0.05 by moments, and scales of 0.13 and 0.15 (``make bench
ARGS="composition --protocol DIR"``). A negative shape is never taken: it would bound the tail."""

GRAM_NOTES = 6
"""Notes of an n-gram: five steps and four ratios of time."""

MOST_REPEATS = 64
"""Times that an n-gram of one voice is looked up, and found, at the most: a loop is one idea, however long it goes on."""

MAX_GRAM_GAP = 7
"""Distance of n-grams inside a run: one note that differs spoils six of them."""

CONVINCING_NOTES = 16
"""Notes in a row that convince by themselves: about four bars."""

FEW_WORKS = 70
"""Works of which fewer can't tell what is rare: so many were held against when what follows was set."""

CONVINCING_RARITY = 20.0
"""Rarity, in bits a note, summed over a run, that convinces by itself."""

ORNAMENT_STEP = 2
"""Semitones by which an ornament leaves its note, at the most."""

MORDENT_SHARE = 0.55
GRACE_SHARE = 0.3
"""Of a line's longer gaps (the third quartile), how long the note of a mordent, and a grace note, may last."""

NOTES_REVIEW_SCORE = REVIEW_SCORE
"""Score from which a person has to look at a shared tune: the geometric mean of both shares. Of 630 excerpts of 42 works
of the calibration group, each held against an index without it, one reaches it, of a chorale with another's tune (`make
bench ARGS="composition-notes --protocol DIR"`)."""

# Copies among what is registered: the search for conflicts

COPY_VOTES = 4
"""Items that two recordings must share on one diagonal before they are compared."""

COPY_DIAGONALS = 4
"""Best-voted diagonals of a pair that are compared item by item: a loop lies beside itself on several."""

COPY_COMMON_ITEMS = 64
"""An item that comes so often in what is new is silence or a drone, and votes for nothing."""

COPY_TOLERATED_BER = 0.30
"""Bit error rate, mean of chroma and bands, at which an item neither adds to a shared stretch nor takes from it."""

COPY_SECONDS = 10.0
"""Shortest stretch that is called the same sound."""

COPY_BER = (0.17, 0.25)
"""Highest bit error rate along it, for chroma and for bands.

72 planted copies (MP3 64k, Opus 24k, cut, 30 s of the middle, faded, resampled, quieter, channels swapped) of 8 tracks
stay below 0.08 and 0.15. Of 126,253 pairs of 503 tracks six stay below both bounds, up to 0.156 and 0.240, each one
recording by its waveform (0.78 and more); the nearest that is not, two mixes of one piece (0.35), has 0.179 and
0.217. The bound for chroma was set between these two. Of 200,166 pairs with 292 tracks that were held out, one
stays below both bounds and is one recording; two that the waveforms call one (0.65 and 0.68) have 0.175 and 0.177."""

COPY_CONTRAST = 0.15
"""Least difference between the median rate elsewhere in the recording and the stretch's, in the better column."""

COPY_MOVEMENT = 0.10
"""Least movement of the stretch."""

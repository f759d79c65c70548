"""The only place that opens audio.

Foreign files are decoded in a child process (FFmpeg; libFLAC for whole FLAC files, FluidSynth for MIDI) that is limited
in memory, processor time, wall time and output, may open nothing but the one file, and can crash without harm to this
process. What arrives here are raw samples. One child is started a file, and FFmpeg again where libFLAC finds a file odd;
none for WAV files of 16 bits that are read whole, for their bytes are their samples.

How odd files are answered:

===========================  =============================================================================
empty, or no samples         `EmptyAudioError`
text or an image, renamed    `NotAudioError`
cut short                    `TruncatedAudioError` where the file says how long it should be. An MP3 without a
                             Xing header says nothing of it, so a cut one passes for a short one
0 channels                   `NoChannelsError`
longer than ``MAX_SECONDS``  `TooLongError`, before decoding where the header says so, else when it is passed
NaN or infinite floats       `DamagedSamplesError` with the position
192 kHz, 8 channels, 8 bit   decoded as they are; mixing down and resampling happen where they are asked for
silence, 0.3 s               decoded; `Survey.is_silent`, and fewer or no fingerprint items
===========================  =============================================================================
"""

from provenance.audio.decoding import inspect, peaks, read_samples
from provenance.audio.errors import (
    AudioError,
    DamagedSamplesError,
    DecodeLimitError,
    DecoderMissingError,
    EmptyAudioError,
    NoChannelsError,
    NotAudioError,
    TooLongError,
    TruncatedAudioError,
)
from provenance.audio.facts import AudioFacts
from provenance.audio.midi import RENDER_RATE_HZ, read_notes
from provenance.audio.surveying import Survey, survey
from provenance.audio.tags import read_tags
from provenance.audio.writing import render_midi, write_preview, write_wav

__all__ = [
    "RENDER_RATE_HZ",
    "AudioError",
    "AudioFacts",
    "DamagedSamplesError",
    "DecodeLimitError",
    "DecoderMissingError",
    "EmptyAudioError",
    "NoChannelsError",
    "NotAudioError",
    "Survey",
    "TooLongError",
    "TruncatedAudioError",
    "inspect",
    "peaks",
    "read_notes",
    "read_samples",
    "read_tags",
    "render_midi",
    "survey",
    "write_preview",
    "write_wav",
]

"""How much of a foreign file is decoded, and what its decoder may use."""

MAX_SECONDS = 6 * 3600.0
"""Longest audio that is decoded, in seconds."""

MAX_SAMPLE_RATE_HZ = 1_500_000
"""Highest sample rate that is taken for one: what is reckoned grows with it. DSD256 is decoded to 1,411,200 Hz."""

MAX_CHILD_MEMORY_BYTES = 2 << 30
"""Address space of a decoder, in bytes. FFmpeg needs 0.3 GB of it, FluidSynth with a big soundfont 1 GB."""

MAX_CHILD_CPU_S = 900
"""Processor time of a decoder. Six hours of Vorbis take about 60 s."""

MAX_CHILD_WALL_S = 1800.0
"""Wall time of a decoder, in seconds; a stopped or starving child ends here."""

MAX_MIDI_BYTES = 8 << 20
"""Largest MIDI file that is parsed, in bytes; it is the one format that is parsed in this process."""

"""What is heard of a piece alone, and which of its channels make a stem."""

import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest

from benchmarks import muting, stems, submixes
from benchmarks.transformations import RATE_HZ
from provenance.similarity.kept_levels import kept_of
from provenance.similarity.levels import levels_of

Cell = tuple[int, int]
"""Note and instrument; note 0 is none."""

BREAK = b"\x0d\x00"
"""An effect of ProTracker that ends a pattern."""


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def mod_of(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A ProTracker module of one pattern and four channels; every cell also ends the pattern."""
    header = bytearray(1084)
    header[1080:1084] = b"M.K."
    cells = b"".join(
        struct.pack(">H", (instrument & 0xF0) << 8 | note)
        + bytes([(instrument & 0x0F) << 4 | BREAK[0], BREAK[1]])
        for row in rows
        for note, instrument in row
    )
    return bytes(header) + cells.ljust(64 * 4 * 4, b"\0")


def xm_of(rows: Sequence[Sequence[Cell]], *, effect: bytes = b"\x0f\x06") -> bytes:
    header = bytearray(60 + 276)
    header[:17] = b"Extended Module: "
    struct.pack_into("<I", header, 60, 276)
    struct.pack_into("<HHH", header, 68, len(rows[0]), 1, 0)
    cells = b"".join(bytes([note, instrument, 0]) + effect for row in rows for note, instrument in row)
    return bytes(header) + struct.pack("<IBHH", 9, 0, len(rows), len(cells)) + cells + b"behind"


def it_of(cells: bytes) -> bytes:
    header = bytearray(0xC0 + 4)
    header[:4] = b"IMPM"
    struct.pack_into("<4H", header, 0x20, 0, 0, 0, 1)
    header[0x40 + 3 : 0x40 + 64] = b"\xa0" * 61
    struct.pack_into("<I", header, 0xC0, len(header))
    return bytes(header) + struct.pack("<HHI", len(cells), 1, 0) + cells


def s3m_of(cells: bytes) -> bytes:
    header = bytearray(0x70)
    header[44:48] = b"SCRM"
    struct.pack_into("<3H", header, 0x20, 0, 0, 1)
    header[0x40 + 1] = 0xFF  # the second channel is off
    header[0x40 + 4 : 0x40 + 32] = b"\xff" * 28
    struct.pack_into("<H", header, 0x60, len(header) // 16)
    return bytes(header) + struct.pack("<H", len(cells) + 2) + cells


def midi_of(folder: Path, voices: Sequence[tuple[int, int]]) -> Path:
    """A MIDI file with a track for each channel and program, which plays one note."""
    midi = mido.MidiFile()
    for channel, program in voices:
        midi.tracks.append(
            mido.MidiTrack(
                [
                    mido.Message("program_change", channel=channel, program=program, time=0),
                    mido.Message("note_on", channel=channel, note=60, velocity=90, time=10),
                    mido.Message("note_off", channel=channel, note=60, time=20),
                    mido.MetaMessage("set_tempo", tempo=400_000, time=5),
                ]
            )
        )
    midi.save(folder / "piece.mid")
    return folder / "piece.mid"


class TestAlone:
    def test_keeps_of_a_mod_the_notes_of_its_channels_and_what_sets_the_time(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.mod", mod_of([[(100, 1), (200, 2), (300, 3), (400, 4)]]))
        heard = muting.alone(path, {0, 2})
        assert heard[1084:1100] == path.read_bytes()[1084:1088] + b"\0\0" + BREAK + path.read_bytes()[
            1092:1096
        ] + (b"\0\0" + BREAK)

    def test_keeps_of_an_xm_the_notes_of_its_channels_and_what_sets_the_time(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.xm", xm_of([[(40, 1), (41, 2), (42, 3)]]))
        heard = muting.alone(path, {1})
        patterns, end = muting.xm_patterns(heard)
        assert [cell.get(0) for cell in patterns[0].cells] == [None, 41, None]
        assert [cell[3] for cell in patterns[0].cells] == [15, 15, 15]
        assert heard[end:] == b"behind"

    def test_keeps_no_other_effect_of_a_silent_channel(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.xm", xm_of([[(40, 1), (41, 2)]], effect=b"\x0a\x06"))
        patterns, _ = muting.xm_patterns(muting.alone(path, {0}))
        assert patterns[0].cells[1] == {}

    def test_switches_all_other_channels_of_an_it_off(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a.it", it_of(b""))
        assert muting.n_channels(path) == 3
        heard = muting.alone(path, {0, 2})
        assert [flag >= 0x80 for flag in heard[0x40:0x43]] == [False, True, False]

    def test_keeps_of_midi_the_notes_of_its_voices_at_their_time(self, tmp_path: Path) -> None:
        path = midi_of(tmp_path, [(0, 0), (1, 33), (9, 0)])
        whole = mido.MidiFile(path)
        written(tmp_path, "part.mid", muting.alone(path, {0, 2}))
        part = mido.MidiFile(tmp_path / "part.mid")
        assert [any(m.type == "note_on" for m in track) for track in part.tracks] == [True, False, True]
        assert [sum(m.time for m in track) for track in part.tracks] == [
            sum(m.time for m in track) for track in whole.tracks
        ]

    def test_refuses_what_it_does_not_know(self, tmp_path: Path) -> None:
        with pytest.raises(muting.NotMutableError, match=r"noise\.bin is no IT"):
            muting.alone(written(tmp_path, "noise.bin", b"noise"), {0})


class TestByInstruments:
    def test_joins_channels_that_play_the_same_for_half_of_their_notes(self) -> None:
        notes = {0: Counter({1: 6, 2: 4}), 1: Counter({1: 5, 3: 5}), 2: Counter({1: 4, 4: 6})}
        assert submixes.by_instruments(notes) == [(0, 1), (2,)]

    def test_lets_the_fewest_notes_join_the_channel_beside_them(self) -> None:
        notes = {
            0: Counter({1: 50}),
            1: Counter({2: 60}),
            2: Counter({3: 70}),
            3: Counter({4: 80}),
            4: Counter({5: 3}),
        }
        assert submixes.by_instruments(notes) == [(0,), (1,), (2,), (3, 4)]

    def test_leaves_out_channels_without_notes(self) -> None:
        assert submixes.by_instruments({0: Counter({1: 5}), 1: Counter(), 2: Counter({2: 5})}) == [(0,), (2,)]


class TestStems:
    def test_tells_drums_basses_leads_and_accompaniment_of_midi_apart(self, tmp_path: Path) -> None:
        path = midi_of(tmp_path, [(0, 0), (1, 33), (9, 0), (2, 80), (3, 48), (4, 114)])
        assert submixes.stems(path) == [(0, 4), (1,), (2, 5), (3,)]

    def test_are_none_where_all_channels_are_one(self, tmp_path: Path) -> None:
        assert submixes.stems(midi_of(tmp_path, [(0, 32), (1, 33)])) == []

    def test_reads_the_instruments_of_a_mod(self, tmp_path: Path) -> None:
        row = [(100, 1), (200, 17), (300, 1), (0, 3)]
        assert submixes.stems(written(tmp_path, "a.mod", mod_of([row] * 3))) == [(0, 2), (1,)]

    def test_reads_the_instruments_of_an_xm_and_takes_the_one_before_where_none_is_told(
        self, tmp_path: Path
    ) -> None:
        rows = [[(40, 1), (41, 2), (42, 1), (97, 7)], [(40, 0), (41, 0), (42, 0), (0, 0)]]
        assert submixes.stems(written(tmp_path, "a.xm", xm_of(rows))) == [(0, 2), (1,)]

    def test_reads_the_instruments_of_an_it_whose_cells_repeat_what_was_told(self, tmp_path: Path) -> None:
        first = b"\x81\x03\x3c\x01" + b"\x82\x03\x3c\x02" + b"\x83\x03\x3c\x01" + b"\0"
        again = b"\x81\x30" + b"\x82\x30" + b"\x83\x30" + b"\0"
        assert submixes.stems(written(tmp_path, "a.it", it_of(first + again))) == [(0, 2), (1,)]

    def test_numbers_the_channels_of_an_s3m_that_are_switched_on(self, tmp_path: Path) -> None:
        cells = b"\x20\x40\x01" + b"\x21\x40\x05" + b"\x22\x40\x02" + b"\xe3\x40\x01\x20\x01\x01" + b"\0"
        assert submixes.stems(written(tmp_path, "a.s3m", s3m_of(cells))) == [(0, 2), (1,)]


class TestPart:
    @pytest.fixture
    def part(self) -> stems.Part:
        """Four seconds out of twelve, of which the last four are the first again."""
        rng = np.random.default_rng(1)
        seconds = np.arange(8 * RATE_HZ) / RATE_HZ
        pitches = np.repeat(rng.integers(200, 3_000, size=32), RATE_HZ // 4)
        tune = (0.3 * np.sin(2 * np.pi * pitches * seconds)).astype(np.float32)
        piece = np.concatenate([tune, tune[: 4 * RATE_HZ]])
        everywhere = kept_of(levels_of(piece, sample_rate_hz=RATE_HZ))
        return stems.Part(Path("piece.mod"), (0,), 0.5, piece[RATE_HZ // 2 : 4 * RATE_HZ], -6.0, everywhere)

    @pytest.mark.parametrize(
        ("second", "lies"), [(0.5, True), (0.9, True), (8.5, True), (4.5, False), (11.5, False)]
    )
    def test_lies_where_it_was_taken_from_and_where_it_comes_again(
        self, part: stems.Part, second: float, *, lies: bool
    ) -> None:
        assert part.lies_at(second) is lies

    def test_lies_there_where_only_its_end_was_found(self, part: stems.Part) -> None:
        assert part.lies_at(10.5, query_start_s=2.0)

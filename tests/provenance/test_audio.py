from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from provenance import audio
from provenance.audio import children, decoding, flac, limits
from provenance.audio.pcm import PcmStream
from provenance.audio.sniffing import Sniffed, sniff
from provenance.similarity.chromaprint import CHROMA
from tests import signals


def encode(source: Path, target: Path, *arguments: str) -> Path:
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", source, *arguments, target], check=True
    )
    return target


def float_wave(path: Path, samples: np.ndarray) -> Path:
    body = samples.astype("<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, 22_050, 22_050 * 4, 4, 32)
    riff = b"WAVE" + b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", len(riff)) + riff)
    return path


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signals.write(tmp_path_factory.mktemp("audio") / "tune.wav", signals.music(8.0, seed=1))


@pytest.fixture(scope="module")
def packed(tune: Path) -> Path:
    return encode(tune, tune.with_suffix(".flac"))


class TestInspect:
    def test_tells_rate_channels_and_length(self, tune: Path) -> None:
        assert audio.inspect(tune) == audio.AudioFacts("audio", "pcm_s16le", 22_050, 1, 8.0)

    def test_knows_vorbis_without_a_file_ending(self, tune: Path, tmp_path: Path) -> None:
        nameless = encode(tune, tmp_path / "tune.ogg", "-c:a", "libvorbis").rename(tmp_path / "tune")

        facts = audio.inspect(nameless)

        assert (facts.kind, facts.codec) == ("audio", "vorbis")
        assert facts.seconds == pytest.approx(8.0, abs=0.05)

    def test_calls_midi_symbolic(self, tmp_path: Path) -> None:
        facts = audio.inspect(signals.write_midi(tmp_path / "a.mid", [(0.0, 2.0, 60)]))

        assert (facts.kind, facts.codec) == ("symbolic", "midi")
        assert facts.seconds == pytest.approx(2.0, abs=0.01)


class TestSurvey:
    def test_hashes_the_sound_and_not_the_container(self, tune: Path, tmp_path: Path) -> None:
        flac = encode(tune, tmp_path / "tune.flac")

        one, other = audio.survey(tune), audio.survey(flac)

        assert one.file_sha256 != other.file_sha256
        assert one.samples_sha256 == other.samples_sha256
        assert np.array_equal(one.items, other.items)

    def test_hashes_rate_and_channels_too(self, tmp_path: Path) -> None:
        samples = signals.noise(0.5, seed=1)
        slow = signals.write(tmp_path / "slow.wav", samples, rate_hz=22_050)
        fast = signals.write(tmp_path / "fast.wav", samples, rate_hz=44_100)
        pair = signals.write(tmp_path / "pair.wav", samples[: len(samples) // 2 * 2].reshape(-1, 2))

        hashes = {audio.survey(path).samples_sha256 for path in (slow, fast, pair)}

        assert len(hashes) == 3

    def test_fingerprints_past_two_minutes(self, tmp_path: Path) -> None:
        long = signals.write(
            tmp_path / "long.wav", signals.music(150.0, seed=2, rate_hz=11_025), rate_hz=11_025
        )

        surveyed = audio.survey(long)

        assert len(surveyed.items) > 140 / 0.1239

    def test_gives_the_items_of_fpcalc(self, tune: Path) -> None:
        if shutil.which("fpcalc") is None:
            pytest.skip("fpcalc is not installed (Debian: libchromaprint-tools)")
        # fpcalc 1.5.1 ends with status 3 at the end of a file although its answer is whole
        said = subprocess.run(
            ["fpcalc", "-raw", "-plain", "-length", "0", tune], capture_output=True, check=False
        )

        expected = [int(word) for word in said.stdout.decode().split(",")]

        assert audio.survey(tune).items[:, CHROMA].tolist() == expected

    def test_measures_the_peak(self, tmp_path: Path) -> None:
        half = signals.write(tmp_path / "half.wav", signals.tone(1.0, level=0.5))

        assert audio.survey(half).peak_db == pytest.approx(-6.02, abs=0.01)

    def test_says_that_silence_is_silent(self, tmp_path: Path) -> None:
        surveyed = audio.survey(signals.write(tmp_path / "silence.wav", signals.silence(5.0)))

        assert surveyed.is_silent
        assert surveyed.peak_db == pytest.approx(-96.3, abs=0.1)

    def test_takes_a_clip_too_short_for_items(self, tmp_path: Path) -> None:
        surveyed = audio.survey(signals.write(tmp_path / "clip.wav", signals.tone(0.3)))

        assert surveyed.seconds == pytest.approx(0.3)
        assert len(surveyed.items) == 0

    @pytest.mark.parametrize(("rate_hz", "n_channels"), [(192_000, 1), (8_000, 1), (44_100, 8)])
    def test_takes_odd_rates_and_many_channels(self, tmp_path: Path, rate_hz: int, n_channels: int) -> None:
        samples = np.stack([signals.tone(3.0, rate_hz=rate_hz)] * n_channels, axis=1)

        surveyed = audio.survey(signals.write(tmp_path / "odd.wav", samples, rate_hz=rate_hz))

        assert (surveyed.facts.sample_rate_hz, surveyed.facts.n_channels) == (rate_hz, n_channels)
        assert surveyed.seconds == pytest.approx(3.0)
        assert len(surveyed.items) > 0

    def test_plays_midi(self, tmp_path: Path) -> None:
        surveyed = audio.survey(signals.write_midi(tmp_path / "a.mid", signals.melody(20)))

        assert surveyed.facts.kind == "symbolic"
        assert not surveyed.is_silent
        assert len(surveyed.items) > 20

    def test_plays_tracker_modules(self, tmp_path: Path) -> None:
        surveyed = audio.survey(protracker_module(tmp_path / "beep.mod"))

        assert (surveyed.facts.kind, surveyed.facts.codec) == ("tracker", "module")
        assert not surveyed.is_silent


def protracker_module(path: Path) -> Path:
    """The smallest module that sounds: one looped square wave, one note, one pattern."""
    square = bytes([64] * 16 + [192] * 16)
    sample = b"square".ljust(22, b"\0") + struct.pack(">HBBHH", 16, 0, 64, 0, 16)
    empty = b"\0" * 22 + struct.pack(">HBBHH", 0, 0, 0, 0, 1)
    note = struct.pack(">HH", 428, 0x1000)
    pattern = note.ljust(1024, b"\0")
    order = bytes([1, 127]) + bytes(128)
    path.write_bytes(b"beep".ljust(20, b"\0") + sample + empty * 30 + order + b"M.K." + pattern + square)
    return path


class TestRefusals:
    def refuse(self, path: Path, error: type[audio.AudioError]) -> str:
        with pytest.raises(error) as raised:
            audio.survey(path)
        assert type(raised.value) is error
        assert path.name in raised.value.reason
        return raised.value.reason

    def test_an_empty_file_is_named_so(self, tmp_path: Path) -> None:
        (tmp_path / "empty.wav").touch()

        self.refuse(tmp_path / "empty.wav", audio.EmptyAudioError)

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.wav")

        self.refuse(tmp_path / "pipe.wav", audio.NotAudioError)

    def test_a_header_without_samples_is_empty(self, tmp_path: Path) -> None:
        self.refuse(signals.write(tmp_path / "none.wav", signals.silence(0.0)), audio.EmptyAudioError)

    @pytest.mark.parametrize(
        "content", [b"Dear all, please find the master attached.\n" * 50, b"\x89PNG\r\n\x1a\n" * 99]
    )
    def test_something_else_renamed_is_no_audio(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "letter.wav").write_bytes(content)

        self.refuse(tmp_path / "letter.wav", audio.NotAudioError)

    def test_a_playlist_opens_nothing(self, tune: Path, tmp_path: Path) -> None:
        playlist = tmp_path / "list.m3u8"
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n{tune}\n#EXT-X-ENDLIST\n")

        self.refuse(playlist, audio.NotAudioError)

    def test_a_cut_wave_is_truncated(self, tune: Path, tmp_path: Path) -> None:
        cut = tmp_path / "cut.wav"
        cut.write_bytes(tune.read_bytes()[:100_000])

        reason = self.refuse(cut, audio.TruncatedAudioError)

        assert "promises 8.0 s and ends after 2.3 s" in reason

    @pytest.mark.parametrize(
        ("ending", "arguments"),
        [
            ("ogg", ("-c:a", "libvorbis")),
            ("flac", ()),
            ("m4a", ("-c:a", "aac")),
            ("mp3", ("-c:a", "libmp3lame")),
        ],
    )
    def test_a_cut_file_of_any_format_is_truncated(
        self, tune: Path, tmp_path: Path, ending: str, arguments: tuple[str, ...]
    ) -> None:
        whole = encode(tune, tmp_path / f"whole.{ending}", *arguments)
        cut = tmp_path / f"cut.{ending}"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])

        assert audio.survey(whole).seconds == pytest.approx(8.0, abs=0.1)
        self.refuse(cut, audio.TruncatedAudioError)

    def test_a_cut_midi_file_is_truncated(self, tmp_path: Path) -> None:
        whole = signals.write_midi(tmp_path / "whole.mid", signals.melody(20))
        cut = tmp_path / "cut.mid"
        cut.write_bytes(whole.read_bytes()[:90])

        self.refuse(cut, audio.TruncatedAudioError)

    def test_zero_channels_are_named(self, tune: Path, tmp_path: Path) -> None:
        none = tmp_path / "none.wav"
        content = bytearray(tune.read_bytes())
        content[22:24] = b"\0\0"
        none.write_bytes(content)

        self.refuse(none, audio.NoChannelsError)

    def test_a_header_that_claims_a_day_is_truncated(self, tune: Path, tmp_path: Path) -> None:
        day = tmp_path / "day.wav"
        content = bytearray(tune.read_bytes())
        content[40:44] = struct.pack("<I", 24 * 3600 * 44_100)
        day.write_bytes(content)

        assert "promises 86400.0 s" in self.refuse(day, audio.TruncatedAudioError)

    def test_a_real_day_is_too_long(self, tmp_path: Path) -> None:
        day = tmp_path / "day.wav"
        n_bytes = 24 * 3600 * 8_000
        fmt = struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8)
        header = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", n_bytes)
        with day.open("wb") as opened:
            opened.write(b"RIFF" + struct.pack("<I", len(header) + n_bytes) + header)
            opened.truncate(8 + len(header) + n_bytes)

        assert "24.0 h" in self.refuse(day, audio.TooLongError)

    def test_a_length_that_is_not_claimed_is_counted(self, tune: Path, tmp_path: Path) -> None:
        raw = encode(tune, tmp_path / "raw.aac", "-c:a", "aac", "-f", "adts")

        with pytest.raises(audio.TooLongError):
            audio.survey(raw, max_seconds=5.0)

    def test_floats_that_are_no_numbers_are_placed(self, tmp_path: Path) -> None:
        samples = signals.tone(6.0)
        samples[len(samples) // 2] = np.nan

        reason = self.refuse(float_wave(tmp_path / "nan.wav", samples), audio.DamagedSamplesError)

        assert "NaN" in reason

    def test_a_decoder_that_hangs_is_stopped(self, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_CHILD_WALL_S", 0.2)
        monkeypatch.setattr(children, "limited", lambda program: ["sh", "-c", "exec sleep 60"])

        with pytest.raises(audio.DecodeLimitError, match="took longer"):
            audio.survey(packed)

    def test_memory_is_limited(self, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_CHILD_MEMORY_BYTES", 8 << 20)

        with pytest.raises(audio.DecodeLimitError, match="limits"):
            audio.survey(packed)

    def test_a_missing_decoder_is_named(self, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.which", lambda name: None)

        with pytest.raises(audio.DecoderMissingError, match="not installed"):
            audio.survey(packed)

    def test_a_midi_file_without_a_beat_is_named(self, tmp_path: Path) -> None:
        midi = signals.write_midi(tmp_path / "a.mid", signals.melody(3))
        whole = midi.read_bytes()
        midi.write_bytes(whole[:12] + bytes(2) + whole[14:])

        with pytest.raises(audio.NotAudioError, match="says of no beat"):
            audio.read_notes(midi)

    def test_a_missing_soundfont_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOUNDFONT", str(tmp_path / "nowhere.sf2"))

        with pytest.raises(audio.DecoderMissingError, match="SOUNDFONT"):
            audio.survey(signals.write_midi(tmp_path / "a.mid", signals.melody(3)))


class TestStoredWaves:
    @pytest.mark.parametrize(
        "told",
        [(), ("-ac", "2"), ("-ar", "96000"), ("-metadata", "title=Cave")],
        ids=lambda told: "".join(told),
    )
    def test_are_read_as_a_decoder_reads_them(
        self, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...]
    ) -> None:
        wave = encode(packed, tmp_path / "stored.wav", "-c:a", "pcm_s16le", *told)
        sniffed = sniff(wave)

        stored = audio.survey(wave)
        monkeypatch.setattr(decoding, "sniff", lambda path: Sniffed())
        decoded = audio.survey(wave)

        assert sniffed.wave is not None
        assert stored.samples_sha256 == decoded.samples_sha256
        assert (stored.facts, stored.seconds) == (decoded.facts, decoded.seconds)

    @pytest.mark.parametrize("told", [("-c:a", "pcm_s24le"), ("-c:a", "pcm_alaw"), ("-ac", "3")], ids="".join)
    def test_are_no_others(self, packed: Path, tmp_path: Path, told: tuple[str, ...]) -> None:
        assert sniff(encode(packed, tmp_path / "other.wav", *told)).wave is None

    def test_are_no_others_whose_header_says_more_than_one_thing(self, tune: Path, tmp_path: Path) -> None:
        whole = tune.read_bytes()
        fmt, data = whole[12:36], whole[36:]
        hidden = struct.pack("<4sI", b"data", 4) + bytes(4)
        narrow = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
        told = struct.unpack_from("<II", fmt, 12)
        surround = bytes.fromhex("72f81f4e") + data[12:]
        unended = data[:4] + bytes(4) + data[8:]
        whole_numbers = bytes.fromhex("0100000000001000800000aa00389b71")
        of_8_bits = (
            struct.pack("<4sIHHIIHHHHI", b"fmt ", 40, 0xFFFE, 1, *told, 2, 16, 22, 8, 4) + whole_numbers
        )
        for chunks in (
            of_8_bits + data,
            fmt + hidden + data,
            fmt + data + hidden,
            narrow + fmt + data,
            fmt + data[:8] + surround,
            fmt + unended,
        ):
            odd = tmp_path / "odd.wav"
            odd.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
            assert sniff(odd).wave is None
        assert sniff(tune).wave is not None

    def test_at_a_rate_that_nothing_has_are_refused(self, tune: Path, tmp_path: Path) -> None:
        fast = tmp_path / "fast.wav"
        whole = tune.read_bytes()
        fast.write_bytes(whole[:24] + struct.pack("<I", 200_000_000) + whole[28:])

        with pytest.raises(audio.NotAudioError, match="200,000,000 Hz"):
            audio.survey(fast)

    def test_start_no_decoder(self, tune: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shutil.which", lambda name: None)

        assert audio.survey(tune).seconds == 8.0

    def test_without_samples_are_empty(self, tune: Path, tmp_path: Path) -> None:
        none = tmp_path / "none.wav"
        none.write_bytes(tune.read_bytes()[:40] + struct.pack("<I", 0))

        with pytest.raises(audio.EmptyAudioError, match="no samples"):
            audio.survey(none)

    def test_too_long_are_refused_before_they_are_read(self, tune: Path) -> None:
        with pytest.raises(audio.TooLongError):
            audio.survey(tune, max_seconds=5.0)


class TestFlac:
    @pytest.fixture
    def in_two_ways(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
        """Decode a file as it is done and by FFmpeg alone, which must agree; whether FFmpeg had a part in the first."""
        by_ffmpeg = flac._by_ffmpeg
        called: list[Path] = []

        def counted(path: Path, max_seconds: float) -> contextlib.AbstractContextManager[PcmStream]:
            called.append(path)
            return by_ffmpeg(path, max_seconds)

        def heard(path: Path) -> tuple[audio.AudioFacts, list[bytes]]:
            with decoding.stream(path) as decoded:
                return decoded.facts, [piece.tobytes() for piece in decoded.chunks]

        def differ_in_nothing(path: Path) -> bool:
            called.clear()
            ours = heard(path)
            with monkeypatch.context() as patched:
                patched.setattr(decoding, "sniff", lambda path: Sniffed())
                assert heard(path) == ours
            return bool(called)

        monkeypatch.setattr(flac, "_by_ffmpeg", counted)
        if flac.library() is None:
            pytest.skip("libFLAC is not installed (Debian: libflac12)")
        return differ_in_nothing

    @pytest.mark.parametrize(
        "told",
        [(), ("-sample_fmt", "s32"), ("-frame_size", "1152", "-ac", "2"), ("-ar", "96000", "-t", "1")],
        ids=lambda told: "".join(told),
    )
    def test_is_unpacked_as_ffmpeg_decodes_it(
        self, tune: Path, tmp_path: Path, told: tuple[str, ...], in_two_ways: Callable[[Path], bool]
    ) -> None:
        louder = ("-af", "volume=1.37", "-metadata", "title=Cave")

        assert not in_two_ways(encode(tune, tmp_path / "a.flac", *louder, *told))

    def test_goes_on_by_ffmpeg_where_it_is_damaged(
        self, packed: Path, tmp_path: Path, in_two_ways: Callable[[Path], bool]
    ) -> None:
        damaged = tmp_path / "damaged.flac"
        whole = bytearray(packed.read_bytes())
        whole[len(whole) * 9 // 10] ^= 16
        damaged.write_bytes(whole)

        assert in_two_ways(damaged)

    def test_is_left_to_ffmpeg_where_it_says_more_than_one_thing(
        self, packed: Path, tmp_path: Path, in_two_ways: Callable[[Path], bool]
    ) -> None:
        whole = packed.read_bytes()
        told = int.from_bytes(whole[18:26], "big")
        other_rate = (told + (1_000 << 44)).to_bytes(8, "big")
        odd = tmp_path / "odd.flac"
        for content in (whole + whole, whole[:18] + other_rate + whole[26:]):
            odd.write_bytes(content)
            assert in_two_ways(odd)

    def test_whose_header_is_not_usual_is_none_of_ours(self, packed: Path, tmp_path: Path) -> None:
        whole = packed.read_bytes()
        unknown_length = (int.from_bytes(whole[18:26], "big") >> 36 << 36).to_bytes(8, "big")
        cue_sheet = whole[:4] + bytes([0]) + whole[5:42] + bytes([0x85, 0, 0, 0]) + whole[42:]
        padding = whole[:42] + bytes(4) * 500
        odd = tmp_path / "odd.flac"
        for content in (whole[:18] + unknown_length + whole[26:], cue_sheet, padding, whole[:30]):
            odd.write_bytes(content)
            assert sniff(odd).flac is None
        assert sniff(packed).flac is not None

    def test_survives_a_decoder_that_crashes(
        self, packed: Path, monkeypatch: pytest.MonkeyPatch, in_two_ways: Callable[[Path], bool]
    ) -> None:
        limited = children.limited
        crash = ["sh", "-c", "kill -SEGV $$"]
        monkeypatch.setattr(
            children, "limited", lambda program: limited(program) if program == "ffmpeg" else crash
        )

        assert in_two_ways(packed)

    def test_needs_no_library(
        self, packed: Path, monkeypatch: pytest.MonkeyPatch, in_two_ways: Callable[[Path], bool]
    ) -> None:
        monkeypatch.setattr(flac, "library", lambda: None)

        assert in_two_ways(packed)

    def test_too_long_is_refused_before_it_is_read(
        self, packed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(flac, "Child")

        with pytest.raises(audio.TooLongError):
            audio.survey(packed, max_seconds=5.0)


class TestReadTags:
    def test_reads_vorbis_comments(self, tune: Path, tmp_path: Path) -> None:
        said = {
            "title": "Cave", "artist": "DJ Sjors", "album": "Sleep Well", "date": "2005-03-01",
            "genre": "Ambient",
            "isrc": "NLA320500001", "license": "CC-BY 3.0 http://creativecommons.org/licenses/by/3.0/",
            "copyright": "2005 Sjors", "mood": "dim",
        }  # fmt: skip
        arguments = [word for name, text in said.items() for word in ("-metadata", f"{name}={text}")]
        tagged = encode(tune, tmp_path / "cave.ogg", "-c:a", "libvorbis", *arguments)

        tags = audio.read_tags(tagged)

        assert (tags.title, tags.artist, tags.album, tags.year) == ("Cave", "DJ Sjors", "Sleep Well", 2005)
        assert (tags.genre, tags.isrc, tags.copyright) == ("Ambient", "NLA320500001", "2005 Sjors")
        assert tags.licence.startswith("CC-BY 3.0")
        assert tags.licence_url == "http://creativecommons.org/licenses/by/3.0/"
        assert tags.raw["mood"] == "dim"

    def test_reads_id3_with_its_licence_link(self, tune: Path, tmp_path: Path) -> None:
        mp3 = encode(
            tune, tmp_path / "a.mp3", "-id3v2_version", "3", "-metadata", "title=Hub", "-write_xing", "0"
        )
        link = b"https://creativecommons.org/licenses/by-sa/4.0/"
        frame = b"WCOP" + struct.pack(">IH", len(link), 0) + link
        content = bytearray(mp3.read_bytes())
        shifts = (21, 14, 7, 0)
        size = len(frame) + sum(byte << shift for byte, shift in zip(content[6:10], shifts, strict=True))
        content[6:10] = bytes((size >> shift) & 0x7F for shift in shifts)
        mp3.write_bytes(bytes(content[:10]) + frame + bytes(content[10:]))

        tags = audio.read_tags(mp3)

        assert tags.title == "Hub"
        assert tags.licence_url == link.decode()

    def test_reads_midi_copyright(self, tmp_path: Path) -> None:
        midi = signals.write_midi(
            tmp_path / "a.mid", [(0.0, 1.0, 60)], title="Hobo", copyright="(c) 2009 R. Fern"
        )

        tags = audio.read_tags(midi)

        assert (tags.title, tags.copyright) == ("Hobo", "(c) 2009 R. Fern")

    def test_says_nothing_for_a_file_without_tags(self, tune: Path) -> None:
        tags = audio.read_tags(tune)

        assert (tags.title, tags.licence, tags.year) == ("", "", None)


class TestReadSamples:
    def test_cuts_the_very_stretch(self, tune: Path) -> None:
        whole = audio.read_samples(tune)

        cut = audio.read_samples(tune, start_s=2.0, seconds=1.5)

        assert np.array_equal(cut, whole[44_100 : 44_100 + 33_075])

    def test_resamples(self, tmp_path: Path) -> None:
        path = signals.write(tmp_path / "tone.wav", signals.tone(2.0, frequency_hz=1_000.0))

        samples = audio.read_samples(path, sample_rate_hz=16_000)

        spectrum = np.abs(np.fft.rfft(samples))
        assert len(samples) == pytest.approx(32_000, abs=2)
        assert np.argmax(spectrum) * 16_000 / len(samples) == pytest.approx(1_000.0, abs=1.0)

    def test_mixes_down_by_the_mean(self, tmp_path: Path) -> None:
        left = signals.tone(1.0)
        path = signals.write(tmp_path / "pair.wav", np.stack([left, np.zeros_like(left)], axis=1))

        assert np.allclose(audio.read_samples(path), left / 2, atol=1e-4)
        assert audio.read_samples(path, mono=False).shape == (22_050, 2)

    def test_is_empty_past_the_end(self, tune: Path) -> None:
        assert len(audio.read_samples(tune, start_s=60.0, seconds=1.0)) == 0

    def test_cuts_midi_too(self, tmp_path: Path) -> None:
        midi = signals.write_midi(tmp_path / "a.mid", signals.melody(20))
        whole = audio.read_samples(midi)

        cut = audio.read_samples(midi, start_s=1.0, seconds=2.0)

        assert np.array_equal(cut, whole[22_050 : 22_050 * 3])


class TestWriteWav:
    def test_comes_back_as_it_was(self, tmp_path: Path) -> None:
        samples = signals.music(1.0, seed=3)

        audio.write_wav(tmp_path / "a.wav", samples, 22_050)

        assert np.abs(audio.read_samples(tmp_path / "a.wav") - samples).max() <= 1 / 32768

    def test_refuses_what_is_no_number(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="NaN"):
            audio.write_wav(tmp_path / "a.wav", np.array([0.0, np.nan]), 22_050)

        assert not list(tmp_path.iterdir())

    def test_leaves_nothing_half_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        audio.write_wav(tmp_path / "a.wav", signals.tone(0.1), 22_050)
        before = (tmp_path / "a.wav").read_bytes()
        monkeypatch.setattr(
            "os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )

        with pytest.raises(OSError, match="disk is full"):
            audio.write_wav(tmp_path / "a.wav", signals.tone(0.5), 22_050)

        assert (tmp_path / "a.wav").read_bytes() == before
        assert len(list(tmp_path.iterdir())) == 1


class TestRenderMidi:
    def test_gives_the_same_bytes_twice(self, tmp_path: Path) -> None:
        midi = signals.write_midi(tmp_path / "a.mid", signals.melody(10))

        audio.render_midi(midi, tmp_path / "one.wav", sample_rate_hz=22_050)
        audio.render_midi(midi, tmp_path / "two.wav", sample_rate_hz=22_050)

        assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
        assert audio.inspect(tmp_path / "one.wav").n_channels == 2

    def test_refuses_audio(self, tune: Path, tmp_path: Path) -> None:
        with pytest.raises(audio.NotAudioError, match="not a MIDI file"):
            audio.render_midi(tune, tmp_path / "a.wav")


class TestWritePreview:
    @pytest.mark.parametrize("ending", [".mp3", ".webm", ".ogg"])
    def test_is_short_and_small(self, tune: Path, tmp_path: Path, ending: str) -> None:
        preview = tmp_path / f"preview{ending}"

        audio.write_preview(tune, preview, start_s=1.0, seconds=3.0)

        assert audio.survey(preview).seconds == pytest.approx(3.0, abs=0.1)
        assert preview.stat().st_size < tune.stat().st_size / 4

    def test_refuses_a_stretch_past_the_end(self, tune: Path, tmp_path: Path) -> None:
        with pytest.raises(audio.EmptyAudioError, match="ends before"):
            audio.write_preview(tune, tmp_path / "a.mp3", start_s=100.0)

    def test_that_takes_too_long_is_given_up_and_leaves_nothing(
        self, tune: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_slow(*_: object, timeout: float, **__: object) -> None:
            raise subprocess.TimeoutExpired("ffmpeg", timeout)

        monkeypatch.setattr(subprocess, "run", too_slow)
        with pytest.raises(audio.DecodeLimitError, match=r"took longer than .* and was stopped"):
            audio.write_preview(tune, tmp_path / "a.mp3")
        assert not (tmp_path / "a.mp3").exists()


class TestPeaks:
    def test_follow_the_envelope(self, tmp_path: Path) -> None:
        path = signals.write(
            tmp_path / "a.wav", np.concatenate([signals.silence(1.0), signals.tone(1.0, level=0.5)])
        )

        drawn = audio.peaks(path, 10)

        assert drawn.shape == (10, 2)
        assert np.allclose(drawn[:5], 0.0)
        assert np.allclose(drawn[6:], [-0.5, 0.5], atol=0.01)

    def test_fill_every_column_of_a_short_file(self, tmp_path: Path) -> None:
        drawn = audio.peaks(signals.write(tmp_path / "a.wav", signals.tone(0.01)), 100)

        assert drawn.shape == (100, 2)


class TestImporting:
    def test_loads_neither_torch_nor_faiss(self) -> None:
        script = (
            "import sys, provenance.audio; sys.exit(bool({'torch', 'faiss', 'django'} & set(sys.modules)))"
        )

        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

"""What is sent to a browser as it is: Chromium is asked for each kind of file whether it plays it."""

import base64
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from provenance import audio, media

PLAY = """async ([type, content]) => {
  const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
  const sound = new Audio(URL.createObjectURL(new Blob([bytes], {type})));
  return await new Promise(settle => {
    sound.onerror = () => settle(false);
    sound.oncanplaythrough = () => sound.play().then(() => settle(true), () => settle(false));
  });
}"""

PLAYED = {
    "u8.wav": ("-c:a", "pcm_u8"),
    "s16.wav": ("-c:a", "pcm_s16le"),
    "s24.wav": ("-c:a", "pcm_s24le"),
    "s32.wav": ("-c:a", "pcm_s32le"),
    "f32.wav": ("-c:a", "pcm_f32le"),
    "a.flac": (),
    "flac.ogg": ("-c:a", "flac"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "opus.ogg": ("-c:a", "libopus"),
    "tagged.mp3": (),
    "bare.mp3": ("-id3v2_version", "0", "-write_xing", "0"),
    "bare_22k.mp3": ("-id3v2_version", "0", "-write_xing", "0", "-ar", "22050"),
}
PREVIEWED = {
    "s16.aiff": ("-c:a", "pcm_s16be"),
    "s16.w64": ("-c:a", "pcm_s16le"),
    "f64.wav": ("-c:a", "pcm_f64le"),
    "adpcm.wav": ("-c:a", "adpcm_ms"),
    "a.wv": (),
}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone of half a second in every kind of file."""
    folder = tmp_path_factory.mktemp("sounds")
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "sine=440:duration=0.5"]
    for name, told in {**PLAYED, **PREVIEWED}.items():
        command += [*told, str(folder / name)]
    subprocess.run(command, check=True)
    return folder


def plays_as(path: Path) -> str:
    return media.plays_as(path, audio.inspect(path).codec)


class TestPlaysAs:
    def test_is_what_chromium_plays_as_it_is(self, sounds: Path, page: Page) -> None:
        sent = {name: plays_as(sounds / name) for name in PLAYED}
        heard = {
            name: page.evaluate(PLAY, [kind, base64.b64encode((sounds / name).read_bytes()).decode()])
            for name, kind in sent.items()
        }
        assert all(sent.values()), sent
        assert all(heard.values()), heard

    def test_knows_every_kind_that_is_listed(self, sounds: Path) -> None:
        listed = {(magic, codec) for magic, _, codecs in media.PLAYABLE for codec in codecs}
        tried = {
            (magic, audio.inspect(sounds / name).codec)
            for name in PLAYED
            for magic, _, _ in media.PLAYABLE
            if (sounds / name).read_bytes().startswith(magic)
        }
        assert tried == listed

    @pytest.mark.parametrize("name", PREVIEWED)
    def test_is_nothing_for_what_chromium_can_not_play(self, sounds: Path, name: str) -> None:
        assert plays_as(sounds / name) == ""

    def test_is_nothing_for_a_codec_in_a_file_of_another(self, sounds: Path) -> None:
        assert media.plays_as(sounds / "opus.ogg", "speex") == ""

"""Sound for pages: sent in ranges, so that a browser can seek, with previews and waveforms made once and kept."""

import json
import mimetypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from governance.errors import LinerNotesError, NotAllowedError
from lib import files, locks
from provenance import audio, storage
from provenance.errors import AudioMissingError
from provenance.models import Recording

PLAYABLE = (
    (b"RIFF", "audio/wav", {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}),
    (b"fLaC", "audio/flac", {"flac"}),
    (b"OggS", "audio/ogg", {"vorbis", "opus", "flac"}),
    (b"ID3", "audio/mpeg", {"mp3"}),
    (b"\xff\xfb", "audio/mpeg", {"mp3"}),
    (b"\xff\xf3", "audio/mpeg", {"mp3"}),
)
"""What browsers play as it is: a file's first bytes, its type, and the codecs that may be in it. A test asks Chromium.
Names and endings are not looked at: they are whatever a source gave the file."""
PREVIEW_SUFFIX = ".mp3"
PREVIEW_S = 600.0  # a rendering is held in memory while it is encoded: 48 kHz stereo of ten minutes is 115 MB
PEAKS_A_SECOND = 50
MAX_PEAKS = 20_000
PEAKS_FORMAT = 1
CHUNK_BYTES = 64 * 1024
ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class NotPlayableError(LinerNotesError):
    """A stored file that can't be turned into something a browser plays."""

    code = "not_playable"
    status = 422


Stretches = tuple[tuple[float, float], ...]


def recording_audio(
    request: HttpRequest, recording: Recording, *, only: Stretches | None = None
) -> HttpResponseBase:
    """Send a recording as it is where browsers play it, else a preview rendered from it.

    With ``only`` it lasts as long and is silent outside these stretches: what is marked stays where it is.
    """
    path, content_type, key = _playable(recording, only)
    return ranged(request, path, content_type=content_type, etag=key)


def recording_peaks(recording: Recording, *, only: Stretches | None = None) -> HttpResponse:
    path, _, key = _playable(recording, only)
    return peaks_response(path, key=key)


def _playable(recording: Recording, only: Stretches | None) -> tuple[Path, str, str]:
    if not recording.audio or recording.sha256 is None:
        raise AudioMissingError("There is no audio of this recording here.")
    if only is not None:
        if not only:
            raise NotAllowedError(
                "It may be read and not heard: nothing that you brought was found in its sound, and no claim or grant of "
                "yours names it."
            )
        key = sha256(f"{recording.sha256} {only}".encode()).hexdigest()
        return preview_of(recording.audio, key=key, only=only), "audio/mpeg", key
    if _has_paths():
        with storage.local_file(recording.audio) as path:
            if content_type := plays_as(path, recording.codec):
                return path, content_type, recording.sha256
    return preview_of(recording.audio, key=recording.sha256), "audio/mpeg", recording.sha256


def plays_as(path: Path, codec: str) -> str:
    """Return the media type under which browsers play a file as it is; empty where they need a preview."""
    with path.open("rb") as opened:
        start = opened.read(4)
    return next((kind for magic, kind, codecs in PLAYABLE if start.startswith(magic) and codec in codecs), "")


def _has_paths() -> bool:
    try:
        default_storage.path("")
    except NotImplementedError:
        return False
    return True


def preview_of(stored: str, *, key: str, only: Stretches | None = None) -> Path:
    """Return an MP3 of a stored file's first ten minutes, or ``only`` of stretches; made once, kept under ``key``."""
    target = _room() / key[:2] / f"{key}{PREVIEW_SUFFIX}"
    with _making(target) as is_made, storage.local_file(stored) as source:
        if not is_made:
            try:
                audio.write_preview(source, target, seconds=PREVIEW_S, only=only)
            except audio.AudioError as error:
                raise NotPlayableError(str(error)) from error
    return target


def peaks_response(path: Path, *, key: str) -> HttpResponse:
    """Answer with ``{"duration_s", "peaks"}`` of a playable file, peaks from 0 to 1; kept under ``key``."""
    target = _room() / key[:2] / f"{key}.peaks-{PEAKS_FORMAT}.json"
    with _making(target) as is_made:
        if not is_made:
            files.write_bytes(target, json.dumps(_draw(path)).encode())
    response = HttpResponse(target.read_bytes(), content_type="application/json")
    response["Cache-Control"] = "private, max-age=86400"
    return response


def _draw(path: Path) -> dict[str, object]:
    try:
        seconds = audio.inspect(path).seconds or 0.0
        n_peaks = max(1, min(MAX_PEAKS, round(seconds * PEAKS_A_SECOND)))
        drawn = np.abs(audio.peaks(path, n_peaks)).max(axis=1)
    except audio.AudioError as error:
        raise NotPlayableError(str(error)) from error
    return {"duration_s": round(seconds, 3), "peaks": [round(float(peak), 3) for peak in drawn]}


@contextmanager
def _making(target: Path) -> Iterator[bool]:
    """Tell whether ``target`` is made; if not, let one request make it while the others wait."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        yield True
        return
    with locks.exclusive(target.with_suffix(".lock")):
        yield target.exists()


def _room() -> Path:
    return Path(settings.DATA_DIR) / "previews"


def ranged(request: HttpRequest, path: Path, *, content_type: str = "", etag: str = "") -> HttpResponseBase:
    """Send a file, or the one range of it that is asked for (RFC 9110, section 14)."""
    size = path.stat().st_size
    asked = _range_of(request, size, etag)
    if asked is not None and asked[0] >= asked[1]:
        return _headed(HttpResponse(status=416), etag, {"Content-Range": f"bytes */{size}"})
    start, end = asked or (0, size)
    response = StreamingHttpResponse(
        () if request.method == "HEAD" else _piece(path, start, end),
        status=206 if asked else 200,
        content_type=content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
    )
    headers = {"Content-Length": str(end - start)}
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return _headed(response, etag, headers)


def _range_of(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Return (start, end exclusive); an empty stretch is one that can't be met; None means the whole file."""
    found = ONE_RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if found is None or found.group() == "bytes=-":
        return None
    if request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return None
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else (size, size)
    return int(first), min(size, int(last) + 1) if last else size


def _piece(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as opened:
        opened.seek(start)
        while start < end and (chunk := opened.read(min(CHUNK_BYTES, end - start))):
            start += len(chunk)
            yield chunk


def _headed(response: HttpResponseBase, etag: str, headers: dict[str, str]) -> HttpResponseBase:
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, max-age=3600"
    if etag:
        response["ETag"] = f'"{etag}"'
    for name, value in headers.items():
        response[name] = value
    return response

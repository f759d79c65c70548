"""What a file says about its music."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from provenance.audio import ffmpeg, midi
from provenance.audio.sniffing import sniff


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says about its music. Empty strings stand for what it does not say.

    ``raw`` keeps every tag under its own lower-case name, also those that are mapped to no field.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    year: int | None = None
    genre: str = ""
    isrc: str = ""
    licence: str = ""
    licence_url: str = ""
    copyright: str = ""
    comment: str = ""
    raw: dict[str, str] = field(default_factory=dict)


def read_tags(path: Path) -> Tags:
    """Read the tags of ``path``: Vorbis comments, ID3, RIFF INFO, MP4, tracker messages, MIDI meta events.

    Raises
    ------
    AudioError
        If the file is no audio; missing tags are no error.
    """
    if sniff(path).is_midi:
        return _tags_from_texts(midi.read_texts(path))
    probed = ffmpeg.probe(path)
    raw: dict[str, str] = {}
    for source in (probed.get("format", {}), *probed.get("streams", ())):
        for name, text in source.get("tags", {}).items():
            raw.setdefault(name.lower(), str(text).strip())
    for name, text in _tinytag_extras(path).items():
        raw.setdefault(name, text)
    return _tags_from(raw)


def _tinytag_extras(path: Path) -> dict[str, str]:
    """Read the ID3 link frames (WCOP, WXXX) that FFmpeg leaves out."""
    with path.open("rb") as opened:
        if opened.read(3) != b"ID3":
            return {}
    from tinytag import TinyTag, TinyTagException

    try:
        tag = TinyTag.get(path, duration=False)
    except (TinyTagException, OSError, ValueError, LookupError, struct.error):
        return {}
    extras = {name.lower(): "; ".join(map(str, texts)) for name, texts in tag.other.items()}
    return {name: text for name, text in extras.items() if text}


def _tags_from(raw: dict[str, str]) -> Tags:
    def first(*names: str) -> str:
        return next((raw[name] for name in names if raw.get(name)), "")

    licence = first("license", "licence")
    year = re.search(r"\b(1[89]|20)\d\d\b", first("year", "date", "originaldate", "tdrc", "tyer"))
    return Tags(
        title=first("title"),
        artist=first("artist", "author", "performer", "album_artist"),
        album=first("album"),
        year=int(year.group()) if year else None,
        genre=first("genre"),
        isrc=first("isrc", "tsrc"),
        licence=licence,
        licence_url=first("license_url", "licence_url", "licenseurl", "wcop", "copyright_url")
        or _url(licence + "\n" + raw.get("copyright", "")),
        copyright=first("copyright", "tcop"),
        comment=first("comment", "description"),
        raw=raw,
    )


def _tags_from_texts(raw: dict[str, str]) -> Tags:
    """Read title from the meta events of MIDI, which musicians fill in as they like."""
    names = raw.get("track_name", "").splitlines()
    return Tags(
        title=names[0] if names else "",
        copyright=raw.get("copyright", ""),
        comment=raw.get("text", ""),
        licence_url=_url(raw.get("copyright", "") + "\n" + raw.get("text", "")),
        raw=raw,
    )


def _url(text: str) -> str:
    found = re.search(r"https?://[^\s<>\"')]+", text)
    return found.group().rstrip(".,;") if found else ""

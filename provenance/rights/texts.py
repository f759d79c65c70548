"""Licences recognised in running text: copyright files that no machine was meant to read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from provenance.rights.expressions import normalise_text

_BOUNDARY: Final = re.compile(
    r"^\s*(?:On Debian systems|The Debian packaging|The license of the packaging|-{4,}\s*$"
    r"|[\w.+-]+/[\w./*+-]*\s*:?\s*$|For the .{0,60}fonts?\b)",
    re.I | re.M,
)
_HEADING: Final = re.compile(r"^\s*(?:licen[cs]e)\s*:?\s*$|^licen[cs]e\s*:", re.I | re.M)
_COPYRIGHT_HEADING: Final = re.compile(r"^copyright\s*:\s*$", re.I | re.M)
_MEDIA: Final = re.compile(
    r"^[^\n]*\b(?:media|music|sounds?|audio|soundtrack|songs)\b[^.]{0,300}?\b(?:licen[cs]ed?|distributed|released)\b",
    re.I | re.M | re.S,
)
_PACKAGING: Final = re.compile(r"packaging\s+is|license of the packaging|debianized", re.I)
_HOLDER: Final = re.compile(
    r"^\s*Copyright\s*(?:\(c\)|©|:)?\s*(?=\(c\)|©|\d|by\b)[\d, –-]*\s*(?:by\s+)?(.+?)\s*$", re.I | re.M
)
_AUTHORS: Final = re.compile(
    r"^\s*Upstream\s+Authors?(?:\(s\))?\s*:[ \t]*(?P<names>.+?)(?=\n\s*\n|\Z)", re.I | re.M | re.S
)
_ADDRESS: Final = re.compile(r"\([^()\s]+@[^()\s]+\)")
_GNU_NOTICE: Final = re.compile(
    r"GNU\s+(?P<kind>Lesser |Library |Affero )?General Public License,? as published by the Free Software Foundation"
    r"[;,]?\s*(?:either\s+)?version (?P<version>\d(?:\.\d)?)(?P<later>.{0,40}?\bany later version)?",
    re.I,
)
"""The words that the licences' own appendix asks for; the version stands behind whoever published it."""


@dataclass(frozen=True, slots=True)
class TextReading:
    """What a running text says."""

    expression: str
    """SPDX expression; empty where no licence was recognised."""
    quote: str
    holders: tuple[str, ...]
    about_media: bool = False
    """True where the licence was found in a sentence about sounds or media."""


def read_text(text: str) -> TextReading:
    """Find the licence and the holders that a copyright file names for its music.

    A sentence about media outranks the main licence, sections about the packaging, fonts and single source
    files
    are left out. Several licences in the deciding section hold together (``AND``).

    Parameters
    ----------
    text : str
        The file's text.

    Returns
    -------
    TextReading
        With an empty expression where nothing was recognised.
    """
    holders = _holders(text)
    media = _MEDIA.search(text)
    if media and not _PACKAGING.search(media.group()):
        found = licences_in(text[media.start() :])
        if found:
            return TextReading(found[0], _quote(media.group()), holders, about_media=True)
    section = main_section(text)
    return TextReading(" AND ".join(licences_in(section)), _quote(section), holders)


def _holders(text: str) -> tuple[str, ...]:
    """Return whose copyright a text states, not that of its packaging; else whom it names as its authors."""
    head = _before_boundary(text, 0)
    stated = [
        match[1]
        for match in _HOLDER.finditer(head)
        if not re.search(r"\bpackaging\b[^.\n]*\s*\Z", text[: match.start()], re.I)
    ]
    if not stated and (authors := _AUTHORS.search(text)):
        stated = [_ADDRESS.sub(" ", name) for name in authors["names"].splitlines()]
    return tuple(dict.fromkeys(name for one in stated if (name := clean_holder(one))))


def main_section(text: str) -> str:
    """Return the stretch under the licence heading, or under the copyright heading, or before any boundary."""
    for heading in (_HEADING, _COPYRIGHT_HEADING):
        if found := heading.search(text):
            return _before_boundary(text, found.end())
    return _before_boundary(text, 0)


def licences_in(text: str) -> list[str]:
    """Return the licences whose words stand in ``text``, each once, in the order they are looked for."""
    flat = " ".join(text.split())
    found = [_creative_commons(flat), _gnu(flat), _bsd(flat)]
    if re.search(r"Permission is hereby granted, free of charge, to any person obtaining a copy", flat):
        found.append("MIT")
    if re.search(r"This software is provided 'as-is', without any express or implied warranty", flat):
        found.append("Zlib")
    if re.search(
        r"Permission to use, copy, modify, and/?(?:or)? distribute this software for any purpose", flat
    ):
        found.append("ISC")
    if re.search(r"\b(?:in|into|to) the public domain\b", flat, re.I):
        found.append("LicenseRef-public-domain")
    return list(dict.fromkeys(licence for licence in found if licence))


def clean_holder(raw: str) -> str:
    """Return a holder's name without copyright signs, years and e-mail address."""
    name = re.sub(r"<[^>]*>|\(c\)|©|&copy;|^\s*copyright\b", " ", raw, flags=re.I)
    name = re.sub(r"^[\s\d,–-]+(?:by\s+)?", "", name)
    name = re.sub(r"\ball rights reserved\b", "", name, flags=re.I)
    return " ".join(name.split()).strip(" ,.;")


def _before_boundary(text: str, start: int) -> str:
    end = _BOUNDARY.search(text, start + 1)
    return text[start : end.start() if end else len(text)]


def _creative_commons(flat: str) -> str:
    if "CREATIVE COMMONS PUBLIC LICENSE" in flat or "Creative Commons Public License" in flat:
        parts = re.search(r"title of this License: ([A-Za-z, -]+)\.", flat)
        elements = parts.group(1) if parts else ""
        name = "-".join(
            short
            for short, word in (
                ("BY", "Attribution"),
                ("NC", "Noncommercial"),
                ("ND", "NoDeriv"),
                ("SA", "ShareAlike"),
            )
            if word.lower() in elements.lower().replace(" ", "").replace("-", "") or short == "BY"
        )
        if '"Adaptation" means' in flat:
            return f"CC-{name}-3.0"
        stated = re.search(r"version (\d\.\d)", flat[:400])
        return f"CC-{name}-{stated.group(1)}" if stated else normalise_text(f"CC {name}")
    head = re.search(
        r"(?:creativecommons\.org/\S+|(?:Creative Commons|\bCC[ -]BY)[^.;]{0,80}(?:\d\.\d)?)", flat
    )
    if not head:
        return ""
    named = normalise_text(head.group())
    return "" if named.startswith("LicenseRef-unrecognised-") else named


def _gnu(flat: str) -> str:
    if notice := _GNU_NOTICE.search(flat):
        kind = (notice["kind"] or "").strip().lower()
        family = {"lesser": "LGPL", "library": "LGPL", "affero": "AGPL"}.get(kind, "GPL")
        version = notice["version"] if "." in notice["version"] else f"{notice['version']}.0"
        return f"{family}-{version}-{'or-later' if notice['later'] else 'only'}"
    named = (
        normalise_text(flat)
        if re.search(r"GNU\s+(?:\w+\s+)?(?:General\s+)?Public\s+License", flat, re.I)
        else ""
    )
    return named if named.startswith(("GPL-", "LGPL-", "AGPL-")) else ""


def _bsd(flat: str) -> str:
    if "Redistribution and use in source and binary forms" not in flat:
        return ""
    named = re.search(r"(?:Neither the name|names? of .{0,80} may (?:not )?be used to endorse)", flat, re.I)
    return "BSD-3-Clause" if named else "BSD-2-Clause"


def _quote(text: str) -> str:
    return " ".join(text.split())[:400]

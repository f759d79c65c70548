"""What a file's tags say about its rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from provenance.rights.expressions import UNRECOGNISED, normalise_text
from provenance.rights.texts import clean_holder
from provenance.rights.values import Statement


class Tags(Protocol):
    """The tags of one file, as `provenance.audio.read_tags` gives them."""

    @property
    def title(self) -> str: ...
    @property
    def artist(self) -> str: ...
    @property
    def year(self) -> int | None: ...
    @property
    def genre(self) -> str: ...
    @property
    def isrc(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def licence_url(self) -> str: ...
    @property
    def copyright(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def raw(self) -> dict[str, str]: ...


RESERVED = "LicenseRef-all-rights-reserved"
TagReader = Callable[[Path], Tags]


def read_tags(path: Path) -> Tags:
    """Read a file's tags with the house's own reader, which is loaded when it is first needed."""
    from provenance import audio

    return audio.read_tags(path)


def statements_from(tags: Tags, evidence: str) -> tuple[Statement, ...]:
    """Turn a file's tags into statements about its rights.

    A tag speaks for whoever made this file, so it is about the master. It is also about the composition
    where the
    tags name a composer and it is the artist: then the same person licenses both.

    Parameters
    ----------
    tags : Tags
        The file's tags.
    evidence : str
        Where they were read.

    Returns
    -------
    tuple of Statement
        Empty where the tags name no licence.
    """
    raw, expression = _licence(tags)
    if not expression:
        return ()
    holder = clean_holder(tags.copyright) or tags.artist
    master = Statement(
        right="master",
        expression=expression,
        raw=raw,
        source="embedded_tag",
        weak=False,
        evidence=evidence,
        quote=raw,
        holders=(holder,) if holder else (),
        licence_url=tags.licence_url,
    )
    composer = tags.raw.get("composer", "")
    if composer and composer.casefold() == tags.artist.casefold():
        return master, replace(master, right="composition")
    return (master,)


def _licence(tags: Tags) -> tuple[str, str]:
    """Return the licence as spelled and as normalised; a licence tag outranks the prose of other tags."""
    for raw in (tags.licence, tags.licence_url):
        named = normalise_text(raw)
        if named and not named.startswith(UNRECOGNISED):
            return raw, named
    if tags.licence:
        return tags.licence, normalise_text(tags.licence)
    for raw in (tags.copyright, tags.comment):
        named = normalise_text(raw)
        if named and not named.startswith(UNRECOGNISED) and not _is_blank_notice(raw, named):
            return raw, named
    return "", ""


def _is_blank_notice(raw: str, named: str) -> bool:
    """Say whether rights are reserved for nobody: what a notation program writes until somebody fills it in."""
    return named == RESERVED and not any(char.isalpha() for char in clean_holder(raw))

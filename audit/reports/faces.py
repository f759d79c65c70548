"""The typefaces of a report, carried inside the page so that it looks alike on a machine without them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "static" / "vendor"


@dataclass(frozen=True)
class Face:
    """One typeface file and the family name under which the stylesheet asks for it.

    Each file has a family of its own. WeasyPrint 70 tells embedded fonts apart by family, weight and width:
    two files of one family with different alphabets end up as one font in the PDF, and its letters as others.
    """

    family: str
    file_name: str
    descriptors: str
    extended: bool = False


_FACES = (
    Face(
        "Archivo",
        "archivo/archivo-latin-wdth-normal.woff2",
        "font-weight:100 900;font-stretch:62% 125%",
    ),
    Face(
        "Archivo Extended",
        "archivo/archivo-latin-ext-wdth-normal.woff2",
        "font-weight:100 900;font-stretch:62% 125%",
        extended=True,
    ),
    Face(
        "Source Serif",
        "source-serif-4/source-serif-4-latin-wght-normal.woff2",
        "font-weight:200 900",
    ),
    Face(
        "Source Serif Extended",
        "source-serif-4/source-serif-4-latin-ext-wght-normal.woff2",
        "font-weight:200 900",
        extended=True,
    ),
    Face(
        "Source Serif Italic",
        "source-serif-4/source-serif-4-latin-wght-italic.woff2",
        "font-weight:200 900",
    ),
    Face("Plex Mono", "ibm-plex-mono/ibm-plex-mono-latin-400-normal.woff2", "font-weight:400"),
)


def embedded(body: str) -> str:
    """Write ``@font-face`` rules with the typefaces as ``data:`` URLs.

    Parameters
    ----------
    body : str
        The page, from which it is seen whether letters beyond Latin-1 are needed. Other scripts fall to the
        faces of the machine that shows or prints the page.

    Returns
    -------
    str
        CSS; nothing for a file that is not there, and the stylesheet's fall-backs serve.
    """
    beyond = any(0xFF < ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 for letter in body)
    return "".join(_rule(face) for face in _FACES if beyond or not face.extended)


@cache
def _rule(face: Face) -> str:
    path = FOLDER / face.file_name
    if not path.is_file():
        return ""
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'@font-face{{font-family:"{face.family}";{face.descriptors};'
        f'src:url("data:font/woff2;base64,{encoded}") format("woff2")}}\n'
    )

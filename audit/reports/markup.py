"""HTML that is escaped by construction: text becomes markup only through ``tag``."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"br", "col", "hr", "img", "link", "meta", "wbr"})


class Markup(str):
    """Text that already is HTML. Made by ``tag`` and ``trusted`` only."""

    __slots__ = ()


Child: TypeAlias = str | int | float | Iterable["Child"] | None


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Write one element.

    Parameters
    ----------
    name : str
        Element name, from the program and never from the snapshot.
    *children : str, int, float, None, Markup or iterables of these
        Content in order. Everything that is not Markup is escaped; None is left out.
    **attributes : str, int, float, bool or None
        ``cls`` stands for ``class``, an underscore for a hyphen; True writes the bare name, None and False
        nothing. Values are escaped.

    Returns
    -------
    Markup
        The element.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Child], separator: str = "") -> Markup:
    """Write children one after the other, escaped unless they are Markup."""
    return Markup(html.escape(separator).join(_text(child) for child in children if child is not None))


def trusted(text: str) -> Markup:
    """Declare text of the program itself, such as its stylesheet, to be HTML. Never a snapshot's values."""
    return Markup(text)


def _text(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(child)
    if child is None:
        return ""
    if isinstance(child, (int, float)):
        return html.escape(str(child))
    return join(child)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{html.escape(str(value))}"'

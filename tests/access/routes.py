"""Every address of the product, read from the URL resolver, with the methods that it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import getclosurevars
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

READS = ("GET",)


@dataclass(frozen=True, order=True)
class Route:
    name: str
    path: str
    methods: tuple[str, ...]

    @property
    def is_api(self) -> bool:
        return self.path.startswith("api/")


@cache
def routes() -> tuple[Route, ...]:
    return tuple(sorted(_routes(get_resolver().url_patterns, "", ())))


def _routes(patterns: Any, path: str, spaces: tuple[str, ...]) -> Iterator[Route]:
    for pattern in patterns:
        whole = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inside = (*spaces, pattern.namespace or pattern.app_name or "")
            yield from _routes(pattern.url_patterns, whole, tuple(filter(None, inside)))
        elif isinstance(pattern, URLPattern) and "format" not in whole:
            yield Route(":".join((*spaces, str(pattern.name))), whole, methods_of(pattern.callback))


def methods_of(view: Any) -> tuple[str, ...]:
    """Return GET, POST and so on; of a page, what its ``require_...`` decorator lets through."""
    if actions := getattr(view, "actions", None):
        return tuple(sorted({verb.upper() for verb in actions} - {"HEAD"}))
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if cls is not None:
        found = {verb.upper() for verb in cls.http_method_names if hasattr(cls, verb)}
        return tuple(sorted(found - {"HEAD", "OPTIONS", "PUT"} | _put(cls)))
    return tuple(sorted(set(_decorated(view)) - {"HEAD"})) or READS


def _put(cls: Any) -> set[str]:
    """Django's forms answer PUT as POST; only an API's own PUT is one."""
    return {"PUT"} if hasattr(cls, "put") and hasattr(cls, "renderer_classes") else set()


def _decorated(view: Any) -> tuple[str, ...]:
    while view is not None:
        allowed = getclosurevars(view).nonlocals.get("request_method_list")
        if allowed:
            return tuple(allowed)
        view = getattr(view, "__wrapped__", None)
    return ()

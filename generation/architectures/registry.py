"""Architectures by name.

Modules are imported when they are asked for: naming the architectures must not load torch into a web process.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from generation.architectures.base import Architecture, UnknownArchitectureError

_PLACES = {
    "spectral_codec": ("generation.architectures.codec", "Codec"),
    "symbolic": ("generation.architectures.symbolic", "Symbolic"),
}


_TITLES = {
    "spectral_codec": "spectral codec transformer",
    "symbolic": "note transformer",
}


def names() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_PLACES))


def title(name: str) -> str:
    """Say an architecture's name as people read it.

    Parameters
    ----------
    name : str
        One of ``names()``, or of an architecture that is no longer here: rows outlive code.

    Returns
    -------
    str
        In lower case, to stand within a sentence; an unknown name keeps its letters, without underscores.
    """
    return _TITLES.get(name, name.replace("_", " "))


@cache
def get(name: str) -> Architecture:
    """Find an architecture.

    Parameters
    ----------
    name : str
        One of ``names()``.

    Returns
    -------
    Architecture
        The same instance each time; it keeps no state.

    Raises
    ------
    UnknownArchitectureError
        If there is none of this name; the message lists those there are.
    """
    if name not in _PLACES:
        raise UnknownArchitectureError(f"no architecture {name!r}: there are {', '.join(names())}")
    module, class_name = _PLACES[name]
    architecture: Architecture = getattr(importlib.import_module(module), class_name)()
    return architecture


def default_steps(architecture: Architecture, settings: Mapping[str, Any]) -> int:
    """Optimiser steps that an architecture takes under ``settings`` when nobody names a number.

    Parameters
    ----------
    architecture : Architecture
        From ``get``.
    settings : dict
        As for ``Config.from_json``, a preset among them or not.

    Returns
    -------
    int
        The config's ``steps``, > 0.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range.
    """
    return architecture.config_class.from_json(settings).steps

"""From installed paths back to the source paths that copyright paragraphs name.

A Debian package installs ``data/music/a.ogg`` as ``/usr/share/games/NAME/music/a.ogg``; its copyright file
speaks of
the former. Nothing records the map, so it is inferred: a paragraph's path and an installed path that share
literal
components (folder names, or a file name without wildcard) say which installed folder stands for which source
folder,
and the pairs with the most shared components win. What no pair reaches has no known source path, and then
only the
package-wide ``Files: *`` can speak for it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An installed path's source path, and how it was found."""

    source: str
    """Empty where it could not be established."""
    method: str
    """``named`` by a paragraph itself, ``folder`` by what fits its folder, or ``none``."""
    evidence: int = 0
    """Shared literal components behind the pair of folders that was used."""


class SourceMap:
    """The map of one package.

    Parameters
    ----------
    globs : iterable of str
        The paths of all paragraphs' ``Files`` fields.
    installed : iterable of str
        All installed paths, without leading slash; not only those of sounds.
    """

    def __init__(self, globs: Iterable[str], installed: Iterable[str]) -> None:
        self._paths = [tuple(path.split("/")) for path in installed]
        by_part: defaultdict[str, list[int]] = defaultdict(list)
        for index, parts in enumerate(self._paths):
            for part in set(parts):
                by_part[part].append(index)
        self._votes: Counter[tuple[Parts, Parts]] = Counter()
        self._named: defaultdict[Parts, Counter[tuple[Parts, Parts]]] = defaultdict(Counter)
        self.unmatched: list[str] = []
        """Paths of paragraphs that no installed file was found for."""
        for glob in dict.fromkeys(globs):
            if not self._vote(glob, by_part):
                self.unmatched.append(glob)

    def find(self, installed: str) -> Mapped:
        """Return the source path of one installed path."""
        parts = tuple(installed.split("/"))
        if named := self._named.get(parts):
            pair = max(named, key=lambda one: (named[one], self._votes[one], one))
            return Mapped(_source(parts, pair), "named", named[pair])
        pairs = [pair for pair in self._votes if parts[: len(pair[0])] == pair[0]]
        if not pairs:
            return Mapped("", "none")
        pair = max(pairs, key=lambda one: (self._votes[one], len(one[0]), one))
        return Mapped(_source(parts, pair), "folder", self._votes[pair])

    def _vote(self, glob: str, by_part: dict[str, list[int]]) -> bool:
        """Let one path of a paragraph vote, once for each pair of folders that it fits best."""
        parts = tuple(glob.removeprefix("./").split("/"))
        literal = _literal(parts)
        if not literal:
            return True
        found = [
            (run, pair, self._paths[index])
            for index in by_part.get(literal[-1], ())
            for run, pair in _fits(literal, self._paths[index], compile_glob(glob))
        ]
        best = max((run for run, _, _ in found), default=0)
        for pair in {pair for run, pair, _ in found if run == best}:
            self._votes[pair] += best
        if len(literal) == len(parts):
            for run, pair, path in found:
                if run == best:
                    self._named[path][pair] = max(self._named[path][pair], run)
        return bool(found)


@lru_cache(maxsize=4096)
def compile_glob(glob: str) -> re.Pattern[str]:
    r"""Compile a path of a ``Files`` field: ``*`` and ``?`` match anything, slashes too, ``\`` escapes them."""
    pattern = ""
    escaped = False
    for char in glob.removeprefix("./"):
        if escaped or char not in "*?\\":
            pattern += re.escape(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            pattern += ".*" if char == "*" else "."
    return re.compile(pattern + r"\Z", re.S)


def _fits(literal: Parts, path: Parts, matches: re.Pattern[str]) -> Iterator[tuple[int, tuple[Parts, Parts]]]:
    """Yield each way a paragraph's path fits an installed one: shared components, and the pair of folders."""
    for end in (place for place, part in enumerate(path) if part == literal[-1]):
        run = _common_run(literal, path[: end + 1])
        pair = path[: end + 1 - run], literal[: len(literal) - run]
        if matches.match(_source(path, pair)):
            yield run, pair


def _source(path: Parts, pair: tuple[Parts, Parts]) -> str:
    return "/".join(pair[1] + path[len(pair[0]) :])


def _literal(parts: Sequence[str]) -> Parts:
    """Return the leading components without wildcards."""
    literal = []
    for part in parts:
        if "*" in part or "?" in part or not part:
            break
        literal.append(part)
    return tuple(literal)


def _common_run(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the equal components at the end of both."""
    run = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        run += 1
    return run

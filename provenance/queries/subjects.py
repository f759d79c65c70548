"""Which recordings a row of a file means: by external id, ISRC, sha256 or id, by work, or all of a dataset."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from governance.models import Organisation
from provenance.models import DatasetEntry, Recording

Named = dict[tuple[str, str], dict[int, str]]


@dataclass(frozen=True)
class Asked:
    """The words of one row. A dataset beside other names narrows them; alone it means all that it holds."""

    recordings: Sequence[str] = ()
    isrcs: Sequence[str] = ()
    works: Sequence[str] = ()
    dataset: str = ""


@dataclass
class Found:
    recordings: list[tuple[int, str]] = field(default_factory=list)  # key and public id, in the keys' order
    problems: list[str] = field(default_factory=list)


class Subjects:
    """Finds what many rows of one file mean with a few queries; a dataset's members are read once."""

    def __init__(self, organisation: Organisation) -> None:
        self._organisation = organisation
        self._members: dict[str, dict[int, str]] = {}

    def of(self, rows: Sequence[Asked]) -> list[Found]:
        named = _by_name(self._organisation, rows)
        return [self._of(row, named) for row in rows]

    def _of(self, row: Asked, named: Named) -> Found:
        problems: list[str] = []
        within = self._dataset(row.dataset, problems) if row.dataset else None
        found: dict[int, str] = {}
        for kind, names in (("recording", row.recordings), ("isrc", row.isrcs), ("work", row.works)):
            for name in names:
                hits = named.get((kind, name), {})
                if within is not None:
                    hits = {key: public_id for key, public_id in hits.items() if key in within}
                if not hits:
                    problems.append(_unknown(kind, name))
                found.update(hits)
        if within is not None and not (row.recordings or row.isrcs or row.works):
            found = within
        return Found(sorted(found.items()), problems)

    def _dataset(self, name: str, problems: list[str]) -> dict[int, str]:
        if name not in self._members:
            own = Recording.objects.filter(organisation=self._organisation, entries__dataset__name=name)
            rows = own.values_list("pk", "public_id")
            self._members[name] = {key: str(public_id) for key, public_id in rows}
        if not self._members[name]:
            problems.append(f"no dataset {name!r} with recordings")
        return self._members[name]


def _by_name(organisation: Organisation, rows: Sequence[Asked]) -> Named:
    """Return, for everything that deals name recordings by, which recordings that means."""
    own = Recording.objects.filter(organisation=organisation)
    found: Named = defaultdict(dict)
    names = {name for row in rows for name in row.recordings}
    codes = {name: _isrc(name) for row in rows for name in (*row.recordings, *row.isrcs)}
    works = {name for row in rows for name in row.works}

    def note(kind: str, written: Mapping[str, Iterable[str]], rows: Iterable[tuple[Any, int, UUID]]) -> None:
        for value, key, public_id in rows:
            for name in written.get(str(value), ()):
                found[kind, name][key] = str(public_id)

    if names:
        listed = DatasetEntry.objects.filter(external_id__in=names, dataset__organisation=organisation)
        entries = listed.order_by().values_list("external_id", "recording_id", "recording__public_id")
        note("recording", {name: (name,) for name in names}, entries.distinct())
        hashes = _spellings({name: name.lower() for name in names if len(name) == 64})
        note("recording", hashes, own.filter(sha256__in=hashes).values_list("sha256", "pk", "public_id"))
        ids = _spellings({name: known for name in names if (known := _uuid(name))})
        note("recording", ids, own.filter(public_id__in=ids).values_list("public_id", "pk", "public_id"))
    if codes:
        spelt = _spellings(codes)
        coded = list(own.filter(isrc__in=spelt).values_list("isrc", "pk", "public_id"))
        asked = {"recording": names, "isrc": {name for row in rows for name in row.isrcs}}
        for kind, wanted in asked.items():
            note(kind, {code: [one for one in said if one in wanted] for code, said in spelt.items()}, coded)
    if works:
        of_works = own.filter(work__iswc__in=works | {_isrc(name) for name in works})
        spelt = _spellings({name: _isrc(name) for name in works}) | {name: [name] for name in works}
        note("work", spelt, of_works.values_list("work__iswc", "pk", "public_id"))
    return found


def _isrc(written: str) -> str:
    return written.replace("-", "").replace(".", "").replace(" ", "").upper()


def _spellings(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Turn each name's one spelling round: which names were written for it."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, spelt in names.items():
        found[spelt].append(name)
    return found


def _uuid(name: str) -> str:
    try:
        return str(UUID(name)) if len(name.replace("-", "")) == 32 else ""
    except ValueError:
        return ""


def _unknown(kind: str, name: str) -> str:
    if kind == "work":
        return f"no recording of work {name!r}"
    return f"no recording {name!r} ({'ISRC' if kind == 'isrc' else 'external id, ISRC, sha256 or id'})"

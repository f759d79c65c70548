"""Reads of a whole deal: the rights that it gives, where, how long each still stands, and what was frozen on it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import Q, QuerySet

from provenance import tables
from provenance.models import DatasetVersion, Grant, GrantRecording, Recording, VersionEntry
from provenance.queries.exclusivity import Meeting, meetings
from provenance.rights.territory import spelled


@dataclass(frozen=True)
class GivenRight:
    """One right of a deal today: ``ends`` and ``notice`` are sentences, empty where there is nothing to say."""

    grant: Grant
    state: str
    words: str
    ends: str
    notice: str
    beside: tuple[Meeting, ...] = ()
    """Grants to others that stand though one of the two is exclusive."""

    @property
    def against_terms(self) -> list[str]:
        """What its terms have to do with when it ends, once it is revoked."""
        return against_terms([self.grant])


@dataclass(frozen=True)
class Term:
    """One term of a deal, as each of its rights has it."""

    name: str
    said: Sequence[tuple[Grant, str]]

    @property
    def differs(self) -> bool:
        return len({words for _, words in self.said}) > 1


def where(territory: Sequence[str]) -> str:
    """Write a territory in words: worldwide; DE (Germany), South America; worldwide without US (United States)."""
    inside = [spelled(place) for place in territory if not place.startswith("-") and place != "WORLD"]
    outside = [spelled(place.removeprefix("-")) for place in territory if place.startswith("-")]
    words = ", ".join(inside) or "worldwide"
    return f"{words} without {', '.join(outside)}" if outside else words


def last_day(valid_until: date | None) -> str:
    """Write the last day on which something holds, from the first on which it no longer does."""
    if valid_until is None:
        return "no end"
    return f"{valid_until - timedelta(days=1):%-d %B %Y}"


def rights_of(
    grants: Sequence[Grant], today: date, beside: Mapping[int, Sequence[Meeting]] = MappingProxyType({})
) -> list[GivenRight]:
    return [
        GivenRight(
            grant,
            *tables.grant_state(grant, today),
            _ends(grant, today),
            _notice(grant, today),
            tuple(beside.get(grant.pk, ())),
        )
        for grant in grants
    ]


def standing_beside(
    grants: Sequence[Grant], known: QuerySet[Grant], *, now: datetime
) -> dict[int, list[Meeting]]:
    """Return what stands beside each grant though one of the two is exclusive, of the grants that are ``known``."""
    standing = [grant for grant in grants if grant.revoked_from is None or grant.revoked_from > now]
    met = meetings(standing, now=now)
    told = set(known.filter(pk__in={one.other.pk for one in met}).values_list("pk", flat=True))
    found: dict[int, list[Meeting]] = {}
    for one in met:
        if one.other.pk in told:
            found.setdefault(one.grant, []).append(one)
    return found


def _ends(grant: Grant, today: date) -> str:
    if grant.revoked_from is not None:
        return f"Revoked from {grant.revoked_from:%-d %B %Y}."
    if grant.valid_until is None:
        return "It has no end."
    if grant.valid_until <= today:
        return f"Its last day was {last_day(grant.valid_until)}."
    return f"{_days((grant.valid_until - today).days)} left: the last is {last_day(grant.valid_until)}."


def _notice(grant: Grant, today: date) -> str:
    """Say when notice given today would run out, and whether the deal is over before."""
    if grant.notice_days is None or grant.revoked_at is not None:
        return ""
    if grant.valid_until is not None and grant.valid_until <= today:
        return ""
    runs_out = today + timedelta(days=grant.notice_days)
    if grant.valid_until is not None and grant.valid_until <= runs_out:
        return f"{_days(grant.notice_days)} of notice: it ends before notice given today runs out."
    return f"{_days(grant.notice_days)} of notice: given today, it runs out on {runs_out:%-d %B %Y}."


def against_terms(grants: Iterable[Grant]) -> list[str]:
    """Say what the terms of revoked grants have to do with when they end; empty where they say nothing of it."""
    return list(dict.fromkeys(said for grant in grants for said in _against_terms(grant)))


def _against_terms(grant: Grant) -> Iterator[str]:
    if grant.revoked_at is None or grant.revoked_from is None:
        return
    if not grant.revocable and grant.revoked_despite_terms:
        yield f"By its terms the {grant.right} is irrevocable. It ends all the same: {grant.revoked_despite_terms}"
    elif not grant.revocable:
        yield f"By its terms the {grant.right} is irrevocable, and nobody was asked why it ends all the same."
    if grant.notice_days:
        runs_out = grant.end_of_notice(grant.revoked_at)
        notice = f"{_days(grant.notice_days)} of notice"
        if grant.revoked_from < runs_out:
            yield f"The {grant.right} ends before its {notice}, given that day, ran out on {runs_out:%-d %B %Y}."
        else:
            yield f"The {grant.right} asks for {notice}: it holds until {grant.revoked_from:%-d %B %Y, %H:%M} UTC."


def _days(n: int) -> str:
    return f"{n} day{'' if n == 1 else 's'}"


TERMS: tuple[tuple[str, Callable[[Grant], str]], ...] = (
    ("licensor", lambda grant: grant.licensor.name),
    ("basis", lambda grant: grant.get_basis_display()),
    ("share of the right", lambda grant: _percent(grant)),
    ("commercial use", lambda grant: _yes(grant.commercial)),
    ("where", lambda grant: where(grant.territory)),
    ("first day", lambda grant: f"{grant.valid_from:%-d %B %Y}" if grant.valid_from else "no beginning"),
    ("last day", lambda grant: last_day(grant.valid_until)),
    ("exclusive", lambda grant: _exclusive(grant)),
    ("models", lambda grant: ", ".join(grant.model_scope) or "any"),
    (
        "weights may be used",
        lambda grant: f"until {last_day(grant.sunset_on)}" if grant.sunset_on else "no end",
    ),
    ("outputs may be used for", lambda grant: ", ".join(grant.output_uses) or "not limited"),
    ("sublicensing", lambda grant: _yes(grant.sublicensing)),
    ("attribution owed", lambda grant: grant.attribution or "none"),
    ("conditions", lambda grant: ", ".join(grant.conditions) or "none"),
    ("revocable", lambda grant: _yes(grant.revocable)),
    ("notice", lambda grant: _days(grant.notice_days) if grant.notice_days is not None else "not stated"),
    ("payment", lambda grant: _payment(grant)),
)


def terms_of(grants: Sequence[Grant]) -> list[Term]:
    return [Term(name, [(grant, say(grant)) for grant in grants]) for name, say in TERMS]


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _exclusive(grant: Grant) -> str:
    besides = f", but for {', '.join(grant.exclusive_except)}" if grant.exclusive_except else ""
    return f"{_yes(grant.exclusive)}{besides}"


def _percent(grant: Grant) -> str:
    return "not stated" if grant.share_percent is None else f"{grant.share_percent.normalize():f} %"


def _payment(grant: Grant) -> str:
    kind = grant.get_remuneration_display()
    return f"{kind}: {grant.remuneration_terms}" if grant.remuneration_terms else kind


def chains_of(grants: Sequence[Grant]) -> list[tuple[str, list[str]]]:
    """Return each chain of title of a deal once, with the rights that it is for."""
    found: dict[tuple[str, ...], list[str]] = {}
    for grant in grants:
        if grant.chain_of_title:
            found.setdefault(tuple(grant.chain_of_title), []).append(grant.right)
    return [(" and ".join(dict.fromkeys(rights)), list(chain)) for chain, rights in found.items()]


def to_give_again(deal: Iterable[Grant], *, right: str = "") -> list[Grant]:
    """Return what of a deal, or of its one ``right``, is revoked and was not given again."""
    return [
        one
        for one in deal
        if one.revoked_at is not None and right in ("", one.right) and not hasattr(one, "reinstated_by")
    ]


def given_again_as_json(anew: Sequence[Grant]) -> dict[str, Any]:
    first = anew[0]
    return {
        "deal": str(first.deal),
        "grants": [str(one.public_id) for one in anew],
        "rights": {one.right: str(one.public_id) for one in anew},
        "from": str(first.valid_from),
        "revoked_deal": str(first.reinstates.deal) if first.reinstates else None,
    }


def recordings_of(grants: Sequence[Grant]) -> QuerySet[Recording]:
    ids = GrantRecording.objects.filter(grant__in=grants).values("recording")
    return Recording.objects.filter(pk__in=ids).order_by("title", "id")


def versions_on(grants: Sequence[Grant]) -> QuerySet[DatasetVersion]:
    """Return the dataset versions that were frozen on the strength of these grants: their manifests name them."""
    named = Q(pk__in=[])
    for grant in grants:
        named |= Q(**{f"manifest__{grant.right}__grant": str(grant.public_id)})
    entries = VersionEntry.objects.filter(named, recording__in=recordings_of(grants).values("pk"))
    return (
        DatasetVersion.objects.filter(pk__in=entries.values("version"))
        .select_related("dataset")
        .order_by("dataset__name", "number")
    )

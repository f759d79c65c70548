"""Reads shaped for pages: lists with their counts, the clearance table, a recording's chain of rights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from governance.keyset import Slice, by, slice_of
from governance.models import Organisation
from provenance import queries
from provenance.models import (
    Conflict,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    Grant,
    GrantRecording,
    LicenceStatement,
    Recording,
    Right,
    VersionEntry,
)
from provenance.queries import clearances
from provenance.queries.clearances import MatrixRow, Question
from provenance.rights import terms
from provenance.rights.policy import SHIPPED, ClearancePolicy
from provenance.rights.titles import spelled
from provenance.rights.values import ANSWERS, Use
from provenance.services.clearing import Answers, answers_to

SUMMED_AT_ONCE = 3000  # recordings whose answers are counted without being asked: about a second's work
ENDS_SOON = timedelta(days=90)


def with_sizes(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Tell each dataset how many recordings it holds: a tenth of what `with_counts` takes of a large one."""
    entries = DatasetEntry.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    versions = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    return datasets.annotate(
        n_recordings=_counted(entries.annotate(n=Count("pk"))),
        n_versions=_counted(versions.annotate(n=Count("pk"))),
    )


def with_counts(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Tell each dataset how much it holds, and how long that lasts, in the same query."""
    entries = DatasetEntry.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    versions = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    return datasets.annotate(
        n_recordings=_counted(entries.annotate(n=Count("pk"))),
        seconds=Subquery(entries.annotate(n=Sum("recording__seconds")).values("n")),
        n_versions=_counted(versions.annotate(n=Count("pk"))),
    )


def _counted(rows: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(rows.values("n"), output_field=IntegerField()), 0)


def grants_with_counts(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    links = GrantRecording.objects.filter(grant=OuterRef("pk")).order_by().values("grant")
    return grants.annotate(n_recordings=_counted(links.annotate(n=Count("pk"))))


def grant_state(grant: Grant, today: date) -> tuple[str, str]:
    """Return a grant's state as the mark that shows it and its words."""
    if grant.revoked_from is not None:
        return ("partly", "Under notice") if grant.revoked_from.date() > today else ("revoked", "Revoked")
    if grant.valid_until is not None and grant.valid_until <= today:
        return "draft", "Ended"
    if grant.valid_from is not None and grant.valid_from > today:
        return "queued", "Not begun"
    if grant.valid_until is not None and grant.valid_until <= today + ENDS_SOON:
        return "partly", "Ends soon"
    return "approved", "In force"


@dataclass(frozen=True)
class ClearanceTable:
    """One page of answers; ``counts`` is empty where a large dataset's answers are not worked out, or out of date."""

    rows: Sequence[MatrixRow]
    slice: Slice[DatasetEntry]
    answers: Answers
    use: Use
    policy: ClearancePolicy

    @property
    def counts(self) -> list[tuple[str, int]]:
        run = self.answers.run
        return [(answer, run.counts[answer]) for answer in reversed(ANSWERS)] if run else []


def clearance_table(
    question: Question,
    *,
    now: datetime,
    answer: str = "",
    after: str = "",
    before: str = "",
) -> ClearanceTable:
    """Answer one page of a dataset; what is narrowed by its answer needs all of them to be known."""
    answers, use = answers_to(question, now=now), question.use(now)
    entries = clearances.narrowed(question.entries(), clearances.Narrowing(answer=answer), answers.run)
    cut = slice_of(entries, by("external_id"), after=after, before=before)
    rows = clearances.answered_slice(cut.rows, use=use, policy=question.policy)
    return ClearanceTable(rows, cut, answers, use, question.policy)


def conditions_offered(dataset: Dataset, *, at: datetime) -> list[tuple[str, str]]:
    """Return the conditions that an approval may accept: those its recordings are under, with their sentences."""
    known = terms.conditions()
    if dataset.entries.count() > SUMMED_AT_ONCE:
        return list(known.items())
    return [(name, known[name]) for name in sorted(queries.conditions_in(dataset, at=at)) if name in known]


def policies_of(organisation: Organisation, *, at: datetime | None = None) -> list[tuple[str, str]]:
    """Return (name, label) of each reading that an organisation may clear by, the one in force first.

    The one in force has no name: for another day it is the one that was in force then.
    """
    in_force = queries.policy_of(organisation, at=at)
    adopted = organisation.adoptions.values_list("policy__name", "policy__version").distinct()
    own = [name if name in SHIPPED else f"{name}@{number}" for name, number in adopted]
    names = dict.fromkeys([*SHIPPED, *sorted(own)])
    return [("", f"ours ({in_force.reference})"), *((name, name) for name in names)]


@dataclass(frozen=True)
class Step:
    """One step of a recording's chain of rights."""

    at: date | None
    what: str
    says: str
    when: str
    url: str = ""
    broken: bool = False


@dataclass(frozen=True)
class SourceStatements:
    """What one source says about a recording in one dataset: never merged with what another says."""

    entry: DatasetEntry
    source: str
    statements: list[LicenceStatement] = field(default_factory=list)


def statements_by_source(statements: QuerySet[LicenceStatement]) -> list[SourceStatements]:
    """Group what is said of one recording by dataset and source."""
    found: dict[tuple[int, str], SourceStatements] = {}
    ordered = statements.select_related("entry", "entry__dataset").order_by(
        "entry__dataset__name", "source", "right", "valid_from", "id"
    )
    for statement in ordered:
        key = (statement.entry_id, statement.source)
        kept = found.setdefault(key, SourceStatements(statement.entry, statement.get_source_display()))
        kept.statements.append(statement)
    return list(found.values())


def chain_of(
    sources: Iterable[SourceStatements], grants: Iterable[Grant], versions: Iterable[VersionEntry]
) -> dict[str, list[Step]]:
    """Return the steps of each right in the order of their days; what has no day comes first."""
    sources, grants, versions = list(sources), list(grants), list(versions)
    return {
        right.value: sorted(
            [
                *_said(sources, right),
                *(_granted(grant) for grant in grants if grant.right == right),
                *(_frozen(entry, right) for entry in versions),
            ],
            key=lambda step: step.at or date.min,
        )
        for right in Right
    }


def _said(sources: list[SourceStatements], right: Right) -> list[Step]:
    steps = {}
    for source in sources:
        for statement in source.statements:
            if statement.right == right:
                holders = ", ".join(statement.holders[:3])
                steps[statement.expression, source.source] = Step(
                    statement.valid_from,
                    spelled(statement.expression) if statement.expression else "No licence stated",
                    f"according to the {source.source.lower()}" + (f"; holder {holders}" if holders else ""),
                    _period(statement.valid_from, statement.valid_until),
                )
    return list(steps.values())


def _granted(grant: Grant) -> Step:
    revoked = grant.revoked_at is not None
    return Step(
        grant.valid_from,
        "Grant, revoked" if revoked else "Grant",
        f"{grant.licensor} to {grant.licensee}",
        _period(grant.valid_from, grant.revoked_from.date() if grant.revoked_from else grant.valid_until),
        url=str(grant.public_id),
        broken=revoked,
    )


def _frozen(entry: VersionEntry, right: Right) -> Step:
    answer = entry.manifest.get(right.value, {})
    licence = answer.get("licence")
    by = spelled(licence) if licence else answer.get("grant") or "no basis recorded"
    return Step(
        entry.version.frozen_at.date(),
        str(entry.version),
        f"frozen under {by}",
        f"{entry.version.frozen_at:%-d %B %Y}",
    )


def _period(start: date | None, end: date | None) -> str:
    last = end - timedelta(days=1) if end else None  # what ends on a day no longer holds on it
    if start and last:
        return f"{start:%-d %B %Y} to {last:%-d %B %Y}"
    if last:
        return f"until {last:%-d %B %Y}"
    return f"from {start:%-d %B %Y}, open" if start else "no period given"


def open_conflicts(organisations: Sequence[Organisation]) -> QuerySet[Conflict]:
    return Conflict.objects.filter(organisation__in=organisations, status=ConflictStatus.OPEN)


def ending_soon(organisations: Sequence[Organisation], today: date) -> dict[str, QuerySet[Any]]:
    """Return the grants and the licence statements that stop holding within 90 days."""
    soon = {"valid_until__gt": today, "valid_until__lte": today + ENDS_SOON}
    return {
        "grants": Grant.objects.filter(organisation__in=organisations, revoked_at=None, **soon)
        .select_related("licensor")
        .order_by("valid_until"),
        "statements": LicenceStatement.objects.filter(entry__dataset__organisation__in=organisations, **soon)
        .select_related("entry", "entry__dataset")
        .order_by("valid_until"),
    }


def matching(recordings: QuerySet[Recording], words: str) -> QuerySet[Recording]:
    """Narrow by a part of title or artist, an ISRC, a sha256, or an external id."""
    words = words.strip()
    if not words:
        return recordings
    by_entry = DatasetEntry.objects.filter(external_id__icontains=words).values("recording")
    return recordings.filter(
        Q(title__icontains=words)
        | Q(artist__icontains=words)
        | Q(isrc__iexact=words.replace("-", ""))
        | Q(sha256=words.lower())
        | Q(pk__in=by_entry)
    )

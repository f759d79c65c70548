"""What provenance has to say on people's first page and on reviews; filled at start-up."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from governance import access as house
from governance import slots
from governance.models import Decision, LedgerEvent, Policy, Question, Review, Role, User
from governance.queues import Line, queue
from governance.templatetags.sleeve import conflict_name
from provenance import access, queries, services, tables
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    LicenceStatement,
    Party,
    Recording,
    RightsClaim,
    VersionEntry,
)
from provenance.queries import policies, previews
from provenance.rights.changes import reading_changes
from provenance.rights.values import PURPOSES

LATELY = timedelta(days=30)
SUBJECTS = {
    "catalogue": "provenance:catalogue",
    "dataset": "provenance:dataset",
    "dataset_version": "provenance:version",
    "recording": "provenance:recording",
    "grant": "provenance:grant",
    "conflict": "provenance:conflict",
    "policy": "provenance:policy",
}
CHANGES = {
    "provenance.catalogue.matched": "A catalogue was compared with it",
    "provenance.grant.registered": "Grant registered",
    "provenance.grant.revoked": "Grant revoked",
    "provenance.grant.reinstated": "Revoked grant given again",
    "provenance.dataset.rows_registered": "Recordings registered",
    "provenance.dataset.frozen": "Version frozen",
    "governance.policy.adopted": "Policy adopted",
    "governance.review.approved": "Approved",
    "governance.review.rejected": "Rejected",
    "governance.review.suspended": "Suspended",
}
for kind, url_name in SUBJECTS.items():
    slots.subject_page(kind, url_name)


def decide_dataset(*, review: Review, by: User, conditions: Sequence[str] = (), **answer: Any) -> Review:
    """Carry out the answer to a dataset's review: whoever registered any of it is refused."""
    dataset = access.dataset_for_reading(by, review.subject_id)
    return services.approve_dataset(dataset=dataset, by=by, accept=conditions, **answer)


def conditions_of_review(review: Review) -> list[tuple[str, str]]:
    dataset = Dataset.objects.filter(public_id=review.subject_id).select_related("organisation").first()
    return tables.conditions_offered(dataset, at=timezone.now()) if dataset else []


slots.decider(
    Question.DATASET_APPROVAL,
    decide_dataset,
    (Decision.APPROVED, Decision.REJECTED),
    conditions=conditions_of_review,
)
slots.decider(Question.POLICY_ADOPTION, services.decide_policy, (Decision.APPROVED, Decision.REJECTED))


@slots.home_slot(Role.DATA_STEWARD, template="provenance/slots/steward.html", order=10)
def steward_queue(user: User) -> Mapping[str, object]:
    """Open conflicts, drafts that nobody approved, and what stops holding within 90 days."""
    own = house.organisations_of(user)
    today = timezone.now().date()
    lines = [
        *_conflicts(tables.open_conflicts(own)),
        *_drafts(user),
        *_ending(tables.ending_soon(own, today)),
    ]
    return queue("steward", "For you to settle", lines)


def _conflicts(conflicts: Any) -> list[Line]:
    found = conflicts.values("kind").annotate(n=Count("id")).order_by("-n")
    n_open = sum(row["n"] for row in found)
    if not n_open:
        return []
    kinds = "; ".join(f"{conflict_name(row['kind'])} ({row['n']})" for row in found)
    what = "conflicts are open" if n_open > 1 else "conflict is open"
    why = f"{kinds}. Until you decide, the stricter side holds."
    return [Line(n_open, what, reverse("provenance:conflict-list"), why)]


def _drafts(user: User) -> list[Line]:
    """Return a line for each dataset whose newest registering no approval covers, in one query."""
    approved = (
        Review.objects.filter(question=Question.DATASET_APPROVAL, subject_id=OuterRef("public_id"))
        .exclude(decision=Decision.PENDING)
        .order_by("-decided_at")
    )
    drafts: QuerySet[Any] = (
        tables.with_sizes(access.datasets_for_reading(user).filter(kind=DatasetKind.TRAINING))
        .annotate(
            decided_at=Subquery(approved.values("decided_at")[:1]),
            decided=Subquery(approved.values("decision")[:1]),
        )
        .filter(Q(decided=None) | ~Q(decided=Decision.APPROVED) | Q(decided_at__lt=F("changed_at")))
        .order_by("changed_at")
    )
    return [
        Line(
            draft.n_recordings,
            f"recording of {draft.name} is not approved"
            if draft.n_recordings == 1
            else f"recordings of {draft.name} are not approved",
            reverse("provenance:dataset", args=[draft.public_id]),
            "It can be cleared, indexed and checked against, and not be frozen."
            if draft.decided != Decision.REJECTED
            else "A compliance officer rejected it.",
            draft.changed_at,
        )
        for draft in drafts[:6]
    ]


def _ending(soon: Mapping[str, Any]) -> list[Line]:
    lines = []
    if n_grants := soon["grants"].count():
        first = soon["grants"][0]
        lines.append(
            Line(
                n_grants,
                "grants end within 90 days" if n_grants > 1 else "grant ends within 90 days",
                f"{reverse('provenance:grant-list')}?state=ending",
                f"First {first.licensor}'s, on {first.valid_until:%-d %B %Y}.",
            )
        )
    if n_statements := soon["statements"].count():
        first = soon["statements"][0]
        lines.append(
            Line(
                n_statements,
                "licences end within 90 days" if n_statements > 1 else "licence ends within 90 days",
                reverse("provenance:dataset", args=[first.entry.dataset.public_id]),
                f"First {first.expression} of {first.entry.title or first.entry.external_id}, "
                f"on {first.valid_until:%-d %B %Y}.",
            )
        )
    return lines


@slots.home_slot(Role.LABEL_AUDITOR, template="provenance/slots/catalogues.html", order=5)
def our_catalogues(user: User) -> Mapping[str, object]:
    """The catalogues that this label brought, with what they were answered."""
    brought = access.catalogues_for_reading(user)[:6]
    runs = {one.pk: list(access.run_answers_for_reading(user, one)) for one in brought}
    return {"catalogues": [(one, runs[one.pk]) for one in brought]}


@slots.home_slot(Role.LABEL_AUDITOR, template="provenance/slots/catalogue.html", order=10)
def where_our_recordings_are(user: User) -> Mapping[str, object]:
    """Where the recordings are that are claimed by, or stated for, parties that stand for this label.

    Where no party stands for it: all that the role may see, and the page says so.
    """
    parties = _standing_for(user)
    datasets = tables.with_sizes(access.datasets_for_reading(user)).order_by("-kind", "name")
    today = timezone.now().date()
    grants = tables.grants_with_counts(access.grants_for_reading(user))
    if parties:
        grants = grants.filter(Q(licensor__in=parties) | Q(subjects__recording__in=_of(parties))).distinct()
    return {
        "parties": parties,
        "datasets": _ours_in(datasets, parties) if parties else list(datasets[:12]),
        "holders": _holders(user, parties),
        "n_recordings": (
            Recording.objects.filter(pk__in=_of(parties)) if parties else access.recordings_for_reading(user)
        ).count(),
        "grants": [(grant, *tables.grant_state(grant, today)) for grant in grants[:6]],
    }


def _standing_for(user: User) -> list[Party]:
    """Return the parties, in the houses this person may look into, that stand for a label that they audit for."""
    own = house.organisations_of(user)
    labels = [one for one in own if house.may(user, one, (Role.LABEL_AUDITOR,))]
    return list(Party.objects.filter(stands_for__in=labels, organisation__in=own).order_by("name"))


def _of(parties: Sequence[Party]) -> QuerySet[Any, Any]:
    """Return the recordings that some of ``parties`` claim, or are named as holders of by a source."""
    claimed = RightsClaim.objects.filter(party__in=parties, withdrawn_at=None).values("recording")
    stated = LicenceStatement.objects.filter(
        holders__overlap=[party.name for party in parties],
        entry__dataset__organisation__in={party.organisation_id for party in parties},
    ).values("entry__recording")
    return Recording.objects.filter(Q(pk__in=claimed) | Q(pk__in=stated)).values("pk")


def _ours_in(datasets: QuerySet[Any], parties: Sequence[Party]) -> list[Any]:
    inside = DatasetEntry.objects.filter(dataset=OuterRef("pk"), recording__in=_of(parties))
    ours = inside.order_by().values("dataset").annotate(n=Count("pk")).values("n")
    counted = datasets.annotate(n_ours=Coalesce(Subquery(ours), 0)).filter(n_ours__gt=0)
    return list(counted.order_by("-n_ours", "name")[:12])


def _holders(user: User, parties: Sequence[Party] = ()) -> list[Any]:
    """Return who claims most recordings, with how many of theirs are frozen in versions that may be trained on.

    Who they are is read off the number of their claims, in one pass; only theirs are then counted by recording.
    """
    claims = RightsClaim.objects.filter(withdrawn_at=None)
    if parties:
        among = claims.filter(party__in=parties)
    else:
        among = claims.filter(party__organisation__in=house.houses_of(user))
    most = among.order_by().values("party").annotate(n=Count("pk")).order_by("-n")[:8]
    named = [row["party"] for row in most]
    of_theirs = claims.filter(party__in=named).order_by().values("party")
    counted = Count("recording", distinct=True)
    totals = dict(of_theirs.annotate(n=counted).values_list("party", "n"))
    frozen = of_theirs.filter(Exists(VersionEntry.objects.filter(recording=OuterRef("recording"))))
    in_versions = dict(frozen.annotate(n=counted).values_list("party", "n"))
    found = list(Party.objects.filter(pk__in=named))
    for holder in found:
        holder.n_recordings = totals[holder.pk]  # type: ignore[attr-defined]
        holder.n_frozen = in_versions.get(holder.pk, 0)  # type: ignore[attr-defined]
    return sorted(found, key=lambda holder: (-totals[holder.pk], holder.name))


@slots.home_slot(Role.DATA_STEWARD, template="provenance/slots/datasets.html", order=50)
@slots.home_slot(Role.ML_ENGINEER, template="provenance/slots/datasets.html", order=50)
def datasets_lately(user: User) -> Mapping[str, object]:
    """The datasets that changed last, and whether there is a version to train on."""
    datasets = tables.with_sizes(access.datasets_for_reading(user)).order_by("-changed_at")
    return {"datasets": list(datasets[:6])}


@slots.home_slot(Role.LABEL_AUDITOR, template="provenance/slots/changes.html", order=30)
@slots.home_slot(Role.EXTERNAL_AUDITOR, template="provenance/slots/changes.html", order=30)
def what_changed(user: User) -> Mapping[str, object]:
    """What was done where the person reads it, and what happened to grants of the label's own elsewhere."""
    own = Q(subject_id__in=access.grants_for_reading(user).values("public_id"))
    readable = Q(pk__in=house.events_for_reading(user).values("pk"))
    changes = LedgerEvent.objects.filter(
        readable | own, kind__in=CHANGES, at__gte=timezone.now() - LATELY
    ).order_by("-sequence")[:200]
    return {"changes": _named(user, list(changes))[:8]}


def _named(user: User, events: list[LedgerEvent]) -> list[tuple[LedgerEvent, str, str]]:
    """Return each with what happened in words, and the name of what it happened to; a run of the same as one."""
    ids = {event.subject_id for event in events}
    names: dict[Any, str] = dict(Dataset.objects.filter(public_id__in=ids).values_list("public_id", "name"))
    versions = DatasetVersion.objects.filter(public_id__in=ids).select_related("dataset")
    names |= {version.public_id: str(version) for version in versions}
    grants = access.grants_for_reading(user).filter(public_id__in=ids)
    names |= {grant.public_id: f"{grant.licensor} to {grant.licensee}" for grant in grants}
    names |= {policy.public_id: str(policy) for policy in Policy.objects.filter(public_id__in=ids)}
    named = []
    for (kind, subject_id), run in groupby(events, key=lambda event: (event.kind, event.subject_id)):
        last, *before = run
        times = f", {len(before) + 1} times" if before else ""
        named.append((last, f"{CHANGES[kind]}{times}", names.get(subject_id, "")))
    return named


@slots.fill("review", template="provenance/slots/review.html", order=10)
def dataset_under_review(user: User, review: Review) -> Mapping[str, object] | None:
    """What the dataset asked about holds, and what it answers by the organisation's own reading."""
    if review.question != Question.DATASET_APPROVAL:
        return None
    dataset = access.datasets_for_reading(user).filter(public_id=review.subject_id).first()
    if dataset is None:
        return None
    counted = tables.with_counts(Dataset.objects.filter(pk=dataset.pk)).get()
    return {
        "dataset": counted,
        "n_conflicts": queries.conflicts_touching(dataset).filter(status="open").count(),
        "registrations": dataset.registrations.select_related("registered_by").order_by("-registered_at")[:5],
    }


@slots.fill("review", template="provenance/slots/policy.html", order=10)
def policy_under_review(user: User, review: Review) -> Mapping[str, object] | None:
    """What a policy asked about decides, what it would change, and what every dataset would answer by it."""
    if review.question != Question.POLICY_ADOPTION:
        return None
    kept = policies.policies_for_reading(user).filter(public_id=review.subject_id).first()
    if kept is None:
        return None
    policy, before = queries.policy_value(kept), policies.replaced_by(kept)
    use = queries.use_for(purpose=PURPOSES[0], commercial=True, territory="", at=timezone.now())
    datasets = access.datasets_for_reading(user).filter(organisation=kept.organisation).order_by("name")
    pending = review.decision == Decision.PENDING
    return {
        "kept": kept,
        "choices": [choice for choice in policies.choices(policy, before) if choice.changed],
        "changes": policies.grouped(reading_changes(before, policy)),
        "before": before,
        "after": policy,
        "use": use,
        "previews": previews.preview(
            datasets, before=before, after=policy, use=use, at_most=tables.SUMMED_AT_ONCE
        )
        if pending
        else [],
    }

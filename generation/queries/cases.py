"""What cases do to models, computed when asked: closed gates, blocked references, and what a retraining proves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from generation.models import (
    Case,
    CaseDecision,
    CaseKind,
    CaseRecording,
    CaseState,
    CaseTerms,
    Match,
    ModelVersion,
    Remedy,
)
from governance.models import Organisation
from lib.canonical import canonical_json
from lib.figures import counted
from lib.merkle import merkle_root
from provenance.models import DatasetVersion, Grant, Recording, VersionEntry
from provenance.rights.values import Clearance

BINDING_KINDS = (CaseKind.REVOKE, CaseKind.OPT_OUT, CaseKind.LEAK)  # an inquiry stops nothing
BINDING_STATES = (CaseState.OPEN, CaseState.ANSWERED)  # who merely filed may be anybody
SUGGESTED = 200


@dataclass(frozen=True)
class Standing:
    """What cases do to one model version now."""

    closed_by: tuple[str, ...] = ()  # sentences, one a case
    closed_in_public: tuple[str, ...] = ()  # the same for strangers: no case, no terms, no date
    blocked: Mapping[str, str] = field(default_factory=dict)  # recording's public id -> reference of the case
    suppressed: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Recordings that an officer chose to block at output, each with the reasons known then: the model may be used
    although these speak against it. Any other reason closes the gate again."""

    def excuses(self, recording_id: int, clearance: Clearance) -> bool:
        known = self.suppressed.get(recording_id)
        return known is not None and known.issuperset(reasons_of(clearance))


NO_CASE = Standing()


def reasons_of(clearance: Clearance) -> frozenset[str]:
    """Return why a recording is not simply allowed, right by right, in words that can be compared later."""
    return frozenset(
        f"{name}: {said}"
        for name, right in (("master", clearance.master), ("composition", clearance.composition))
        if right.answer != "allowed"
        for said in (right.answer, *right.reasons)
    )


def standing_of(versions: Iterable[ModelVersion]) -> dict[int, Standing]:
    """Return what cases do to each version that one binds, in two queries however many there are."""
    touched = _touched(versions)
    if not touched:
        return {}
    cases = {case.pk: case for by_case in touched.values() for case in by_case}
    newest = _newest_decisions(cases, touched)
    return {
        version_id: _standing(
            [(case, links, newest.get((case.pk, version_id))) for case, links in by_case.items()]
        )
        for version_id, by_case in touched.items()
    }


def _touched(versions: Iterable[ModelVersion]) -> dict[int, dict[Case, list[tuple[int, UUID]]]]:
    """Return for each version the binding cases about recordings that it was trained on, and which those are."""
    by_dataset: dict[int, list[int]] = defaultdict(list)
    for version in versions:
        if version.dataset_version_id is not None:
            by_dataset[version.dataset_version_id].append(version.pk)
    links = (
        CaseRecording.objects.filter(
            case__state__in=BINDING_STATES,
            case__kind__in=BINDING_KINDS,
            recording__version_entries__version__in=list(by_dataset),
        )
        .select_related("case")
        .order_by("case_id", "id")
        .values_list(
            "recording__version_entries__version",
            "case_id",
            "case__reference",
            "case__kind",
            "recording_id",
            "recording__public_id",
        )
    )
    cases: dict[int, Case] = {}
    found: dict[int, dict[Case, list[tuple[int, UUID]]]] = defaultdict(dict)
    for dataset_version, case_id, reference, kind, recording_id, public_id in links.iterator(chunk_size=2000):
        case = cases.setdefault(case_id, Case(pk=case_id, reference=reference, kind=kind))
        for version_id in by_dataset[dataset_version]:
            found[version_id].setdefault(case, []).append((recording_id, public_id))
    return found


def _newest_decisions(cases: Iterable[int], versions: Iterable[int]) -> dict[tuple[int, int], CaseDecision]:
    rows = CaseDecision.objects.filter(case__in=list(cases), model_version__in=list(versions)).order_by("id")
    return {(row.case_id, row.model_version_id): row for row in rows}  # the last of each pair stays


def _standing(found: Sequence[tuple[Case, list[tuple[int, UUID]], CaseDecision | None]]) -> Standing:
    closed_by: list[str] = []
    closed_in_public: list[str] = []
    blocked: dict[str, str] = {}
    suppressed: dict[int, frozenset[str]] = {}
    for case, links, decision in found:
        if decision is not None and decision.remedy == Remedy.REJECT:
            continue
        blocked.update({str(public_id): case.reference for _, public_id in links})
        if decision is not None and decision.remedy == Remedy.BLOCK:
            known = frozenset(decision.reasons_known)
            for recording_id, _ in links:
                suppressed[recording_id] = suppressed.get(recording_id, frozenset()) | known
        else:
            closed_by.append(_why_closed(case, len(links), decision))
            closed_in_public.append(_why_closed_in_public(case, len(links), decision))
    return Standing(tuple(closed_by), tuple(closed_in_public), blocked, suppressed)


ASKED_IN_PUBLIC = {
    CaseKind.REVOKE: "a request to take back a licence of",
    CaseKind.OPT_OUT: "a request to take out",
    CaseKind.LEAK: "a report that an output copies",
}


def _why_closed_in_public(case: Case, n_recordings: int, decision: CaseDecision | None) -> str:
    """Say it to strangers: what was asked, and not by whom nor what is being agreed."""
    recordings = counted(n_recordings, "recording")
    if decision is not None and decision.remedy == Remedy.RETRAIN:
        return f"it is to be retrained without {recordings}"
    asked = f"{ASKED_IN_PUBLIC[CaseKind(case.kind)]} {recordings}"
    return f"{asked} waits for a decision" if decision is None else f"{asked} is not settled yet"


def _why_closed(case: Case, n_recordings: int, decision: CaseDecision | None) -> str:
    recordings = counted(n_recordings, "recording")
    asked = case.get_kind_display().lower()
    if decision is None:
        return f"case {case.reference} ({asked}) about {recordings} waits for a decision on this model"
    if decision.remedy == Remedy.NEGOTIATE:
        return (
            f"case {case.reference}: terms for {recordings} are negotiated until {decision.until:%-d %B %Y}"
        )
    return f"case {case.reference}: it is to be retrained without {recordings}"


def blocked_reference_in(version: ModelVersion, check_id: int) -> str:
    """Return the case whose blocked reference an output matches by its check; empty if none."""
    blocked = standing_of([version]).get(version.pk, NO_CASE).blocked
    if not blocked:
        return ""
    matches = Match.objects.filter(
        check_made=check_id, accepted=True, recording__public_id__in=list(blocked)
    ).values_list("recording__public_id", flat=True)
    return next((blocked[str(public_id)] for public_id in matches), "")


def models_affected(case: Case) -> QuerySet[ModelVersion]:
    """Return the versions trained on a frozen dataset version that holds a recording of the case."""
    inside = VersionEntry.objects.filter(
        version=OuterRef("dataset_version"), recording__case_links__case=case
    )
    return (
        ModelVersion.objects.filter(Exists(inside))
        .select_related("model", "model__organisation", "dataset_version__dataset")
        .order_by("model__name", "number")
    )


def decisions_of(case: Case) -> dict[int, CaseDecision]:
    """Return the decision that counts for each model version."""
    rows = case.decisions.select_related("model_version__model", "decided_by").order_by("id")
    return {row.model_version_id: row for row in rows}


def undecided(case: Case) -> list[ModelVersion]:
    decided = decisions_of(case)
    return [version for version in models_affected(case) if version.pk not in decided]


def recordings_of(case: Case) -> QuerySet[Recording]:
    return Recording.objects.filter(case_links__case=case)


def terms_of(organisation: Organisation) -> CaseTerms:
    """Return in how many days an organisation answers: its own setting, else the shipped one, unsaved."""
    return CaseTerms.objects.filter(organisation=organisation).first() or CaseTerms(organisation=organisation)


def takes_cases() -> list[Organisation]:
    """Return the organisations that strangers may file with: those that have models and closed no form."""
    closed = CaseTerms.objects.filter(public_form=False).values("organisation")
    having_models = Organisation.objects.filter(models__isnull=False).exclude(pk__in=closed)
    return list(having_models.distinct().order_by("name"))


@dataclass(frozen=True)
class Suggestion:
    recording: Recording
    because: tuple[str, ...]


def suggestions_for(case: Case) -> list[Suggestion]:
    """Return what a case may be about, by the grant it names, its ISRCs, titles and addresses, and its sound."""
    own = Recording.objects.filter(organisation=case.organisation)
    because: dict[int, list[str]] = defaultdict(list)
    if case.grant_id is not None:
        granted = own.filter(grant_links__grant__deal=Grant.objects.get(pk=case.grant_id).deal)
        for pk in granted.distinct().values_list("pk", flat=True):
            because[pk].append("named by the grant")
    if case.isrcs:
        by_isrc = own.filter(
            Q(isrc__in=case.isrcs) | Q(identifiers__scheme="isrc", identifiers__compact__in=case.isrcs)
        )
        for pk, isrc in by_isrc.distinct().values_list("pk", "isrc"):
            because[pk].append(f"ISRC {isrc}" if isrc else "ISRC")
    for title in case.titles:
        titled = own.filter(Q(title__iexact=title) | Q(entries__title__iexact=title)).distinct()
        for pk in titled.values_list("pk", flat=True)[:SUGGESTED]:
            because[pk].append(f"title “{title}”")
    if case.urls:
        fetched = own.filter(entries__source_url__in=case.urls).distinct()
        for pk in fetched.values_list("pk", flat=True):
            because[pk].append("fetched from the address named")
    heard = {str(one["recording"]): str(one["because"]) for one in case.heard}
    for pk, public_id in own.filter(public_id__in=list(heard)).values_list("pk", "public_id"):
        because[pk].append(heard[str(public_id)])
    shown = sorted(because, key=lambda pk: (-len(because[pk]), pk))[:SUGGESTED]
    found = own.in_bulk(shown)
    return [Suggestion(found[pk], tuple(because[pk])) for pk in shown]


@dataclass(frozen=True)
class Proof:
    """A later version of the same model, and whether its music holds any recording of the case.

    ``n_found`` counts them by identity, by the hash of the file and by the hash of its samples; ``manifest_stands``
    says whether the frozen manifest still gives its Merkle root.
    """

    version: ModelVersion
    dataset_version: DatasetVersion
    n_checked: int
    n_found: int
    manifest_stands: bool


def proofs_of(case: Case, version: ModelVersion) -> list[Proof]:
    """Read the manifest of every later version of a model: was it trained without the recordings?"""
    later = (
        ModelVersion.objects.filter(
            model=version.model_id, number__gt=version.number, dataset_version__isnull=False
        )
        .select_related("model", "dataset_version__dataset")
        .order_by("number")
    )
    facts = list(recordings_of(case).values_list("public_id", "sha256", "samples_sha256"))
    shunned = {str(said) for row in facts for said in row if said}
    return [_proof(one, one.dataset_version, shunned) for one in later if one.dataset_version is not None]


def _proof(version: ModelVersion, frozen: DatasetVersion, shunned: set[str]) -> Proof:
    manifests = list(frozen.entries.order_by("position").values_list("manifest", flat=True))
    root = merkle_root(canonical_json(manifest) for manifest in manifests).hex()
    n_found = sum(
        bool(shunned & {str(manifest.get(name)) for name in ("recording", "sha256", "samples_sha256")})
        for manifest in manifests
    )
    return Proof(version, frozen, len(manifests), n_found, root == frozen.merkle_root)


def days_left(case: Case, on: date) -> int:
    return (case.due_on - on).days


def recordings_named(
    names: Sequence[str], organisation: Organisation
) -> tuple[dict[Recording, str], list[str]]:
    """Return the recordings that go by these names (ISRC, sha256, external id, id), and the names of nothing."""
    wanted = {name: name.replace("-", "").replace(" ", "") for name in names}
    compact = {said.upper() for said in wanted.values()}
    ids = [UUID(said) for said in wanted.values() if len(said) == 32 and _is_hex(said)]
    found = (
        Recording.objects.filter(organisation=organisation)
        .filter(
            Q(isrc__in=compact)
            | Q(sha256__in=[name.lower() for name in names])
            | Q(public_id__in=ids)
            | Q(entries__external_id__in=list(names))
        )
        .distinct()
        .prefetch_related("entries")
    )
    because: dict[Recording, str] = {}
    used: set[str] = set()
    for recording in found:
        known = {recording.isrc, recording.sha256 or "", str(recording.public_id).replace("-", "")}
        external = {entry.external_id for entry in recording.entries.all()}
        for name, said in wanted.items():
            if name in external or {said, said.upper(), said.lower(), name.lower()} & known:
                because[recording] = f"named: {name}"
                used.add(name)
    return because, [name for name in names if name not in used]


def _is_hex(said: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in said)

"""Which models and outputs a person may know of."""

import hashlib
import hmac
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from generation.models import (
    Case,
    Check,
    Generation,
    GenerationState,
    GenerativeModel,
    Match,
    MatchJudgement,
    ModelVersion,
)
from governance.access import (
    RESOLVES_CONFLICTS,
    SEES_OUTPUTS,
    Person,
    houses_of,
    jobs_for_reading,
    labels_of,
    may,
    organisations_of,
)
from governance.errors import NotAllowedError, NotFoundError
from governance.models import Member, Organisation, Role, User
from provenance.access import datasets_for_reading, readable_recordings, stretches_for_hearing
from provenance.models import IndexBuild

CHECK = "generation.check"  # the kind of job by which a person brings a file


def models_for_reading(user: Person) -> QuerySet[GenerativeModel]:
    return GenerativeModel.objects.filter(organisation__in=organisations_of(user)).select_related(
        "organisation"
    )


def model_for_reading(user: Person, public_id: UUID | str) -> GenerativeModel:
    found = models_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such model.")
    return found


def model_versions_for_reading(user: Person) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model__organisation__in=organisations_of(user)).select_related(
        "model", "model__organisation", "dataset_version", "dataset_version__dataset", "registered_by"
    )


def model_version_for_reading(user: Person, public_id: UUID | str) -> ModelVersion:
    found = model_versions_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such model version.")
    return found


def origins_for_reading(user: Person, version: ModelVersion) -> QuerySet[ModelVersion]:
    """Return the versions with the same weights whose music is on record, where that of ``version`` is not.

    Only those that ``user`` may know of; the system itself acts for one house and names nothing of another.
    """
    known = model_versions_for_reading(user).filter(
        weights_sha256=version.weights_sha256, dataset_version__isnull=False
    )
    if isinstance(user, User) and user.is_system:
        known = known.filter(model__organisation=version.model.organisation_id)
    return known.order_by("id") if version.dataset_version_id is None else known.none()


def generations_for_reading(user: Person) -> QuerySet[Generation]:
    """Return the outputs of the houses that ``user`` reads whole; a label's guest reads those like its music."""
    whole = Q(model_version__model__organisation__in=houses_of(user))
    if labels_of(user):
        like = own_matches(user).filter(accepted=True, check_made__control=False)
        whole |= Q(
            model_version__model__organisation__in=labels_of(user),
            pk__in=like.values("check_made__generation"),
        )
    return Generation.objects.filter(whole).select_related(
        "model_version", "model_version__model", "model_version__model__organisation", "made_by"
    )


def own_matches(user: Person) -> QuerySet[Match]:
    """Return the matches with recordings that ``user`` may know of, by checks of organisations they may look into."""
    return Match.objects.filter(
        readable_recordings(user, path="recording__"), check_made__organisation__in=organisations_of(user)
    )


def matches_for_reading(user: Person) -> QuerySet[Match]:
    """Return the matches that ``user`` may read: a label's guest not those of files that others brought."""
    if not labels_of(user):
        return Match.objects.filter(check_made__organisation__in=organisations_of(user))
    return own_matches(user).filter(check_made__in=checks_for_reading(user).values("pk"))


def judgements_for_reading(user: Person) -> QuerySet[MatchJudgement]:
    """Return what people of the houses that ``user`` reads whole said of matches; a label's guest reads none of it."""
    return MatchJudgement.objects.filter(match__check_made__organisation__in=houses_of(user)).select_related(
        "judged_by"
    )


def judged_matches_for_reading(user: Person) -> QuerySet[Match]:
    """Return the matches that ``user`` may read, each with what was said of it, newest first (``said``)."""
    said = Prefetch("judgements", queryset=judgements_for_reading(user), to_attr="said")
    return matches_for_reading(user).prefetch_related(said)


def may_judge(user: Person, check: Check) -> bool:
    """Tell whether a person may say what a match of this check is: not of what they made themselves."""
    own = check.generation is not None and check.generation.made_by_id == user.pk
    is_person = isinstance(user, User) and not user.is_system
    return is_person and not own and may(user, check.organisation, RESOLVES_CONFLICTS)


def checks_for_reading(user: Person) -> QuerySet[Check]:
    """Return the checks of houses read whole; a label's guest reads those of its files and of outputs it reads."""
    whole = Q(organisation__in=houses_of(user))
    if labels_of(user):
        asked = jobs_for_reading(user).filter(kind=CHECK, asked_by_id=user.pk, outcome__has_key="check")
        ids = [job.outcome["check"] for job in asked]
        outputs = generations_for_reading(user).values("pk")
        whole |= Q(organisation__in=labels_of(user)) & (Q(public_id__in=ids) | Q(generation__in=outputs))
    return Check.objects.filter(whole).select_related("generation")


def generation_for_reading(user: Person, public_id: UUID | str) -> Generation:
    found = generations_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such output.")
    return found


def may_hear(user: Person, generation: Generation) -> bool:
    """Tell whether a person may hear an output: what was released, any member; what was not, those who review."""
    organisation = generation.model_version.model.organisation
    roles = tuple(Role) if generation.state == GenerationState.RELEASED else SEES_OUTPUTS
    return may(user, organisation, roles)


def generation_for_hearing(user: Person, public_id: UUID | str) -> Generation:
    found = generation_for_reading(user, public_id)
    if not may_hear(user, found):
        raise NotAllowedError("This output is held: only those who review outputs can hear it.")
    return found


def indexes_for_reading(user: Person) -> QuerySet[IndexBuild]:
    """Return the indexes whose music ``user`` may know of: a label's guest reads no name of others' collections."""
    if not labels_of(user):
        return IndexBuild.objects.select_related("dataset", "version")
    known = datasets_for_reading(user).values("pk")
    return IndexBuild.objects.filter(dataset__in=known).select_related("dataset", "version")


def check_for_reading(user: Person, public_id: UUID | str) -> Check:
    found = checks_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such check.")
    return found


def match_for_reading(user: Person, check: UUID | str, kind: str, rank: int) -> Match:
    """Return the match of that rank among those of its kind."""
    found = (
        judged_matches_for_reading(user)
        .filter(check_made=check_for_reading(user, check), kind=kind, rank=rank)
        .select_related("recording", "check_made__generation__model_version__model__organisation")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such match.")
    return found


def hears_stretch(user: Person, match: Match) -> bool:
    """Tell whether ``user`` may hear what the match says of its recording: a label's guest not all of it everywhere."""
    heard = stretches_for_hearing(user, match.recording)
    return heard is None or any(
        start_s <= match.reference_start_s and match.reference_end_s <= end_s for start_s, end_s in heard
    )


READS_CASES = (Role.COMPLIANCE_OFFICER, Role.DATA_STEWARD, Role.ML_ENGINEER, Role.EXTERNAL_AUDITOR)
READS_HOLDERS = (Role.COMPLIANCE_OFFICER, Role.DATA_STEWARD)  # who asked, and how to reach them


def cases_for_reading(user: Person) -> QuerySet[Case]:
    """Return the cases of a member's organisations; a label's people see those that they filed themselves."""
    if not isinstance(user, User) or not user.is_active:
        return Case.objects.none()
    rows = Case.objects.select_related(
        "organisation",
        "grant__licensor",
        "output__model_version__model",
        "filed_by",
        "verified_by",
        "closed_by",
    )
    if user.is_system:
        return rows
    inside = Member.objects.current(timezone.now()).filter(user=user, role__in=READS_CASES)
    return rows.filter(
        Q(organisation__in=inside.values("organisation"))
        | Q(filed_by=user, organisation__in=organisations_of(user))
    )


def case_for_reading(user: Person, public_id: UUID | str) -> Case:
    found = cases_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such case.")
    return found


def case_of_holder(reference: str, secret: str) -> Case:
    """Return the case that a stranger follows by the link they were given; the reference alone opens nothing."""
    found = Case.objects.select_related("organisation").filter(reference=reference).first()
    expected = found.secret_sha256 if found else "0" * 64
    if not hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), expected) or found is None:
        raise NotFoundError("There is no such case: check that the link is whole.")
    return found


def case_named(user: Person, name: str) -> Case:
    """Return the case that a reference or an id means, if ``user`` may know of it."""
    rows = cases_for_reading(user)
    try:
        found = rows.filter(public_id=UUID(name)).first()
    except ValueError:
        found = rows.filter(reference=name.strip().upper()).first()
    if found is None:
        raise NotFoundError(f"There is no case {name}.")
    return found


def may_withdraw(user: Person, case: Case) -> bool:
    """Tell whether a person may take a case back now: their own, while nothing is decided."""
    own = isinstance(user, User) and case.filed_by_id == user.pk and not user.is_system
    return own and not case.is_closed and not case.decisions.exists()


def sees_inside(user: Person, case: Case) -> bool:
    """Tell whether a person sees what a case reaches; a label sees, of models, names and answers only."""
    return may(user, case.organisation, READS_CASES)


def sees_holder(user: Person, case: Case) -> bool:
    return is_own(user, case) or reads_holders(user, case.organisation)


def is_own(user: Person, case: Case) -> bool:
    return isinstance(user, User) and case.filed_by_id == user.pk


def reads_holders(user: Person, organisation: Organisation) -> bool:
    return may(user, organisation, READS_HOLDERS)

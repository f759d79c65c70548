"""People's decisions about models and outputs, and revocations seen from above."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from generation import queries
from generation.errors import GenerationError
from generation.models import Check, Generation, GenerationState, ModelVersion, Verdict
from generation.queries import Impact
from generation.queries.cases import blocked_reference_in
from generation.queries.matches import judged
from generation.queries.origins import origins_of
from governance import access
from governance import services as governance
from governance.errors import ConflictError, NotAllowedError
from governance.models import Decision, Question, Review, User
from provenance import services as provenance
from provenance.models import Grant


def ask_generation_release(*, generation: Generation, check: Check, by: User, now: datetime) -> Review:
    return governance.ask_review(
        question=Question.GENERATION_RELEASE,
        subject_kind="generation",
        subject_id=generation.public_id,
        subject_name=f"{generation.model_version}, seed {generation.seed}",
        organisation=generation.model_version.model.organisation,
        asked_by=by,
        now=now,
        why=f"The check says {check.get_verdict_display().lower()}."[:500],
    )


def ask_model_release(*, version: ModelVersion, by: User, now: datetime) -> Review:
    access.require(
        by, version.model.organisation, (*access.MAKES_MODELS, *access.DECIDES), "ask for a release"
    )
    return governance.ask_review(
        question=Question.MODEL_RELEASE,
        subject_kind="model_version",
        subject_id=version.public_id,
        subject_name=str(version),
        organisation=version.model.organisation,
        asked_by=by,
        now=now,
        why=f"{version.n_parameters} parameters, architecture {version.model.architecture}.",
    )


@transaction.atomic
def decide_model(*, review: Review, decision: Decision, reason: str, by: User, now: datetime) -> Review:
    """Approve, reject or suspend a model version; a closed gate can't be approved, nor one's own model."""
    version = ModelVersion.objects.get(public_id=review.subject_id)
    if decision == Decision.APPROVED and version.registered_by_id == by.pk:
        raise NotAllowedError(f"{by.username} made {version}: somebody else must approve it.")
    gate = queries.gate_of(version, at=now)
    if decision == Decision.APPROVED and gate.n_not_cleared:
        raise ConflictError(f"{version} can't be approved: {'; '.join(gate.reasons)}.")
    return governance.decide_review(review=review, decision=decision, reason=reason, by=by, now=now)


@transaction.atomic
def decide_generation(*, review: Review, decision: Decision, reason: str, by: User, now: datetime) -> Review:
    """Release or refuse an output by a person's recorded decision.

    While the model's gate is closed nothing is released, and nobody releases what they made themselves.
    """
    generation = Generation.objects.select_for_update().get(public_id=review.subject_id)
    check = generation.checks.filter(control=False).order_by("-id").first()
    if decision not in {Decision.APPROVED, Decision.REJECTED}:
        raise GenerationError("An output is approved or rejected.")
    if decision == Decision.APPROVED:
        _require_releasable(generation, by, now)
    state = GenerationState.RELEASED if decision == Decision.APPROVED else GenerationState.REFUSED
    generation.state = state
    generation.save(update_fields=["state"])
    return governance.decide_review(
        review=review,
        decision=decision,
        reason=reason,
        by=by,
        now=now,
        body={
            "verdict": check.verdict if check else Verdict.UNVERIFIABLE.value,
            "sha256": generation.sha256,
            "judgements": judged(check) if check else [],
        },
    )


@transaction.atomic
def decide_generations(
    *, generations: Sequence[Generation], decision: Decision, reason: str, by: User, now: datetime
) -> list[Review]:
    """Decide about several outputs of one model at once, each by its own review; all of them or none.

    The one reason is given for each. An output that ``by`` may not decide about, or that somebody else decided
    meanwhile, refuses the lot, and the refusal names it.
    """
    if not generations:
        raise GenerationError("Choose at least one output.")
    if len({generation.model_version_id for generation in generations}) > 1:
        raise GenerationError("Outputs of one model version are decided together, and these are of several.")
    reviews = []
    for generation in sorted(generations, key=lambda generation: generation.pk):
        try:
            reviews.append(_decided_with_others(generation, decision, reason, by, now))
        except (NotAllowedError, ConflictError) as error:
            said = f"Seed {generation.seed}: {str(error).rstrip('.')}. Nothing was decided about the others."
            raise type(error)(said) from error
    return reviews


def _decided_with_others(
    generation: Generation, decision: Decision, reason: str, by: User, now: datetime
) -> Review:
    held = Generation.objects.select_for_update(of=("self",)).get(pk=generation.pk)
    if held.state != GenerationState.HELD:
        raise ConflictError(
            f"it is {held.get_state_display().lower()}, and only what is held is decided with others"
        )
    review = review_of_output(generation, by=by, now=now)
    return decide_generation(review=review, decision=decision, reason=reason, by=by, now=now)


def review_of_output(generation: Generation, *, by: User, now: datetime) -> Review:
    """Return the open question about an output, or put it anew, in the house's name; its maker can't answer it."""
    found = Review.objects.filter(
        question=Question.GENERATION_RELEASE, subject_id=generation.public_id, decision=Decision.PENDING
    ).first()
    if found is not None:
        return found
    check = generation.checks.filter(control=False).order_by("-id").first()
    if check is None:
        raise ConflictError("This output was not checked yet: there is nothing to decide on.")
    asker = by if by.pk == generation.made_by_id else governance.system_user()
    return ask_generation_release(generation=generation, check=check, by=asker, now=now)


def _require_releasable(generation: Generation, by: User, now: datetime) -> None:
    if generation.made_by_id == by.pk:
        raise NotAllowedError(f"{by.username} made this output: somebody else must release it.")
    gate = queries.gate_of(generation.model_version, at=now)
    if not gate.is_open:
        raise ConflictError(f"No output of {generation.model_version} can leave: {'; '.join(gate.reasons)}.")
    check = generation.checks.filter(control=False).order_by("-id").first()
    version = generation.model_version
    same = (version, *origins_of([version]).get(version.pk, ()))
    found = (blocked_reference_in(one, check.pk) for one in same if check is not None)
    if reference := next(filter(None, found), ""):
        raise ConflictError(
            f"This output matches a recording that is blocked for {generation.model_version} (case {reference}): "
            "nobody can release it."
        )


def revoke_grant(
    *,
    grant: Grant,
    by: User,
    reason: str,
    now: datetime,
    revoked_from: datetime | None = None,
    right: str = "",
    despite_terms: str = "",
) -> tuple[tuple[Grant, ...], Impact]:
    """Revoke a deal or one right of it and return what it reaches; the gates of those models close by themselves."""
    revoked = provenance.revoke_grant(
        grant=grant,
        by=by,
        reason=reason,
        now=now,
        revoked_from=revoked_from,
        right=right,
        despite_terms=despite_terms,
    )
    return revoked, queries.impact_of_grants(revoked)

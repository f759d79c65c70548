"""The part of the API that generation answers, and the decisions and revocations that reach up to its models."""

import secrets
from collections.abc import Sequence
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from redis.exceptions import RedisError
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from generation import access, jobs, queries, services
from generation.errors import GenerationError
from generation.models import (
    Check,
    Generation,
    GenerativeModel,
    Match,
    MatchAnswer,
    ModelVersion,
    TrainingRun,
)
from generation.queries import VerdictCounts, overviews
from generation.serializers.making import (
    CheckQuerySerializer,
    CheckRequestSerializer,
    CheckSerializer,
    CheckSummarySerializer,
    DecideSerializer,
    GateSerializer,
    GenerateSerializer,
    GenerationDetailSerializer,
    GenerationQuerySerializer,
    GenerationSerializer,
    ImpactSerializer,
    JudgeMatchSerializer,
    LineageSerializer,
    MatchJudgementSerializer,
    MatchQuerySerializer,
    ModelQuerySerializer,
    ModelSerializer,
    ModelVersionSerializer,
    RecordingMatchSerializer,
    RevokedSerializer,
    RevokeSerializer,
    VerdictsSerializer,
)
from governance import access as house
from governance import jobs as work
from governance import services as governance
from governance.access import Person
from governance.api import (
    NOT_HERE,
    NOT_NOW,
    NOT_YOURS,
    QUEUED,
    UNREADABLE,
    BoundedMultiPartParser,
    HouseView,
    HouseViewSet,
    queued,
    validated,
)
from governance.errors import ConflictError
from governance.keyset import Order, by, newest
from governance.models import Decision, Job, JobState, Organisation, Question, Review
from governance.serializers import JobSerializer, ProblemSerializer, ReviewSerializer
from provenance import access as provenance_access
from provenance import deals, media, storage
from provenance import queries as provenance_queries
from provenance import services as provenance
from provenance.models import Recording

SEEN_S = 30
NOBODY_WORKS = "No worker answers: this waits, and is done once one is running."
NUMBERED = Order(("number",), named_by=())
CLOSEST_FIRST = Order(("score",), descending=True, named_by=("check_made__public_id", "kind", "rank"))


@extend_schema(tags=["models"])
@extend_schema_view(
    list=extend_schema(parameters=[ModelQuerySerializer]),
    retrieve=extend_schema(responses={200: ModelSerializer, 404: NOT_HERE}),
)
class ModelViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[GenerativeModel]):
    serializer_class = ModelSerializer
    order = by("name")

    def get_queryset(self) -> QuerySet[GenerativeModel]:
        return access.models_for_reading(self.caller).annotate(n_versions=Count("versions"))

    def narrowed(self, rows: QuerySet[GenerativeModel]) -> QuerySet[GenerativeModel]:
        return rows.filter(**self.asked(ModelQuerySerializer))

    def get_object(self) -> GenerativeModel:
        found = access.model_for_reading(self.caller, self.public_id)
        return self.get_queryset().get(pk=found.pk)

    @extend_schema(responses={200: ModelVersionSerializer(many=True), 404: NOT_HERE})
    @action(detail=True)
    def versions(self, request: Request, **_: Any) -> Response:
        """Its sets of weights, oldest first."""
        model = access.model_for_reading(self.caller, self.public_id)
        rows = access.model_versions_for_reading(self.caller).filter(model=model)
        return self.page_of(rows, ModelVersionSerializer, NUMBERED)


@extend_schema(tags=["models"])
@extend_schema_view(retrieve=extend_schema(responses={200: ModelVersionSerializer, 404: NOT_HERE}))
class ModelVersionViewSet(mixins.RetrieveModelMixin, HouseViewSet[ModelVersion]):
    serializer_class = ModelVersionSerializer
    queryset = ModelVersion.objects.none()

    def get_object(self) -> ModelVersion:
        return access.model_version_for_reading(self.caller, self.public_id)

    @extend_schema(responses={200: GateSerializer, 404: NOT_HERE})
    @action(detail=True)
    def gate(self, request: Request, **_: Any) -> Response:
        """Whether its outputs may leave now; every reason that closes the gate is named."""
        version = self.get_object()
        gate = queries.gate_of(version, at=timezone.now())
        said = overviews.gate_for_reading(self.caller, version, gate)
        origins = access.origins_for_reading(self.caller, version)
        return Response(GateSerializer(said, context={"origins": origins}).data)

    @extend_schema(responses={200: LineageSerializer, 404: NOT_HERE})
    @action(detail=True)
    def lineage(self, request: Request, **_: Any) -> Response:
        """The frozen music, the run, the weights."""
        version = self.get_object()
        run = TrainingRun.objects.filter(model_version=version).first()
        line = {
            "dataset_version": version.dataset_version,
            "training_run": run,
            "model_version": version,
        }
        return Response(LineageSerializer(line).data)

    @extend_schema(responses={200: VerdictsSerializer, 404: NOT_HERE})
    @action(detail=True)
    def verdicts(self, request: Request, **_: Any) -> Response:
        """How many of its outputs got each verdict, beside the same count against music it never heard."""
        version = self.get_object()
        return Response(
            {
                "checks": _counts(queries.verdict_counts(version)),
                "control": _counts(queries.verdict_counts(version, control=True)),
            }
        )

    @extend_schema(request=None, responses={200: ReviewSerializer, 403: NOT_YOURS, 404: NOT_HERE})
    @action(detail=True, methods=["post"], url_path="ask-release")
    def ask_release(self, request: Request, **_: Any) -> Response:
        """Put the question of its release to those who decide; an open one is returned as it stands."""
        version = self.get_object()
        house.require(self.person, version.model.organisation, house.MAKES_MODELS, "ask for a release")
        review = services.ask_model_release(version=version, by=self.person, now=timezone.now())
        return Response(ReviewSerializer(review).data)


def _evidence(user: Person, above: str = "") -> list[Any]:
    """Fetch what a check rests on as far as ``user`` may read it: a label's guest learns nothing of others' music."""
    readable = access.judged_matches_for_reading(user).select_related("recording")
    return [
        f"{above}generation",
        Prefetch(f"{above}indexes", queryset=access.indexes_for_reading(user)),
        Prefetch(f"{above}matches", queryset=readable),
    ]


def _counts(counted: VerdictCounts) -> dict[str, int]:
    return {**counted.as_json(), "n_outputs": counted.n_outputs}


@extend_schema(tags=["generations"])
@extend_schema_view(
    list=extend_schema(parameters=[GenerationQuerySerializer], description="Outputs, newest first."),
    retrieve=extend_schema(responses={200: GenerationDetailSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=GenerateSerializer,
        responses={202: QUEUED, 403: NOT_YOURS, 404: NOT_HERE},
        description="Ask for outputs. Each is kept in quarantine and checked before it may leave.",
    ),
)
class GenerationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Generation]):
    order = newest("made_at")

    def get_serializer_class(self) -> type[GenerationSerializer]:
        return GenerationDetailSerializer if self.action == "retrieve" else GenerationSerializer

    def get_queryset(self) -> QuerySet[Generation]:
        rows = access.generations_for_reading(self.caller).select_related("job")
        return rows.prefetch_related("checks")

    def narrowed(self, rows: QuerySet[Generation]) -> QuerySet[Generation]:
        asked = self.asked(GenerationQuerySerializer)
        names = {"model_version": "model_version__public_id", "job": "job__public_id"}
        return rows.filter(**{names.get(name, name): value for name, value in asked.items()})

    def get_object(self) -> Generation:
        found = access.generation_for_reading(self.caller, self.public_id)
        return self.get_queryset().prefetch_related(*_evidence(self.caller, "checks__")).get(pk=found.pk)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let sound be asked for by its own type; a refusal of it is JSON all the same."""
        return super().perform_content_negotiation(request, force=force or self.action == "audio")

    @extend_schema(
        responses={
            (200, "audio/wav"): OpenApiTypes.BINARY,
            403: NOT_YOURS,
            404: NOT_HERE,
        }
    )
    @action(detail=True)
    def audio(self, request: Request, **_: Any) -> HttpResponseBase:
        """Its sound: of what was released for every member, of what was not for those who review outputs."""
        found = access.generation_for_hearing(self.caller, self.public_id)
        with storage.local_file(found.audio) as path:
            return media.ranged(request, path, content_type="audio/wav", etag=found.sha256)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(GenerateSerializer, request.data)
        version = queries.model_version_named(asked["model"], house.organisations_of(self.person))
        organisation = version.model.organisation
        house.require(self.person, organisation, house.MAKES_MODELS, "generate with a model")
        seed = asked["seed"] if asked["seed"] is not None else secrets.randbelow(2**31)
        job = governance.queue_job(
            kind=jobs.GENERATE,
            organisation=organisation,
            asked_by=self.person,
            now=timezone.now(),
            subject_kind="model_version",
            subject_id=version.public_id,
            subject_name=str(version),
            arguments={
                "model": str(version),
                "n": asked["n"],
                "seconds": asked["seconds"],
                "seed": seed,
                "prompt": asked["prompt"],
            },
        )
        return followed(job)


@extend_schema(tags=["checks"])
@extend_schema_view(
    list=extend_schema(
        parameters=[CheckQuerySerializer], description="Checks, newest first, without their matches."
    ),
    retrieve=extend_schema(responses={200: CheckSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request={"multipart/form-data": CheckRequestSerializer},
        responses={
            202: QUEUED,
            403: NOT_YOURS,
            404: NOT_HERE,
            413: OpenApiResponse(ProblemSerializer, "The file is too large."),
            422: UNREADABLE,
            429: OpenApiResponse(ProblemSerializer, "Too many checks a minute."),
        },
        description="Have one sound file held against datasets and collections, or against what a model must not "
        "copy. `Location` is the job's address; once it is `done`, its `outcome` names the `check` and its `verdict`, "
        "and `/checks/ID/` has the matches. A file that can't be decoded is `unverifiable`. The file is kept with its "
        "check, for members of the organisation whose music was asked.",
    ),
)
class CheckViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Check]):
    order = newest("checked_at")
    parser_classes = (BoundedMultiPartParser,)

    @property
    def throttle_scope(self) -> str | None:
        return "check" if self.action == "create" else None

    def get_serializer_class(self) -> type[CheckSummarySerializer]:
        return CheckSerializer if self.action == "retrieve" else CheckSummarySerializer

    def get_queryset(self) -> QuerySet[Check]:
        return access.checks_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Check]) -> QuerySet[Check]:
        asked = self.asked(CheckQuerySerializer)
        if generation := asked.pop("generation", None):
            asked["generation__public_id"] = generation
        return rows.filter(**{name: value for name, value in asked.items() if value is not None})

    def get_object(self) -> Check:
        found = access.check_for_reading(self.caller, self.public_id)
        return Check.objects.prefetch_related(*_evidence(self.caller)).get(pk=found.pk)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(CheckRequestSerializer, request.data)
        mine = house.organisations_of(self.person)
        model = queries.model_version_named(asked["model"], mine) if asked["model"] else None
        job = jobs.ask_check(
            sent=asked["file"],
            organisation=model.model.organisation if model else self._owner_of(asked["against"], mine),
            against=asked["against"],
            model=model,
            kinds=asked["kinds"],
            by=self.person,
            now=timezone.now(),
        )
        return followed(job)

    @extend_schema(
        operation_id="checks_judge",
        request=JudgeMatchSerializer,
        responses={201: MatchJudgementSerializer, 403: NOT_YOURS, 404: NOT_HERE},
    )
    @action(detail=True, methods=["post"], parser_classes=[JSONParser])
    def judge(self, request: Request, **_: Any) -> Response:
        """Say what one match of the check is. The verdict stays; whoever decides about the output reads both."""
        check = access.check_for_reading(self.caller, self.public_id)
        services.require_judge(check, self.person)
        asked = validated(JudgeMatchSerializer, request.data)
        judgement = services.judge_match(
            match=access.match_for_reading(self.person, check.public_id, asked["kind"], asked["rank"]),
            answer=MatchAnswer(asked["answer"]),
            reason=asked["reason"],
            by=self.person,
            now=timezone.now(),
        )
        return Response(MatchJudgementSerializer(judgement).data, status=status.HTTP_201_CREATED)

    def _owner_of(self, names: Sequence[str], mine: Sequence[Organisation]) -> Organisation:
        """Return whose music the file is held against: the check, and what it matched, is theirs to see."""
        known = provenance_access.datasets_for_reading(self.person)
        owners = {provenance_queries.dataset_named(name, mine, known)[0].organisation for name in names}
        if len(owners) > 1:
            raise GenerationError("One check looks into one organisation: check against each on its own.")
        return owners.pop()


def followed(job: Job) -> Response:
    """Answer where the job is followed; one that no worker will take now says so, and is kept until one does."""
    queued(job)
    if not worker_was_seen(work.KINDS[job.kind].queue):
        Job.objects.filter(pk=job.pk, state=JobState.QUEUED, message="").update(message=NOBODY_WORKS)
    job.refresh_from_db()
    answer = Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)
    answer["Location"] = reverse("api:job-detail", args=[job.public_id])
    return answer


def worker_was_seen(queue: str) -> bool:
    """Tell whether a worker answered lately: asking takes a second or two, so a yes holds for half a minute."""
    key = f"generation.worker.{queue}"
    try:
        if not cache.get(key):
            cache.set(key, work.worker_answers(queue), SEEN_S)
        return bool(cache.get(key))
    except RedisError:
        return work.worker_answers(queue)  # nothing is remembered: ask


@extend_schema(tags=["recordings"])
class RecordingMatchViewSet(HouseViewSet[Match]):
    order = CLOSEST_FIRST
    serializer_class = RecordingMatchSerializer
    queryset = Match.objects.none()

    @extend_schema(
        operation_id="recordings_matches_list",
        parameters=[MatchQuerySerializer],
        responses={200: RecordingMatchSerializer(many=True), 404: NOT_HERE},
    )
    def list(self, request: Request, **_: Any) -> Response:
        """Which outputs and files came close to this recording, closest first."""
        asked = self.asked(MatchQuerySerializer)
        recording = provenance_access.recording_for_reading(self.caller, self.public_id)
        rows = access.judged_matches_for_reading(self.caller).filter(recording=recording)
        rows = rows.select_related("recording", "check_made", "check_made__generation")
        if asked["accepted"] is not None:
            rows = rows.filter(accepted=asked["accepted"])
        return self.page_of(rows, RecordingMatchSerializer, self.order)


@extend_schema(tags=["recordings"])
class RecordingImpactView(HouseView):
    @extend_schema(operation_id="recordings_impact", responses={200: ImpactSerializer, 404: NOT_HERE})
    def get(self, request: Request, public_id: str) -> Response:
        """What was made with this recording: datasets, models, outputs."""
        recording = provenance_access.recording_for_reading(self.caller, public_id)
        return Response(queries.impact_of(Recording.objects.filter(pk=recording.pk)).as_json())


@extend_schema(tags=["grants"])
class GrantImpactView(HouseView):
    @extend_schema(operation_id="grants_impact", responses={200: ImpactSerializer, 404: NOT_HERE})
    def get(self, request: Request, public_id: str) -> Response:
        """What revoking this grant would reach."""
        grant = provenance_access.grant_for_reading(self.caller, public_id)
        return Response(queries.impact_of_grant(grant).as_json())


@extend_schema(tags=["grants"])
class GrantRevocationView(HouseView):
    @extend_schema(
        operation_id="grants_revoke",
        request=RevokeSerializer,
        responses={200: RevokedSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """End a deal, or one right of it, and say what hangs on it.

        A grant of both rights is one deal: without `right` both end. Without `from` it ends now, or when notice given
        now runs out; an irrevocable one is refused without `despite_terms`. What was trained stays on record; its
        gates close by themselves.
        """
        grant = provenance_access.grant_for_reading(self.caller, public_id)
        asked = validated(RevokeSerializer, request.data)
        revoked, impact = services.revoke_grant(
            grant=grant,
            by=self.person,
            reason=asked["reason"],
            revoked_from=asked["revoked_from"],
            right=asked["right"],
            despite_terms=asked["despite_terms"],
            now=timezone.now(),
        )
        first = next((one for one in revoked if one.pk == grant.pk), revoked[0])
        line = {
            "grant": first.public_id,
            "deal": first.deal,
            "grants": [one.public_id for one in revoked],
            "from": first.revoked_from,
            "notes": deals.against_terms(revoked),
            **impact.as_json(),
        }
        return Response(RevokedSerializer(line).data)


@extend_schema(tags=["reviews"])
class ReviewDecisionView(HouseView):
    @extend_schema(
        operation_id="reviews_decide",
        request=DecideSerializer,
        responses={200: ReviewSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Answer the question, with the reason. Whoever asked it cannot."""
        review = house.review_for_reading(self.caller, public_id)
        asked = validated(DecideSerializer, request.data)
        return Response(ReviewSerializer(self._decide(review, asked)).data)

    def _decide(self, review: Review, asked: dict[str, Any]) -> Review:
        answer: dict[str, Any] = {
            "decision": Decision(asked["decision"]),
            "reason": asked["reason"],
            "by": self.person,
            "now": timezone.now(),
        }
        if review.question == Question.MODEL_RELEASE:
            return services.decide_model(review=review, **answer)
        if review.question == Question.GENERATION_RELEASE:
            return services.decide_generation(review=review, **answer)
        if review.question == Question.POLICY_ADOPTION:
            return provenance.decide_policy(review=review, **answer)
        if review.decision != Decision.PENDING:
            raise ConflictError("Somebody else has decided this review already.")
        dataset = provenance_access.dataset_for_reading(self.person, review.subject_id)
        return provenance.approve_dataset(dataset=dataset, accept=asked["conditions"], **answer)

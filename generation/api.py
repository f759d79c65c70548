"""The part of the API that generation answers, and the decisions and revocations that reach up to its models."""

import secrets
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from generation import access, queries, services
from generation.errors import GenerationError
from generation.jobs import GENERATE
from generation.models import Check, Generation, GenerativeModel, Match, ModelVersion, TrainingRun
from generation.pipeline import Target
from generation.queries import VerdictCounts
from generation.serializers import (
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
    LineageSerializer,
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
from governance import services as governance
from governance.api import (
    NOT_HERE,
    NOT_NOW,
    NOT_YOURS,
    QUEUED,
    WORKS,
    BoundedMultiPartParser,
    HouseView,
    HouseViewSet,
    queued,
    validated,
)
from governance.errors import ConflictError
from governance.models import Decision, Organisation, Question, Review
from governance.serializers import ProblemSerializer, ReviewSerializer
from provenance import access as provenance_access
from provenance import queries as provenance_queries
from provenance import services as provenance
from provenance.models import Recording
from provenance.uploads import audio_file

EVIDENCE = ("generation", "matches__recording", "indexes__dataset", "indexes__version")


@extend_schema(tags=["models"])
@extend_schema_view(
    list=extend_schema(parameters=[ModelQuerySerializer]),
    retrieve=extend_schema(responses={200: ModelSerializer, 404: NOT_HERE}),
)
class ModelViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[GenerativeModel]):
    serializer_class = ModelSerializer

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
        rows = access.model_versions_for_reading(self.caller).filter(model=model).order_by("number")
        return self.page_of(rows, ModelVersionSerializer)


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
        return Response(GateSerializer(queries.gate_of(self.get_object(), at=timezone.now())).data)

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
        evidence = [f"checks__{relation}" for relation in EVIDENCE]
        return self.get_queryset().prefetch_related(*evidence).get(pk=found.pk)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(GenerateSerializer, request.data)
        version = queries.model_version_named(asked["model"], house.organisations_of(self.person))
        organisation = version.model.organisation
        house.require(self.person, organisation, house.MAKES_MODELS, "generate with a model")
        seed = asked["seed"] if asked["seed"] is not None else secrets.randbelow(2**31)
        job = governance.queue_job(
            kind=GENERATE,
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
        return queued(job)


@extend_schema(tags=["checks"])
@extend_schema_view(
    list=extend_schema(
        parameters=[CheckQuerySerializer], description="Checks, newest first, without their matches."
    ),
    retrieve=extend_schema(responses={200: CheckSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request={"multipart/form-data": CheckRequestSerializer},
        responses={
            201: CheckSerializer,
            403: NOT_YOURS,
            404: NOT_HERE,
            413: OpenApiResponse(ProblemSerializer, "The file is too large."),
            429: OpenApiResponse(ProblemSerializer, "Too many checks a minute."),
        },
        description="Hold one sound file against datasets and collections, or against what a model must not copy. "
        "A file that can't be decoded is `unverifiable`; the file itself is not kept.",
    ),
)
class CheckViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Check]):
    parser_classes = (BoundedMultiPartParser,)

    @property
    def throttle_scope(self) -> str | None:
        return "check" if self.action == "create" else None

    def get_serializer_class(self) -> type[CheckSummarySerializer]:
        return CheckSerializer if self.action == "retrieve" else CheckSummarySerializer

    def get_queryset(self) -> QuerySet[Check]:
        return Check.objects.filter(organisation__in=house.organisations_of(self.caller)).select_related(
            "generation"
        )

    def narrowed(self, rows: QuerySet[Check]) -> QuerySet[Check]:
        asked = self.asked(CheckQuerySerializer)
        if generation := asked.pop("generation", None):
            asked["generation__public_id"] = generation
        return rows.filter(**{name: value for name, value in asked.items() if value is not None})

    def get_object(self) -> Check:
        found = access.check_for_reading(self.caller, self.public_id)
        return Check.objects.prefetch_related(*EVIDENCE).get(pk=found.pk)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(CheckRequestSerializer, request.data)
        organisation = self._organisation(asked)
        house.require(self.person, organisation, WORKS, "check a file")
        with audio_file(asked["file"]) as path:
            (answer,) = services.check_files(
                [(path.name, path)], targets=self._targets(asked, organisation), kinds=asked["kinds"]
            )
        check = services.record_check(
            answer=answer, organisation=organisation, by=self.person, now=timezone.now()
        )
        found = Check.objects.prefetch_related(*EVIDENCE).get(pk=check.pk)
        return Response(CheckSerializer(found).data, status=status.HTTP_201_CREATED)

    def _organisation(self, asked: dict[str, Any]) -> Organisation:
        """Return whose music the file is held against: the check, and what it matched, is theirs to see."""
        mine = house.organisations_of(self.person)
        if asked["model"]:
            return queries.model_version_named(asked["model"], mine).model.organisation
        owners = {
            provenance_queries.dataset_named(name, mine)[0].organisation_id for name in asked["against"]
        }
        if len(owners) > 1:
            raise GenerationError("One check looks into one organisation: check against each on its own.")
        return next(organisation for organisation in mine if organisation.pk in owners)

    def _targets(self, asked: dict[str, Any], organisation: Organisation) -> list[Target]:
        now = timezone.now()
        if asked["model"]:
            version = queries.model_version_named(asked["model"], [organisation])
            return services.targets_of_model(version, by=self.person, now=now)
        return services.targets_for(asked["against"], [organisation], by=self.person, now=now)


@extend_schema(tags=["recordings"])
class RecordingMatchViewSet(HouseViewSet[Match]):
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
        rows = recording.matches.select_related("recording", "check_made", "check_made__generation")
        if asked["accepted"] is not None:
            rows = rows.filter(accepted=asked["accepted"])
        return self.page_of(rows.order_by("-score", "-id"), RecordingMatchSerializer)


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
        """End a grant, and say what hangs on it. What was trained stays on record; its gates close by themselves."""
        grant = provenance_access.grant_for_reading(self.caller, public_id)
        asked = validated(RevokeSerializer, request.data)
        revoked, impact = services.revoke_grant(
            grant=grant,
            by=self.person,
            reason=asked["reason"],
            revoked_from=asked["revoked_from"],
            now=timezone.now(),
        )
        line = {"grant": revoked.public_id, "from": revoked.revoked_from, **impact.as_json()}
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
        if review.decision != Decision.PENDING:
            raise ConflictError("Somebody else has decided this review already.")
        dataset = provenance_access.dataset_for_reading(self.person, review.subject_id)
        return provenance.approve_dataset(dataset=dataset, accept=asked["conditions"], **answer)

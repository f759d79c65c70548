"""The part of the API that provenance answers: datasets, recordings, conflicts."""

from datetime import datetime
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance import services as governance
from governance.api import (
    NOT_HERE,
    NOT_NOW,
    NOT_YOURS,
    QUEUED,
    UNREADABLE,
    FromFileViewSet,
    HouseViewSet,
    organisation_for,
    queued,
    validated,
)
from governance.keyset import Order, by, newest
from governance.models import Decision
from governance.serializers import ProblemSerializer, ReasonSerializer, ReviewSerializer
from provenance import access, queries, services
from provenance.jobs import INDEX, REGISTER, forget_uploads
from provenance.models import (
    Conflict,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    GrantRecording,
    Recording,
    ReservationRecording,
    VersionEntry,
)
from provenance.rights.values import Use
from provenance.serializers.clearances import ClearanceQuerySerializer, ClearanceSummarySerializer
from provenance.serializers.conflicts import (
    ConflictQuerySerializer,
    ConflictSerializer,
    DatasetConflictQuerySerializer,
    ResolveConflictSerializer,
)
from provenance.serializers.datasets import (
    ApproveSerializer,
    DatasetDetailSerializer,
    DatasetQuerySerializer,
    DatasetSerializer,
    EntryQuerySerializer,
    EntrySerializer,
    FreezeSerializer,
    FrozenSerializer,
    IndexRequestSerializer,
    RegisterSerializer,
    VersionEntrySerializer,
    VersionSerializer,
)
from provenance.serializers.recordings import (
    RecordingDetailSerializer,
    RecordingQuerySerializer,
    RecordingSerializer,
)
from provenance.uploads import keep_source

NUMBERED = Order(("number",), named_by=())
MAY_INDEX = (*house.WRITES_DATASETS, *house.MAKES_MODELS, *house.DECIDES)


def counted(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Tell each dataset how many recordings and versions it has, in the same query."""
    return datasets.annotate(
        n_recordings=_count_of(DatasetEntry.objects.all()),
        n_versions=_count_of(DatasetVersion.objects.all()),
    )


def _count_of(rows: QuerySet[Any]) -> Coalesce:
    of_one = rows.filter(dataset=OuterRef("pk")).order_by().values("dataset").annotate(n=Count("pk"))
    return Coalesce(Subquery(of_one.values("n"), output_field=IntegerField()), 0)


def use_asked(words: dict[str, Any], now: datetime) -> Use:
    return queries.use_for(
        purpose=words["purpose"],
        commercial=words["commercial"],
        territory=words["territory"],
        at=words["at"] or now,
        model=words.get("model", ""),
    )


@extend_schema(tags=["datasets"])
@extend_schema_view(
    list=extend_schema(parameters=[DatasetQuerySerializer]),
    retrieve=extend_schema(responses={200: DatasetDetailSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request={"multipart/form-data": RegisterSerializer},
        responses={
            202: QUEUED,
            403: NOT_YOURS,
            413: OpenApiResponse(ProblemSerializer, "The file is too large."),
            422: UNREADABLE,
        },
        description="Register a source into a dataset, new or grown. Audio comes in a ZIP beside its table; "
        "a table on its own registers what is known by metadata alone.",
    ),
)
class DatasetViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, FromFileViewSet[Dataset]):
    order = by("name")

    def get_serializer_class(self) -> type[DatasetSerializer]:
        return DatasetDetailSerializer if self.action == "retrieve" else DatasetSerializer

    def get_queryset(self) -> QuerySet[Dataset]:
        return counted(access.datasets_for_reading(self.caller))

    def narrowed(self, rows: QuerySet[Dataset]) -> QuerySet[Dataset]:
        return rows.filter(**self.asked(DatasetQuerySerializer))

    def get_object(self) -> Dataset:
        found = access.dataset_for_reading(self.caller, self.public_id)
        return self.get_queryset().get(pk=found.pk)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(RegisterSerializer, request.data)
        organisation = organisation_for(self.person, asked["organisation"])
        house.require(self.person, organisation, house.WRITES_DATASETS, "register a dataset")
        forget_uploads()
        source = keep_source(asked["file"])
        job = governance.queue_job(
            kind=REGISTER,
            organisation=organisation,
            asked_by=self.person,
            now=timezone.now(),
            subject_kind="dataset",
            subject_name=asked["name"],
            arguments={
                "name": asked["name"],
                "kind": asked["kind"],
                "source": str(source.path),
                "format": source.format,
                "root": str(source.root),
            },
        )
        return queued(job)

    @extend_schema(
        parameters=[EntryQuerySerializer], responses={200: EntrySerializer(many=True), 404: NOT_HERE}
    )
    @action(detail=True)
    def entries(self, request: Request, **_: Any) -> Response:
        """The recordings of the draft or of a version; with `purpose`, each with its clearance and the reasons."""
        asked = self.asked(EntryQuerySerializer)
        dataset = self.get_object()
        version = self._version(dataset, asked.get("version"))
        rows = access.entries_for_reading(self.caller, queries.entries_of(dataset, version))
        page: list[DatasetEntry] = self.page(rows, by("external_id"))
        context = {**self.get_serializer_context(), "cleared": {}}
        if "purpose" in asked:
            use = use_asked(asked, timezone.now())
            cleared = queries.clear_entries(
                rows.filter(pk__in=[entry.pk for entry in page]),
                use=use,
                policy=queries.policy_of(dataset.organisation, asked["policy"], at=use.at),
            )
            context["cleared"] = {one.entry.pk: one for one in cleared}
            context["rights"] = access.rights_for_reading(self.caller, [entry.recording for entry in page])
        return self.get_paginated_response(EntrySerializer(page, many=True, context=context).data)

    @extend_schema(
        parameters=[ClearanceQuerySerializer], responses={200: ClearanceSummarySerializer, 404: NOT_HERE}
    )
    @action(detail=True, pagination_class=None)
    def clearance(self, request: Request, **_: Any) -> Response:
        """The whole dataset's answers, counted. Clears every recording: for a large dataset this takes seconds."""
        asked = self.asked(ClearanceQuerySerializer)
        dataset = self.get_object()
        version = self._version(dataset, asked.get("version"))
        if version is not None and not asked.get("model"):
            asked["model"] = version.model
        use = use_asked(asked, timezone.now())
        policy = queries.policy_of(dataset.organisation, asked["policy"], at=use.at)
        summary = queries.ClearanceSummary.empty(queries.conditions_accepted(dataset, version))
        for cleared in queries.clear_entries(queries.entries_of(dataset, version), use=use, policy=policy):
            summary.add(cleared)
        return Response({**summary.as_json(), "policy": policy.reference, "draft": version is None})

    @extend_schema(
        parameters=[DatasetConflictQuerySerializer],
        responses={200: ConflictSerializer(many=True), 404: NOT_HERE},
    )
    @action(detail=True)
    def conflicts(self, request: Request, **_: Any) -> Response:
        """Evidence about this dataset's recordings that can't all be right, across its organisation's datasets."""
        asked = self.asked(DatasetConflictQuerySerializer)
        readable = access.conflicts_for_reading(self.caller).values("pk")
        found = queries.conflicts_touching(self.get_object()).filter(pk__in=readable)
        return self.page_of(found.filter(**asked), ConflictSerializer, ConflictViewSet.order)

    @extend_schema(responses={200: VersionSerializer(many=True), 404: NOT_HERE})
    @action(detail=True)
    def versions(self, request: Request, **_: Any) -> Response:
        """What was frozen from it, oldest first."""
        dataset = access.dataset_for_reading(self.caller, self.public_id)
        versions = dataset.versions.select_related("dataset", "frozen_by")
        return self.page_of(versions, VersionSerializer, NUMBERED)

    @extend_schema(
        request=ApproveSerializer,
        responses={200: ReviewSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **_: Any) -> Response:
        """Approve or reject what the dataset now holds. Nobody approves what they registered."""
        asked = validated(ApproveSerializer, request.data)
        review = services.approve_dataset(
            dataset=access.dataset_for_reading(self.caller, self.public_id),
            by=self.person,
            reason=asked["reason"],
            accept=asked["accept_conditions"],
            decision=Decision(asked["decision"]),
            now=timezone.now(),
        )
        return Response(ReviewSerializer(review).data)

    @extend_schema(
        request=FreezeSerializer,
        responses={201: FrozenSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, **_: Any) -> Response:
        """Freeze what is cleared for one use into a version that never changes."""
        asked = validated(FreezeSerializer, request.data)
        now = timezone.now()
        frozen = services.freeze_dataset(
            dataset=access.dataset_for_reading(self.caller, self.public_id),
            use=use_asked(asked, now),
            by=self.person,
            now=now,
            only_cleared=asked["only_cleared"],
            only_listed=asked["only_listed"],
            policy_name=asked["policy"],
        )
        left_out = [{"external_id": name, "reason": why} for name, why in frozen.left_out]
        version = VersionSerializer(frozen.version).data
        return Response({**version, "left_out": left_out}, status=status.HTTP_201_CREATED)

    @extend_schema(request=IndexRequestSerializer, responses={202: QUEUED, 403: NOT_YOURS, 404: NOT_HERE})
    @action(detail=True, methods=["post"])
    def index(self, request: Request, **_: Any) -> Response:
        """Build the index of the draft or of a version."""
        asked = validated(IndexRequestSerializer, request.data)
        dataset = access.dataset_for_reading(self.caller, self.public_id)
        house.require(self.person, dataset.organisation, MAY_INDEX, "index a dataset")
        version = self._version(dataset, asked["version"])
        job = governance.queue_job(
            kind=INDEX,
            organisation=dataset.organisation,
            asked_by=self.person,
            now=timezone.now(),
            subject_kind="dataset",
            subject_id=dataset.public_id,
            subject_name=str(version or dataset),
            arguments={"reference": str(version or dataset)},
        )
        return queued(job)

    def _version(self, dataset: Dataset, number: int | None) -> DatasetVersion | None:
        if number is None:
            return None
        return queries.dataset_named(f"{dataset.name}@{number}", [dataset.organisation])[1]


@extend_schema(tags=["datasets"])
@extend_schema_view(retrieve=extend_schema(responses={200: VersionSerializer, 404: NOT_HERE}))
class VersionViewSet(mixins.RetrieveModelMixin, HouseViewSet[DatasetVersion]):
    queryset = DatasetVersion.objects.all()
    serializer_class = VersionSerializer

    def get_object(self) -> DatasetVersion:
        return access.version_for_reading(self.caller, self.public_id)

    @extend_schema(responses={200: VersionEntrySerializer(many=True), 404: NOT_HERE})
    @action(detail=True)
    def entries(self, request: Request, **_: Any) -> Response:
        """The manifest: the leaves of the Merkle tree in their order, so that anybody can compute the root again.

        A label's auditor gets the leaves of the label's own recordings, with what they say of its rights.
        """
        version = self.get_object()
        leaves = version.entries.select_related("recording")
        if not house.reads_whole(self.caller, version.dataset.organisation):
            leaves = leaves.filter(access.readable_recordings(self.caller, path="recording__"))
        page: list[VersionEntry] = self.page(leaves, queries.LEAVES)
        rights = access.rights_for_reading(self.caller, [leaf.recording for leaf in page])
        context = {**self.get_serializer_context(), "rights": rights}
        return self.get_paginated_response(VersionEntrySerializer(page, many=True, context=context).data)


@extend_schema(tags=["recordings"])
@extend_schema_view(
    list=extend_schema(parameters=[RecordingQuerySerializer]),
    retrieve=extend_schema(responses={200: RecordingDetailSerializer, 404: NOT_HERE}),
)
class RecordingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Recording]):
    order = by("title")

    def get_serializer_class(self) -> type[RecordingSerializer]:
        return RecordingDetailSerializer if self.action == "retrieve" else RecordingSerializer

    def get_queryset(self) -> QuerySet[Recording]:
        return access.recordings_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Recording]) -> QuerySet[Recording]:
        asked = self.asked(RecordingQuerySerializer)
        if dataset := asked.pop("dataset", None):
            rows = rows.filter(
                pk__in=DatasetEntry.objects.filter(dataset__public_id=dataset).values("recording")
            )
        if grant := asked.pop("grant", None):
            given = access.grants_for_reading(self.caller).filter(public_id=grant)
            rows = rows.filter(pk__in=GrantRecording.objects.filter(grant__in=given).values("recording"))
        if held := asked.pop("reservation", None):
            said = access.reservations_for_reading(self.caller).filter(public_id=held)
            bound = ReservationRecording.objects.filter(reservation__in=said)
            rows = rows.filter(pk__in=bound.values("recording"))
        if part := asked.pop("search", ""):
            rows = rows.filter(Q(title__icontains=part) | Q(artist__icontains=part))
        return rows.filter(**asked)

    def get_object(self) -> Recording:
        return access.recording_for_reading(self.caller, self.public_id)


@extend_schema(tags=["conflicts"])
@extend_schema_view(
    list=extend_schema(parameters=[ConflictQuerySerializer]),
    retrieve=extend_schema(responses={200: ConflictSerializer, 404: NOT_HERE}),
)
class ConflictViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Conflict]):
    order = newest("found_at")
    serializer_class = ConflictSerializer

    def get_queryset(self) -> QuerySet[Conflict]:
        return access.conflicts_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Conflict]) -> QuerySet[Conflict]:
        asked = self.asked(ConflictQuerySerializer)
        if recording := asked.pop("recording", None):
            rows = rows.filter(Q(recording_a__public_id=recording) | Q(recording_b__public_id=recording))
        return rows.filter(**asked)

    def get_object(self) -> Conflict:
        return access.conflict_for_reading(self.caller, self.public_id)

    @extend_schema(
        request=ResolveConflictSerializer,
        responses={200: ConflictSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, **_: Any) -> Response:
        """Say who is right, and why; without a side both hold, and the stricter goes on deciding."""
        asked = validated(ResolveConflictSerializer, self.request.data)
        return self._close(ConflictStatus.RESOLVED, asked["reason"], asked["in_favour_of"])

    @extend_schema(
        request=ReasonSerializer,
        responses={200: ConflictSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, **_: Any) -> Response:
        """Say that the two do not disagree, and why."""
        asked = validated(ReasonSerializer, self.request.data)
        return self._close(ConflictStatus.DISMISSED, asked["reason"])

    def _close(self, closed_as: ConflictStatus, reason: str, in_favour_of: str = "") -> Response:
        conflict = self.get_object()
        services.close_conflict(
            conflict=conflict,
            status=closed_as,
            in_favour_of=in_favour_of,
            reason=reason,
            by=self.person,
            now=timezone.now(),
        )
        return Response(ConflictSerializer(self.get_object()).data)

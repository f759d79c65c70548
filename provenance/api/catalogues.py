"""The part of the API for labels: bring a catalogue, and read which of its recordings are where."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance import services as governance
from governance.api import (
    NOT_HERE,
    NOT_YOURS,
    QUEUED,
    UNREADABLE,
    FromFileViewSet,
    HouseViewSet,
    organisation_for,
    queued,
    validated,
)
from governance.errors import NotFoundError
from governance.keyset import newest
from governance.serializers import OrganisationField, ProblemSerializer, QuerySerializer, RowSerializer
from provenance import access, services
from provenance.forms.catalogues import MESSAGES
from provenance.jobs import MATCH
from provenance.models import Catalogue, CatalogueAnswer, CatalogueMatch, CatalogueRun, Dataset
from provenance.queries import catalogues
from provenance.uploads import keep_source


class CatalogueSerializer(RowSerializer[Catalogue]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    uploaded_by = serializers.CharField(source="uploaded_by.username", read_only=True)

    class Meta:
        model = Catalogue
        fields = (
            *("id", "organisation", "name", "format", "source_name", "source_sha256", "uploaded_by"),
            *("uploaded_at", "n_rows", "rejections", "warnings"),
        )


class CatalogueRunSerializer(RowSerializer[CatalogueRun]):
    """One catalogue held against one dataset. For the dataset's owner this is all there is to read."""

    dataset = serializers.CharField(source="dataset.name", read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", read_only=True)
    organisation = serializers.CharField(
        source="catalogue.organisation.name", read_only=True, help_text="whose catalogue it is"
    )
    n_not_found = serializers.IntegerField(read_only=True)

    class Meta:
        model = CatalogueRun
        fields = (
            *("id", "dataset", "organisation", "asked_by", "run_at", "method", "method_version", "n_rows"),
            *("n_found", "n_probable", "n_not_found", "n_rows_listened", "n_recordings"),
            *("n_recordings_indexed", "is_latest"),
        )


class CatalogueMatchSerializer(serializers.Serializer[Any]):
    """A row in one dataset; `recording` is null where it was not found."""

    row = serializers.IntegerField()
    external_id = serializers.CharField()
    isrc = serializers.CharField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())
    answer = serializers.ChoiceField(choices=CatalogueAnswer.choices)
    dataset = serializers.CharField()
    recording = serializers.UUIDField(allow_null=True)
    recording_external_id = serializers.CharField(allow_null=True)
    score = serializers.FloatField(min_value=0, max_value=1)
    evidence = serializers.ListField(child=serializers.DictField())
    versions = serializers.ListField(child=serializers.DictField())


class CatalogueMatchQuerySerializer(QuerySerializer):
    answer = serializers.ChoiceField(choices=CatalogueAnswer.choices, required=False, default="")
    dataset = serializers.UUIDField(required=False, default=None, allow_null=True)
    version = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="a frozen version that the recording is in"
    )
    q = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)


class BringSerializer(serializers.Serializer[Any]):
    organisation = OrganisationField()
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    file = serializers.FileField(help_text="CSV, XLSX, DDEX ERN (.xml), or a ZIP of audio or fingerprints")
    datasets = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=100, help_text="ids of the datasets to ask"
    )


class AgainSerializer(serializers.Serializer[Any]):
    datasets = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=100)


@extend_schema(tags=["catalogues"])
@extend_schema_view(
    retrieve=extend_schema(responses={200: CatalogueSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request={"multipart/form-data": BringSerializer},
        responses={
            202: QUEUED,
            403: NOT_YOURS,
            404: NOT_HERE,
            413: OpenApiResponse(ProblemSerializer, "The file is too large."),
            422: UNREADABLE,
        },
        description="Bring a catalogue and ask which of its recordings are in the datasets named. Each owner reads "
        "in their log that it was asked.",
    ),
)
class CatalogueViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, FromFileViewSet[Catalogue]):
    """The caller's own catalogues, and those of a label that they audit for."""

    order = newest("uploaded_at")
    serializer_class = CatalogueSerializer

    def get_queryset(self) -> QuerySet[Catalogue]:
        return access.catalogues_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Catalogue]) -> QuerySet[Catalogue]:
        self.asked(QuerySerializer)
        return rows

    def get_object(self) -> Catalogue:
        return access.catalogue_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(BringSerializer, request.data)
        organisation = organisation_for(self.person, asked["organisation"])
        house.require(self.person, organisation, services.MAY_ASK, "bring a catalogue")
        datasets = self._datasets(asked["datasets"])
        source = keep_source(asked["file"], also=MESSAGES)
        job = governance.queue_job(
            kind=MATCH,
            organisation=organisation,
            asked_by=self.person,
            now=timezone.now(),
            subject_kind="catalogue",
            subject_name=asked["name"] or source.path.stem,
            arguments={
                "name": asked["name"],
                "source": str(source.path),
                "format": source.format,
                "root": str(source.root),
                "datasets": [str(dataset.public_id) for dataset in datasets],
            },
        )
        return queued(job)

    @extend_schema(request=AgainSerializer, responses={202: QUEUED, 403: NOT_YOURS, 404: NOT_HERE})
    @action(detail=True, methods=["post"])
    def again(self, request: Request, **_: Any) -> Response:
        """Ask once more: datasets change, and so do the answers."""
        catalogue = self.get_object()
        datasets = self._datasets(validated(AgainSerializer, request.data)["datasets"])
        job = governance.queue_job(
            kind=MATCH,
            organisation=catalogue.organisation,
            asked_by=self.person,
            now=timezone.now(),
            subject_kind="catalogue",
            subject_id=catalogue.public_id,
            subject_name=catalogue.name,
            arguments={
                "catalogue": str(catalogue.public_id),
                "datasets": [str(dataset.public_id) for dataset in datasets],
            },
        )
        return queued(job)

    def _datasets(self, public_ids: list[Any]) -> list[Dataset]:
        found = list(access.datasets_for_reading(self.person).filter(public_id__in=public_ids))
        if len(found) != len(set(public_ids)):
            raise NotFoundError("There is no such dataset.")
        for dataset in found:
            house.require(
                self.person,
                dataset.organisation,
                services.MAY_ASK,
                "ask which recordings of a catalogue are here",
            )
        return found

    @extend_schema(responses={200: CatalogueRunSerializer(many=True), 404: NOT_HERE})
    @action(detail=True)
    def runs(self, request: Request, **_: Any) -> Response:
        """What each dataset answered last, counted."""
        runs = access.run_answers_for_reading(self.caller, self.get_object())
        runs = runs.select_related("catalogue__organisation")
        return self.page_of(runs, CatalogueRunSerializer, CatalogueQuestionViewSet.order)

    @extend_schema(
        parameters=[CatalogueMatchQuerySerializer],
        responses={200: CatalogueMatchSerializer(many=True), 404: NOT_HERE},
    )
    @action(detail=True)
    def matches(self, request: Request, **_: Any) -> Response:
        """Every row in every dataset asked, with its evidence and the versions that hold what it was found in."""
        asked = self.asked(CatalogueMatchQuerySerializer)
        runs = list(access.run_answers_for_reading(self.caller, self.get_object()))
        rows = catalogues.narrowed(
            catalogues.matches_of(runs),
            answer=asked["answer"],
            dataset=str(asked["dataset"] or ""),
            version=str(asked["version"] or ""),
            words=asked["q"],
        )
        page: list[CatalogueMatch] = self.page(rows, catalogues.AS_LISTED)
        lines = [catalogues.match_as_json(one) for one in catalogues.answered(page)]
        return self.get_paginated_response(lines)


@extend_schema(tags=["catalogues"])
class CatalogueQuestionViewSet(mixins.ListModelMixin, HouseViewSet[CatalogueRun]):
    """The owner's log: which catalogues were held against datasets of theirs; never which rows."""

    order = newest("run_at")
    serializer_class = CatalogueRunSerializer

    def get_queryset(self) -> QuerySet[CatalogueRun]:
        return access.catalogue_runs_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[CatalogueRun]) -> QuerySet[CatalogueRun]:
        self.asked(QuerySerializer)
        return rows

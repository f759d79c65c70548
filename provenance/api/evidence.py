"""Kept documents as the API has them: brought, listed, and opened on the record by whoever may."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance.api import (
    NOT_HERE,
    NOT_NOW,
    NOT_YOURS,
    FromFileViewSet,
    TooLargeError,
    organisation_for,
    validated,
)
from governance.errors import NotFoundError
from governance.keyset import newest
from governance.models import Organisation
from governance.serializers import ProblemSerializer
from provenance import access
from provenance.models import EvidenceDocument, EvidenceSubject
from provenance.serializers.evidence import (
    EvidenceDetailSerializer,
    EvidenceQuerySerializer,
    EvidenceSerializer,
    KeepEvidenceSerializer,
    KeptEvidenceSerializer,
)
from provenance.services.evidence import (
    KEEPS_EVIDENCE,
    MAX_BYTES,
    Subjects,
    file_name,
    keep_evidence_for,
    open_evidence,
)

FACTS = ("kind", "url", "fetched_at", "confidential")
ABOUT = {"licence": "licence", "recording": "recording__public_id", "dataset": "dataset__public_id"}


@extend_schema(tags=["evidence"])
@extend_schema_view(
    list=extend_schema(
        parameters=[EvidenceQuerySerializer],
        description="What answers rest on, newest first, for those who read a house whole.",
    ),
    retrieve=extend_schema(responses={200: EvidenceDetailSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request={"multipart/form-data": KeepEvidenceSerializer},
        responses={
            200: OpenApiResponse(KeptEvidenceSerializer, "It was kept before; what it is about was added."),
            201: KeptEvidenceSerializer,
            403: NOT_YOURS,
            404: NOT_HERE,
            413: OpenApiResponse(ProblemSerializer, "The file is too large."),
        },
        description="Keep a file, or a page as it was read from its address, for what rests on it. Data stewards and "
        "compliance officers; what is kept, and for what, goes into the ledger.",
    ),
)
class EvidenceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, FromFileViewSet[EvidenceDocument]):
    order = newest("received_at")

    def get_serializer_class(self) -> type[EvidenceSerializer]:
        return EvidenceDetailSerializer if self.action == "retrieve" else EvidenceSerializer

    def get_queryset(self) -> QuerySet[EvidenceDocument]:
        return access.evidence_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[EvidenceDocument]) -> QuerySet[EvidenceDocument]:
        asked = {
            name: value for name, value in self.asked(EvidenceQuerySerializer).items() if value is not None
        }
        for name, path in ABOUT.items():
            if name in asked:
                about = EvidenceSubject.objects.filter(**{path: asked.pop(name)})
                rows = rows.filter(pk__in=about.values("document"))
        return rows.filter(**asked)

    def get_object(self) -> EvidenceDocument:
        return access.document_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(KeepEvidenceSerializer, request.data)
        sent, now = asked["file"], timezone.now()
        if sent.size > MAX_BYTES:
            raise TooLargeError(f"The file has {sent.size:,} bytes; evidence is kept up to {MAX_BYTES:,}.")
        subjects = self._subjects(asked)
        organisation = self._keeper(asked["organisation"], subjects)
        house.require(self.person, organisation, KEEPS_EVIDENCE, "attach evidence")
        document, linked = keep_evidence_for(
            subjects=subjects,
            organisation=organisation,
            by=self.person,
            now=now,
            name=sent.name,
            content=sent.read(),
            media_type=sent.content_type or "",
            **{name: asked[name] for name in FACTS},
        )
        code = status.HTTP_201_CREATED if document.received_at == now else status.HTTP_200_OK
        context = {**self.get_serializer_context(), "linked": linked}
        return Response(KeptEvidenceSerializer(document, context=context).data, status=code)

    def _subjects(self, asked: dict[str, Any]) -> Subjects:
        recordings = access.recordings_for_reading(self.person).filter(public_id__in=asked["recordings"])
        datasets = access.datasets_for_reading(self.person).filter(public_id__in=asked["datasets"])
        subjects = Subjects(asked["licences"], list(recordings), list(datasets))
        if len(subjects.recordings) != len(set(asked["recordings"])):
            raise NotFoundError("There is no such recording.")
        if len(subjects.datasets) != len(set(asked["datasets"])):
            raise NotFoundError("There is no such dataset.")
        return subjects

    def _keeper(self, name: str, subjects: Subjects) -> Organisation:
        """Return who is named, else whose the recordings and datasets are, else the first that the caller keeps for."""
        owners = [
            *(recording.organisation for recording in subjects.recordings),
            *(dataset.organisation for dataset in subjects.datasets),
        ]
        if name or not owners:
            own = house.organisations_of(self.person)
            keeps = [one for one in own if house.may(self.person, one, KEEPS_EVIDENCE)]
            return organisation_for(self.person, name) if name or not keeps else keeps[0]
        return owners[0]

    @extend_schema(
        request=None,
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            403: NOT_YOURS,
            404: NOT_HERE,
            409: NOT_NOW,
        },
    )
    @action(detail=True, methods=["post"])
    def open(self, request: Request, **_: Any) -> HttpResponse:
        """The bytes as they were kept. That they were read, and by whom, is written into the ledger: hence POST."""
        document = self.get_object()
        content = open_evidence(document=document, by=self.person, now=timezone.now())
        response = HttpResponse(content, content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="{file_name(document)}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

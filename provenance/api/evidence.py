"""Kept documents as the API has them: what there is, and what it says to whoever may open it, on the record."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request

from governance.api import NOT_HERE, NOT_NOW, NOT_YOURS, HouseViewSet
from provenance import access
from provenance.api.keysets import NewestFirst
from provenance.models import EvidenceDocument, EvidenceSubject
from provenance.serializers.evidence import (
    EvidenceDetailSerializer,
    EvidenceQuerySerializer,
    EvidenceSerializer,
)
from provenance.services.evidence import file_name, open_evidence

ABOUT = {"licence": "licence", "recording": "recording__public_id", "dataset": "dataset__public_id"}


@extend_schema(tags=["evidence"])
@extend_schema_view(
    list=extend_schema(
        parameters=[EvidenceQuerySerializer],
        description="What answers rest on, newest first, for those who read a house whole.",
    ),
    retrieve=extend_schema(responses={200: EvidenceDetailSerializer, 404: NOT_HERE}),
)
class EvidenceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[EvidenceDocument]):
    pagination_class = NewestFirst
    newest_by = "received_at"

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

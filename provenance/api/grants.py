"""The part of the API that speaks of grants: read, registered, and their agreements opened on the record."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api import NOT_HERE, NOT_NOW, NOT_YOURS, HouseView, HouseViewSet, organisation_for, validated
from governance.keyset import newest
from provenance import access, deals, documents, services
from provenance.models import Grant, GrantRecording
from provenance.serializers.grants import (
    GrantOutcomesSerializer,
    GrantQuerySerializer,
    GrantSerializer,
    RegisterGrantsSerializer,
    ReinstatedSerializer,
    ReinstateSerializer,
)
from provenance.services.granting import GrantOutcome


@extend_schema(tags=["grants"])
@extend_schema_view(
    list=extend_schema(parameters=[GrantQuerySerializer], description="Bilateral deals, newest first."),
    retrieve=extend_schema(responses={200: GrantSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=RegisterGrantsSerializer,
        responses={
            200: OpenApiResponse(
                GrantOutcomesSerializer, "Nothing new: every deal was known, or it was a dry run."
            ),
            201: GrantOutcomesSerializer,
            403: NOT_YOURS,
            422: OpenApiResponse(GrantOutcomesSerializer, "Every deal was rejected; each says why."),
        },
        description="Register deals; a bad one is rejected with its reasons, and the good ones still register.",
    ),
)
class GrantViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Grant]):
    order = newest("registered_at")
    serializer_class = GrantSerializer

    def get_queryset(self) -> QuerySet[Grant]:
        return access.grants_for_reading(self.caller).select_related("reinstates", "reinstated_by")

    def narrowed(self, rows: QuerySet[Grant]) -> QuerySet[Grant]:
        asked = self.asked(GrantQuerySerializer)
        revoked = asked.pop("revoked", None)
        if revoked is not None:
            rows = rows.filter(revoked_at__isnull=not revoked)
        if part := asked.pop("licensor", ""):
            rows = rows.filter(licensor__name__icontains=part)
        if (days := asked.pop("ends_within_days", None)) is not None:
            today = timezone.now().date()
            rows = rows.filter(
                valid_until__gt=today, valid_until__lte=today + timedelta(days=days), revoked_at=None
            )
        if recording := asked.pop("recording", None):
            rows = rows.filter(
                pk__in=GrantRecording.objects.filter(recording__public_id=recording).values("grant")
            )
        return rows.filter(**asked)

    def get_object(self) -> Grant:
        return access.grant_for_reading(self.caller, self.public_id)

    @extend_schema(
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            403: NOT_YOURS,
            404: NOT_HERE,
            409: NOT_NOW,
        }
    )
    @action(detail=True, pagination_class=None)
    def agreement(self, request: Request, **_: Any) -> HttpResponse:
        """The agreement as it was kept. It is confidential, and who read it goes into the ledger."""
        return documents.agreement(self.get_object(), by=self.person)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(RegisterGrantsSerializer, request.data)
        with tempfile.TemporaryDirectory(prefix="liner-grants-") as folder:
            file = Path(folder) / "grants.json"
            file.write_text(DjangoJSONEncoder().encode(asked["deals"]), encoding="utf-8")
            outcomes = services.register_grants(
                source=file,
                by=self.person,
                organisation=organisation_for(self.person, asked["organisation"]),
                now=timezone.now(),
                dry_run=asked["dry_run"],
            )
        return _outcomes(outcomes, dry_run=asked["dry_run"])


@extend_schema(tags=["grants"])
class GrantReinstatementView(HouseView):
    @extend_schema(
        operation_id="grants_reinstate",
        request=ReinstateSerializer,
        responses={200: ReinstatedSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Give a revoked deal again, or one right of it, as a new deal on the same terms.

        For a steward, and for whoever revoked it. The old one stays revoked, and nothing is cleared for the time
        between; what holds its recordings goes back before those who approve.
        """
        grant = access.grant_for_reading(self.caller, public_id)
        asked = validated(ReinstateSerializer, request.data)
        own = access.grants_for_reading(self.caller).filter(
            organisation=grant.organisation_id, deal=grant.deal
        )
        deal = own.select_related("reinstated_by").order_by("id")
        anew = services.reinstate_grants(
            grants=deals.to_give_again(deal, right=asked["right"]) or [grant],
            by=self.person,
            reason=asked["reason"],
            now=timezone.now(),
            valid_from=asked["valid_from"],
        )
        return Response(ReinstatedSerializer(deals.given_again_as_json(anew)).data)


def _outcomes(outcomes: list[GrantOutcome], *, dry_run: bool) -> Response:
    counts = dict.fromkeys(("registered", "duplicate", "rejected"), 0)
    for outcome in outcomes:
        counts[outcome.status] += 1
    if counts["rejected"] == len(outcomes):
        code: int = status.HTTP_422_UNPROCESSABLE_ENTITY
    elif counts["registered"] and not dry_run:
        code = status.HTTP_201_CREATED
    else:
        code = status.HTTP_200_OK
    lines = [
        {name: value for name, value in outcome.as_json().items() if name != "grant"} for outcome in outcomes
    ]
    return Response({"outcomes": lines, "summary": counts}, status=code)

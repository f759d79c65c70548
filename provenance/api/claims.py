"""The part of the API that speaks of claims: read, registered, withdrawn."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api import NOT_HERE, NOT_NOW, NOT_YOURS, HouseViewSet, organisation_for, validated
from governance.keyset import newest
from provenance import access
from provenance.intake.claims import claim_of
from provenance.models import RightsClaim
from provenance.serializers.claims import (
    ClaimOutcomesSerializer,
    ClaimQuerySerializer,
    RegisterClaimsSerializer,
    RightsClaimSerializer,
)
from provenance.services.claiming import ClaimsRegistered, register_claim_rows, withdraw_claim


@extend_schema(tags=["claims"])
@extend_schema_view(
    list=extend_schema(
        parameters=[ClaimQuerySerializer],
        description="Who says that they hold how much of which right, newest first. Sources stand side by side.",
    ),
    retrieve=extend_schema(responses={200: RightsClaimSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=RegisterClaimsSerializer,
        responses={
            200: OpenApiResponse(
                ClaimOutcomesSerializer, "Nothing new: every claim was known, or it was a dry run."
            ),
            201: ClaimOutcomesSerializer,
            403: NOT_YOURS,
            422: OpenApiResponse(ClaimOutcomesSerializer, "Every claim was rejected; each says why."),
        },
        description="Register claims; a bad one is rejected with its reasons, and the good ones still register. "
        "`findings` counts what does not add up: gaps and overlaps of shares, and sources that disagree.",
    ),
)
class ClaimViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[RightsClaim]):
    order = newest("recorded_at")
    serializer_class = RightsClaimSerializer

    def get_queryset(self) -> QuerySet[RightsClaim]:
        return access.claims_for_reading(self.caller).order_by("-recorded_at", "-id")

    def narrowed(self, rows: QuerySet[RightsClaim]) -> QuerySet[RightsClaim]:
        asked = self.asked(ClaimQuerySerializer)
        withdrawn = asked.pop("withdrawn", None)
        if withdrawn is not None:
            rows = rows.filter(withdrawn_at__isnull=not withdrawn)
        if part := asked.pop("party", ""):
            rows = rows.filter(party__name__icontains=part)
        if recording := asked.pop("recording", None):
            rows = rows.filter(recording__public_id=recording)
        return rows.filter(**asked)

    def get_object(self) -> RightsClaim:
        return access.claim_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(RegisterClaimsSerializer, request.data)
        written = json.loads(DjangoJSONEncoder().encode(asked["claims"]))
        done = register_claim_rows(
            rows=[claim_of(row, claim) for row, claim in enumerate(written, start=1)],
            by=self.person,
            organisation=organisation_for(self.person, asked["organisation"]),
            now=timezone.now(),
            dry_run=asked["dry_run"],
        )
        return _outcomes(done, dry_run=asked["dry_run"])

    @extend_schema(
        request=None, responses={200: RightsClaimSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW}
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def withdraw(self, request: Request, **_: Any) -> Response:
        """It no longer counts, and stays on record."""
        withdrawn = withdraw_claim(claim=self.get_object(), by=self.person, now=timezone.now())
        return Response(self.get_serializer(withdrawn).data)


def _outcomes(done: ClaimsRegistered, *, dry_run: bool) -> Response:
    counts = done.counts()
    if counts["rejected"] == len(done.outcomes):
        code: int = status.HTTP_422_UNPROCESSABLE_ENTITY
    elif counts["registered"] and not dry_run:
        code = status.HTTP_201_CREATED
    else:
        code = status.HTTP_200_OK
    return Response(
        {"outcomes": [outcome.as_json() for outcome in done.outcomes], "summary": counts}, status=code
    )

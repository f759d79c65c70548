"""The part of the API that strangers may read: the public cards of models."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit import public
from audit.serializers import PublicCardSerializer, PublicModelSerializer
from governance.api import NOT_HERE, HouseView
from governance.keyset import newest
from governance.paging import Pages


class StrangersView(HouseView):
    """Answers the same to everybody: who asks is not looked at."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = ()
    permission_classes = (AllowAny,)


class PublicModelListView(StrangersView):
    order = newest("registered_at")

    @extend_schema(
        tags=["public"],
        operation_id="public_models_list",
        responses=PublicModelSerializer(many=True),
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """The model versions whose cards were opened to everybody, the newest first."""
        pages = Pages()
        rows = pages.paginate_queryset(public.public_versions(), request, view=self)
        return pages.get_paginated_response(PublicModelSerializer(rows, many=True).data)


class PublicModelView(StrangersView):
    @extend_schema(
        tags=["public"],
        operation_id="public_models_retrieve",
        responses={200: PublicCardSerializer, 404: NOT_HERE},
        auth=[],
    )
    def get(self, request: Request, public_id: UUID, **_: Any) -> Response:
        """One card, with the figures of this moment; its credits are those that public licences ask for."""
        card = public.card_of(public.public_version(public_id), at=timezone.now())
        return Response(PublicCardSerializer(card).data)

"""The part of the API that strangers may read: the public cards of models."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit import public
from audit.serializers import PublicCardSerializer, PublicModelSerializer
from generation.models import ModelVersion
from governance.api import NOT_HERE, HouseView
from governance.keyset import newest
from governance.paging import Pages


class StrangersView(HouseView):
    """Answers the same to everybody: who asks is not looked at."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = ()
    permission_classes = (AllowAny,)


class PublicModelListView(StrangersView, ListAPIView[ModelVersion]):
    pagination_class = Pages
    order = newest("registered_at")
    serializer_class = PublicModelSerializer

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return public.public_versions()

    @extend_schema(tags=["public"], operation_id="public_models_list", auth=[])
    def get(self, request: Request, **_: Any) -> Response:
        """The model versions whose cards were opened to everybody, the newest first."""
        return self.list(request)


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

"""The part of the API about opt-outs and statutory-exception memos."""

import base64
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance.api import NOT_HERE, NOT_NOW, NOT_YOURS, UNREADABLE, HouseViewSet, organisation_for, validated
from governance.errors import NotFoundError
from governance.keyset import newest
from governance.models import Organisation, User
from governance.serializers import OrganisationField, QuerySerializer, ReasonSerializer, RowSerializer
from provenance import access
from provenance.models import ExceptionMemo, Party, Reservation, ReservationSource, ReservedRight
from provenance.queries import reservations as queries
from provenance.rights.optouts import KINDS, Snapshot
from provenance.rights.values import PURPOSES
from provenance.services import declaring, memos, reserving
from provenance.services.declaring import Declaration
from provenance.services.evidence import open_evidence
from provenance.services.memos import MemoTerms
from provenance.services.reserving import Reserved

MAX_NAMED = 1000
MAX_DECLARED = 100_000  # recordings that one opt-out names; the body's own limit comes before
RAW_CHARS = 2000
MAX_TEXT_CHARS = 1_500_000


class ReservationSerializer(RowSerializer[Reservation]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    party = serializers.SerializerMethodField()
    recordings = serializers.SerializerMethodField()
    snapshot_sha256 = serializers.SerializerMethodField()

    class Meta:
        model = Reservation
        fields = (
            *("id", "organisation", "source", "right", "purposes", "territory", "party", "location"),
            *("policy_url", "raw", "snapshot_sha256", "declared_at", "recorded_at", "withdrawn_at"),
            *("withdrawal_reason", "recordings"),
        )

    def get_party(self, held: Reservation) -> str | None:
        """who reserves, where somebody is named"""
        return held.party.name if held.party else None

    def get_recordings(self, held: Reservation) -> int:
        """how many it binds"""
        counted = getattr(held, "n_recordings", None)
        return held.subjects.count() if counted is None else int(counted)

    def get_snapshot_sha256(self, held: Reservation) -> str | None:
        """of the file that was kept, where there is one"""
        return held.document.sha256 if held.document else None


class ListedReservationSerializer(ReservationSerializer):
    raw = serializers.SerializerMethodField()

    def get_raw(self, held: Reservation) -> str:
        """as it was said, its first 2,000 characters: the opt-out on its own has all"""
        return held.raw[:RAW_CHARS]


class ReservationQuerySerializer(QuerySerializer):
    q = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    source = serializers.ChoiceField(  # type: ignore[assignment]  # the name is the wire's, not the class's
        choices=ReservationSource.choices, required=False, default=""
    )
    state = serializers.ChoiceField(choices=tuple(queries.STATES), required=False, default="")


class Names(serializers.ListField):
    """Names, at most `MAX_NAMED`, or as many as are said."""

    def __init__(self, *, most: int = MAX_NAMED, **options: Any) -> None:
        child = serializers.CharField(max_length=1000)
        super().__init__(child=child, required=False, default=list, max_length=most, **options)


class DeclareSerializer(serializers.Serializer[Any]):
    organisation = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=200,
        help_text="where it is to bind; a label may name one that knows it as a party",
    )
    party = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)
    recordings = Names(
        most=MAX_DECLARED,
        help_text="external ids, sha256 or ids; none, no ISRC and no dataset: all that the party holds",
    )
    isrcs = Names(most=MAX_DECLARED)
    dataset = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=100,
        help_text="all that it holds, and comes to hold",
    )
    right = serializers.ChoiceField(choices=ReservedRight.choices, default=ReservedRight.BOTH)
    purposes = serializers.ListField(
        child=serializers.ChoiceField(choices=PURPOSES), required=False, default=list, help_text="none: all"
    )
    territory = Names()
    declared_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="default: now"
    )
    evidence_url = serializers.URLField(required=False, default="", allow_blank=True, max_length=2000)


class SnapshotSerializer(serializers.Serializer[Any]):
    """What was fetched, as it was. Nothing is fetched by this request."""

    organisation = OrganisationField()
    kind = serializers.ChoiceField(choices=("auto", *KINDS), default="auto")
    name = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    url = serializers.URLField(max_length=2000)
    fetched_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    content = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    headers = serializers.DictField(
        child=serializers.CharField(max_length=4000), required=False, default=dict
    )


class ReservedSerializer(serializers.Serializer[Any]):
    reservation = serializers.UUIDField()
    status = serializers.CharField(help_text="registered or duplicate")
    source = serializers.CharField()  # type: ignore[assignment]
    right = serializers.CharField()
    purposes = serializers.ListField(child=serializers.CharField())
    location = serializers.CharField()
    declared_at = serializers.DateTimeField()
    recordings = serializers.IntegerField()
    note = serializers.CharField()


class RecordedSerializer(serializers.Serializer[Any]):
    snapshot_sha256 = serializers.CharField()
    reservations = ReservedSerializer(many=True)
    problems = serializers.ListField(child=serializers.CharField())
    no_longer_said = serializers.ListField(child=serializers.UUIDField())


class KeptSnapshotSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    url = serializers.CharField()
    sha256 = serializers.CharField()
    fetched_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    content_base64 = serializers.CharField()


REFUSALS = {403: NOT_YOURS, 409: NOT_NOW, 422: UNREADABLE}


@extend_schema(tags=["opt-outs"])
@extend_schema_view(
    list=extend_schema(
        parameters=[ReservationQuerySerializer],
        description="Opt-outs, newest first; a label sees those of its own parties elsewhere too.",
    ),
    retrieve=extend_schema(responses={200: ReservationSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=DeclareSerializer,
        responses={200: ReservedSerializer, 201: ReservedSerializer, **REFUSALS},
        description="Declare an opt-out: stewards and officers for anybody, a label auditor for her own label.",
    ),
)
class ReservationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Reservation]):
    order = newest("declared_at")

    def get_serializer_class(self) -> type[ReservationSerializer]:
        return ListedReservationSerializer if self.action == "list" else ReservationSerializer

    def get_queryset(self) -> QuerySet[Reservation]:
        return queries.with_counts(access.reservations_for_reading(self.caller))

    def narrowed(self, rows: QuerySet[Reservation]) -> QuerySet[Reservation]:
        return queries.narrowed(rows, **self.asked(ReservationQuerySerializer))

    def get_object(self) -> Reservation:
        return access.reservation_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(DeclareSerializer, request.data)
        outcome = declaring.declare_reservation(
            organisation=_where(self.person, asked.pop("organisation"), asked["party"]),
            declaration=Declaration(**{name: _fixed(value) for name, value in asked.items()}),
            by=self.person,
            now=timezone.now(),
        )
        fresh = outcome.status == "registered"
        code = status.HTTP_201_CREATED if fresh else status.HTTP_200_OK
        return Response(ReservedSerializer(_line(outcome)).data, status=code)

    @extend_schema(
        request=SnapshotSerializer,
        responses={200: RecordedSerializer, **REFUSALS},
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def snapshots(self, request: Request, **_: Any) -> Response:
        """Record what a site published: kept as it was, and bound to what was got from there."""
        asked = validated(SnapshotSerializer, request.data)
        snapshot = Snapshot(
            asked["content"].encode(),
            asked["name"],
            asked["url"],
            asked["fetched_at"],
            tuple(asked["headers"].items()),
        )
        recorded = reserving.record_snapshot(
            snapshot=snapshot,
            kind=asked["kind"],
            organisation=organisation_for(self.person, asked["organisation"]),
            by=self.person,
            now=timezone.now(),
        )
        line = {
            "snapshot_sha256": recorded.document.sha256,
            "reservations": [_line(outcome) for outcome in recorded.outcomes],
            "problems": recorded.problems,
            "no_longer_said": [held.public_id for held in recorded.gone],
        }
        return Response(RecordedSerializer(line).data)

    @extend_schema(responses={200: KeptSnapshotSerializer, 404: NOT_HERE})
    @action(detail=True, pagination_class=None)
    def snapshot(self, request: Request, **_: Any) -> Response:
        """The file as it was kept. Each reading is a line of the ledger."""
        document = self.get_object().document
        if document is None:
            raise NotFoundError("Nothing was kept of this opt-out but its words.")
        content = open_evidence(document=document, by=self.person, now=timezone.now())
        line = {
            **{
                name: getattr(document, name)
                for name in ("name", "url", "sha256", "fetched_at", "received_at")
            },
            "content_base64": base64.b64encode(content).decode(),
        }
        return Response(KeptSnapshotSerializer(line).data)

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 404: NOT_HERE})
    @action(detail=True, pagination_class=None)
    def odrl(self, request: Request, **_: Any) -> Response:
        """The opt-out as an ODRL 2.2 offer that prohibits."""
        return Response(queries.odrl_of(self.get_object()))

    @extend_schema(
        request=ReasonSerializer,
        responses={200: ReservationSerializer, 404: NOT_HERE, 403: NOT_YOURS, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def withdraw(self, request: Request, **_: Any) -> Response:
        """End it: a compliance officer, or the label auditor of the party that declared it."""
        held = declaring.withdraw_reservation(
            reservation=self.get_object(),
            by=self.person,
            reason=validated(ReasonSerializer, request.data)["reason"],
            now=timezone.now(),
        )
        return Response(self.get_serializer(held).data)


def _line(outcome: Reserved) -> dict[str, Any]:
    return {**outcome.as_json(), "declared_at": outcome.reservation.declared_at}


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _where(person: User, name: str, party: str) -> Organisation:
    """Return the organisation named: one of the caller's, or one that knows the caller's label by that name."""
    try:
        return organisation_for(person, name)
    except NotFoundError:
        for known in Party.objects.filter(organisation__name=name, name=party).select_related("organisation"):
            if declaring.parties_spoken_for(person, known.organisation).filter(pk=known.pk).exists():
                return known.organisation
        raise


class MemoSerializer(RowSerializer[ExceptionMemo]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    recordings = serializers.SerializerMethodField()

    class Meta:
        model = ExceptionMemo
        fields = (
            *("id", "organisation", "provision", "purposes", "territory", "valid_from", "valid_until"),
            *("signed_by", "lawful_access", "text", "recorded_at", "withdrawn_at", "withdrawal_reason"),
            "recordings",
        )

    def get_recordings(self, memo: ExceptionMemo) -> int:
        """how many it is about"""
        counted = getattr(memo, "n_recordings", None)
        return memo.subjects.count() if counted is None else int(counted)


class RecordMemoSerializer(serializers.Serializer[Any]):
    organisation = OrganisationField()
    provision = serializers.CharField(max_length=300, help_text="the statute and its article")
    signed_by = serializers.CharField(max_length=300, help_text="a person's name")
    lawful_access = serializers.CharField(max_length=5000)
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=PURPOSES), min_length=1)
    territory = Names()
    valid_from = serializers.DateField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateField(required=False, allow_null=True, default=None, help_text="exclusive")
    text = serializers.CharField(required=False, default="", allow_blank=True, max_length=100_000)
    recordings = Names()
    dataset = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)


@extend_schema(tags=["opt-outs"])
@extend_schema_view(
    list=extend_schema(description="Memos, newest first, for those who read legal advice."),
    retrieve=extend_schema(responses={200: MemoSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=RecordMemoSerializer,
        responses={201: MemoSerializer, 403: NOT_YOURS, 404: NOT_HERE},
        description="Record a named person's memo. Compliance officers only.",
    ),
)
class MemoViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[ExceptionMemo]):
    order = newest("recorded_at")
    serializer_class = MemoSerializer

    def get_queryset(self) -> QuerySet[ExceptionMemo]:
        return queries.memos_with_counts(access.memos_for_reading(self.caller))

    def narrowed(self, rows: QuerySet[ExceptionMemo]) -> QuerySet[ExceptionMemo]:
        self.asked(QuerySerializer)
        return rows

    def get_object(self) -> ExceptionMemo:
        return access.memo_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(RecordMemoSerializer, request.data)
        organisation = organisation_for(self.person, asked.pop("organisation"))
        terms = MemoTerms(**{name: _fixed(value) for name, value in asked.items()})
        memo = memos.record_memo(terms=terms, organisation=organisation, by=self.person, now=timezone.now())
        return Response(self.get_serializer(memo).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=ReasonSerializer, responses={200: MemoSerializer, 404: NOT_HERE, 403: NOT_YOURS, 409: NOT_NOW}
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def withdraw(self, request: Request, **_: Any) -> Response:
        """End it: nothing is cleared by it any more, of the past either, and answers that rested on it say so."""
        memo = self.get_object()
        house.require(self.person, memo.organisation, house.DECIDES, "withdraw a memo")
        reason = validated(ReasonSerializer, request.data)["reason"]
        memo = memos.withdraw_memo(memo=memo, by=self.person, reason=reason, now=timezone.now())
        return Response(self.get_serializer(memo).data)

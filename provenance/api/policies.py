"""The part of the API about clearance policies: what holds, what held, what would change, and proposing."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance.api import NOT_HERE, NOT_NOW, NOT_YOURS, UNREADABLE, HouseViewSet, organisation_for, validated
from governance.keyset import newest
from governance.models import Organisation, Policy
from governance.serializers import OrganisationField, QuerySerializer, RowSerializer
from provenance import access, queries, services
from provenance.queries import policies, previews
from provenance.rights.changes import reading_changes
from provenance.rights.policy import ClearancePolicy, policy_from_json
from provenance.rights.values import PURPOSES

BODY = "As `manage.py show_policy --json` prints it: readings, overrides, conditions, weak_evidence, …"


class PolicySerializer(RowSerializer[Policy]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    state = serializers.SerializerMethodField()
    in_force_from = serializers.DateTimeField(source="adopted_at", read_only=True, allow_null=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True)
    reference = serializers.CharField(source="__str__", read_only=True)
    body = serializers.DictField(read_only=True)

    class Meta:
        model = Policy
        fields: tuple[str, ...] = (
            "id",
            "organisation",
            "reference",
            "name",
            "version",
            "state",
            "in_force_from",
            "sha256",
            "body",
            "created_by",
            "created_at",
        )

    def get_state(self, policy: Policy) -> str:
        """in_force, proposed, superseded or rejected"""
        return policies.state_of(policy)


class PolicyQuerySerializer(QuerySerializer):
    organisation = OrganisationField()
    name = serializers.CharField(required=False, max_length=100)


class CurrentQuerySerializer(QuerySerializer):
    organisation = OrganisationField()
    at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="in force at that instant; default: now"
    )


class CurrentPolicySerializer(serializers.Serializer[Any]):
    """The reading that holds, or held: ``id`` is null where the organisation has adopted none of its own."""

    organisation = serializers.CharField()
    reference = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)
    in_force_from = serializers.DateTimeField(allow_null=True)
    sha256 = serializers.CharField()
    body = serializers.DictField()


class PreviewRequestSerializer(serializers.Serializer[Any]):
    policy = serializers.DictField(help_text=BODY)
    organisation = OrganisationField()
    purpose = serializers.ChoiceField(choices=PURPOSES, default=PURPOSES[0])
    commercial = serializers.BooleanField(default=True)
    territory = serializers.CharField(required=False, default="", allow_blank=True, max_length=20)


class ProposeSerializer(serializers.Serializer[Any]):
    policy = serializers.DictField(help_text=BODY)
    reason = serializers.CharField(max_length=5000)
    organisation = OrganisationField()


class ProposedSerializer(PolicySerializer):
    review = serializers.UUIDField(read_only=True, help_text="answer it at `/reviews/{id}/decide/`")

    class Meta(PolicySerializer.Meta):
        fields = (*PolicySerializer.Meta.fields, "review")


class CountsSerializer(serializers.Serializer[Any]):
    allowed = serializers.IntegerField()
    constrained = serializers.IntegerField()
    unknown = serializers.IntegerField()
    not_allowed = serializers.IntegerField()


class MoveSerializer(serializers.Serializer[Any]):
    """How many recordings go from one answer to another."""

    to = serializers.CharField()
    recordings = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.CharField(), **super().get_fields()}


class DatasetPreviewSerializer(serializers.Serializer[Any]):
    dataset = serializers.CharField()
    id = serializers.UUIDField()
    recordings = serializers.IntegerField()
    before = CountsSerializer()
    after = CountsSerializer()
    changed = serializers.IntegerField()
    other_conditions = serializers.IntegerField(help_text="the same answer under other conditions")
    moves = MoveSerializer(many=True)


class ReadingChangeSerializer(serializers.Serializer[Any]):
    licence = serializers.CharField()
    axis = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    conditions_before = serializers.ListField(child=serializers.CharField())
    conditions_after = serializers.ListField(child=serializers.CharField())
    direction = serializers.CharField(help_text="stricter or looser")


class PreviewSerializer(serializers.Serializer[Any]):
    replaces = serializers.CharField()
    datasets = DatasetPreviewSerializer(many=True)
    readings = ReadingChangeSerializer(many=True)


@extend_schema(tags=["policies"])
@extend_schema_view(
    list=extend_schema(
        parameters=[PolicyQuerySerializer],
        description="Every policy that was proposed, adopted or not, newest first.",
    ),
    retrieve=extend_schema(responses={200: PolicySerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=ProposeSerializer,
        responses={
            201: ProposedSerializer,
            403: NOT_YOURS,
            409: NOT_NOW,
            422: OpenApiResponse(
                UNREADABLE.response, "It names what does not exist; the sentence says where."
            ),
        },
        description="Propose a policy. Nothing is read by it until a compliance officer who did not propose it "
        "approves the review.",
    ),
)
class PolicyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Policy]):
    serializer_class = PolicySerializer
    order = newest("created_at")

    def get_queryset(self) -> QuerySet[Policy]:
        return policies.policies_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Policy]) -> QuerySet[Policy]:
        asked = self.asked(PolicyQuerySerializer)
        if name := asked.pop("organisation"):
            rows = rows.filter(organisation__name=name)
        return rows.filter(**asked)

    def get_object(self) -> Policy:
        return policies.policy_for_reading(self.caller, self.public_id)

    @extend_schema(
        parameters=[CurrentQuerySerializer],
        responses={200: CurrentPolicySerializer, 403: NOT_YOURS, 404: NOT_HERE},
    )
    @action(detail=False, pagination_class=None)
    def current(self, request: Request, **_: Any) -> Response:
        """The policy in force, or that was in force at an instant: what clearing as of then is answered by."""
        asked = self.asked(CurrentQuerySerializer)
        organisation = organisation_for(self.person, asked["organisation"])
        adoption = queries.adoption_of(organisation, at=asked["at"])
        policy = queries.policy_of(organisation, at=asked["at"])
        line = {
            "organisation": organisation.name,
            "reference": policy.reference,
            "id": adoption.policy.public_id if adoption else None,
            "in_force_from": adoption.in_force_from if adoption else None,
            "sha256": policy.sha256,
            "body": policy.as_json(),
        }
        return Response(CurrentPolicySerializer(line).data)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(ProposeSerializer, request.data)
        organisation = self._where(asked)
        policy, review = services.propose_policy(
            organisation=organisation,
            policy=policy_from_json(asked["policy"]),
            reason=asked["reason"],
            by=self.person,
            now=timezone.now(),
        )
        kept = policies.policy_for_reading(self.caller, policy.public_id)
        line = {**PolicySerializer(kept).data, "review": str(review.public_id)}
        return Response(line, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=PreviewRequestSerializer,
        responses={200: PreviewSerializer, 403: NOT_YOURS, 409: NOT_NOW, 422: UNREADABLE},
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request, **_: Any) -> Response:
        """What a policy would change, and nothing written. Clears every recording twice: this takes seconds."""
        asked = validated(PreviewRequestSerializer, request.data)
        organisation = self._where(asked)
        policy = policy_from_json(asked["policy"])
        services.check_proposal(organisation, policy)
        return Response(PreviewSerializer(self._preview(organisation, policy, asked)).data)

    def _where(self, asked: dict[str, Any]) -> Organisation:
        organisation = organisation_for(self.person, asked["organisation"])
        house.require(self.person, organisation, house.PROPOSES_POLICIES, "propose a policy")
        return organisation

    def _preview(
        self, organisation: Organisation, policy: ClearancePolicy, asked: dict[str, Any]
    ) -> dict[str, Any]:
        now = timezone.now()
        use = queries.use_for(
            purpose=asked["purpose"], commercial=asked["commercial"], territory=asked["territory"], at=now
        )
        before = queries.policy_of(organisation, at=now)
        datasets = access.datasets_for_reading(self.caller).filter(organisation=organisation)
        return {
            "replaces": before.reference,
            "datasets": [
                one.as_json()
                for one in previews.preview(datasets.order_by("name"), before=before, after=policy, use=use)
            ],
            "readings": [
                {
                    "licence": change.licence,
                    "axis": change.axis,
                    "before": change.before.answer,
                    "after": change.after.answer,
                    "conditions_before": change.before.conditions,
                    "conditions_after": change.after.conditions,
                    "direction": change.direction,
                }
                for change in reading_changes(before, policy)
            ],
        }

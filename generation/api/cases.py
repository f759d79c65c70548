"""The part of the API that takes cases of rights holders in, decides and answers them."""

import json
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from generation import access, queries, services
from generation.models import Case, CaseKind
from generation.queries import impact
from generation.queries.aftermath import rights_now
from generation.serializers.cases import (
    AcceptSerializer,
    AnswerWordsSerializer,
    CaseDecideSerializer,
    CaseDecisionSerializer,
    CaseQuerySerializer,
    CaseSerializer,
    CaseTermsSerializer,
    EraseSerializer,
    FiledSerializer,
    FilingSerializer,
    FollowedSerializer,
    ImpactGraphSerializer,
    PublicFilingSerializer,
    SuggestionSerializer,
    WithdrawnSerializer,
    WithdrawSerializer,
)
from generation.services.cases import FILES, TRIAGES, Filed, Filing, UnclearCaseError
from generation.throttles import FilingThrottle, FollowingThrottle, TakingBackThrottle
from governance import access as house
from governance.api import (
    NOT_HERE,
    NOT_NOW,
    NOT_YOURS,
    HouseView,
    HouseViewSet,
    organisation_for,
    queued,
    validated,
)
from governance.errors import NotAllowedError, NotFoundError
from governance.keyset import by
from governance.models import Organisation, User
from governance.serializers import ProblemSerializer, ReasonSerializer
from provenance.access import grant_for_reading

UNCLEAR = OpenApiResponse(ProblemSerializer, "What was filed can't be worked with; the sentence says why.")
TOO_MANY = OpenApiResponse(ProblemSerializer, "Too many requests from this address.")
ANSWER = {
    (200, "application/json"): OpenApiTypes.OBJECT,
    404: NOT_HERE,
}
OWN_WORDS = ("kind", "holder", "contact", "holds", "words")


@extend_schema(tags=["cases"])
@extend_schema_view(
    list=extend_schema(
        parameters=[CaseQuerySerializer],
        description="Cases, those that are due first at the top. A label sees those that it filed. Who asked is "
        "null for whoever does not handle the case.",
    ),
    retrieve=extend_schema(responses={200: CaseSerializer, 404: NOT_HERE}),
    create=extend_schema(
        request=FilingSerializer,
        responses={201: FiledSerializer, 403: NOT_YOURS, 404: NOT_HERE, 422: UNCLEAR},
        description="File a case: a label for itself, a steward or officer for somebody. A label that revokes a "
        "grant it names revokes it at once.",
    ),
)
class CaseViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Case]):
    order = by("due_on")
    serializer_class = CaseSerializer
    queryset = Case.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        asks: dict[str, Any] = {"caller": self.caller, "reads_holders": {}, "today": timezone.now().date()}
        return {**super().get_serializer_context(), **asks}

    def get_queryset(self) -> QuerySet[Case]:
        return access.cases_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Case]) -> QuerySet[Case]:
        return rows.filter(**self.asked(CaseQuerySerializer))

    def get_object(self) -> Case:
        return access.case_for_reading(self.caller, self.public_id)

    def create(self, request: Request, **_: Any) -> Response:
        asked = validated(FilingSerializer, request.data)
        organisation = organisation_for(self.person, asked["organisation"])
        house.require(self.person, organisation, FILES, "file a case")
        grant = grant_for_reading(self.person, asked["grant"]) if asked["grant"] else None
        output = access.generation_for_reading(self.person, asked["output"]) if asked["output"] else None
        filing = Filing(
            **{name: asked[name] for name in OWN_WORDS}, **_named(asked), grant=grant, output=output
        )
        return _shown(request, _filed(filing, organisation, by=self.person))

    @extend_schema(responses={200: ImpactGraphSerializer, 403: NOT_YOURS, 404: NOT_HERE})
    @action(detail=True)
    def impact(self, request: Request, **_: Any) -> Response:
        """What was made with its recordings, with the contracts of the time. A label reads the answer instead."""
        case = self._inside()
        return Response(ImpactGraphSerializer(impact.graph_of(queries.recordings_of(case))).data)

    @extend_schema(
        responses={200: SuggestionSerializer(many=True), 403: NOT_YOURS, 404: NOT_HERE}, filters=False
    )
    @action(detail=True, pagination_class=None)
    def suggestions(self, request: Request, **_: Any) -> Response:
        """Recordings that it may be about, by ISRC, title, address, grant and sound."""
        case = self.get_object()
        house.require(self.person, case.organisation, TRIAGES, "see what a case may be about")
        return Response(SuggestionSerializer(queries.suggestions_for(case), many=True).data)

    @extend_schema(
        responses={200: CaseDecisionSerializer(many=True), 403: NOT_YOURS, 404: NOT_HERE}, filters=False
    )
    @action(detail=True, pagination_class=None)
    def decisions(self, request: Request, **_: Any) -> Response:
        """Every decision about a model, oldest first; the last about each counts."""
        case = self._inside()
        rows = case.decisions.select_related("model_version__model", "decided_by").order_by("id")
        return Response(CaseDecisionSerializer(rows, many=True).data)

    def _inside(self) -> Case:
        case = self.get_object()
        if not access.sees_inside(self.person, case):
            raise NotAllowedError("Of models, a label reads names and answers: /cases/ID/answer/.")
        return case

    @extend_schema(
        request=AcceptSerializer,
        responses={200: CaseSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW, 422: UNCLEAR},
    )
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, **_: Any) -> Response:
        """Link it to recordings and say how the holder's identity was checked: from now on it binds."""
        case = self.get_object()
        house.require(self.person, case.organisation, TRIAGES, "accept a case")
        asked = validated(AcceptSerializer, request.data)
        linked, missing = queries.recordings_named(asked["recordings"], case.organisation)
        if missing:
            raise UnclearCaseError(f"Nothing here goes by {', '.join(missing[:5])}.")
        accepted = services.accept_case(
            case=case,
            recordings=linked,
            verified_how=asked["verified_how"],
            kind=asked["kind"],
            grant=grant_for_reading(self.person, asked["grant"]) if asked["grant"] else None,
            by=self.person,
            now=timezone.now(),
        )
        return Response(self.get_serializer(accepted).data)

    @extend_schema(
        request=ReasonSerializer,
        responses={200: OpenApiTypes.OBJECT, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, **_: Any) -> Response:
        """Turn it down before it binds anything; the signed answer has the reason."""
        case = self.get_object()
        house.require(self.person, case.organisation, TRIAGES, "reject a case")
        reason = validated(ReasonSerializer, request.data)["reason"]
        answer = services.reject_case(case=case, reason=reason, by=self.person, now=timezone.now())
        return Response(json.loads(services.sealed_answer(answer)))

    @extend_schema(
        request=WithdrawSerializer,
        responses={200: WithdrawnSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW},
    )
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, **_: Any) -> Response:
        """Take one's own case back while nothing is decided.

        What it did to the rights stands, as `rights` says; with `reinstate` the grants that it ended are given again
        from today on, or the opt-out that it recorded is withdrawn.
        """
        asked = validated(WithdrawSerializer, request.data)
        held = services.withdraw_case(case=self.get_object(), by=self.person, now=timezone.now(), **asked)
        return Response(WithdrawnSerializer(held, context=self.get_serializer_context()).data)

    @extend_schema(
        request=EraseSerializer,
        responses={200: CaseSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW, 422: UNCLEAR},
    )
    @action(detail=True, methods=["post"], url_path="erase-contact")
    def erase_contact(self, request: Request, **_: Any) -> Response:
        """Erase who asked and how to reach them, once the case is closed. What was decided stays."""
        case = self.get_object()
        house.require(self.person, case.organisation, house.DECIDES, "erase who filed a case")
        reason = validated(EraseSerializer, request.data)["reason"]
        held = services.erase_contact(case=case, by=self.person, reason=reason, now=timezone.now())
        return Response(self.get_serializer(held).data)

    @extend_schema(
        request=CaseDecideSerializer,
        responses={200: CaseDecisionSerializer, 403: NOT_YOURS, 404: NOT_HERE, 409: NOT_NOW, 422: UNCLEAR},
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, **_: Any) -> Response:
        """Say what becomes of one model: retrain, block, negotiate, reject. Whoever filed the case cannot."""
        case = self.get_object()
        house.require(self.person, case.organisation, house.DECIDES, "decide a case")
        asked = validated(CaseDecideSerializer, request.data)
        decision = services.decide_case(
            case=case,
            version=access.model_version_for_reading(self.person, asked["model_version"]),
            remedy=asked["remedy"],
            reason=asked["reason"],
            until=asked["until"],
            by=self.person,
            now=timezone.now(),
        )
        return Response(CaseDecisionSerializer(decision).data)

    @extend_schema(methods=["GET"], responses=ANSWER)
    @extend_schema(
        methods=["POST"],
        request=AnswerWordsSerializer,
        responses={**ANSWER, 403: NOT_YOURS, 409: NOT_NOW},
    )
    @action(detail=True, methods=["get", "post"])
    def answer(self, request: Request, **_: Any) -> Response:
        """Read the newest signed answer; or, by POST, give it once every model is decided about."""
        case = self.get_object()
        if request.method == "POST":
            house.require(self.person, case.organisation, house.DECIDES, "answer a case")
            words = validated(AnswerWordsSerializer, request.data)["words"]
            services.answer_case(case=case, words=words, by=self.person, now=timezone.now())
        given = case.answers.first()
        if given is None:
            raise NotFoundError("The case is not answered yet.")
        return Response(json.loads(services.sealed_answer(given)))


def _filed(filing: Filing, organisation: Organisation, *, by: User | None) -> Filed:
    """File a case, and wake a worker to find what it may be about."""
    with transaction.atomic():
        now = timezone.now()
        filed = services.file_case(filing=filing, organisation=organisation, by=by, now=now)
        job = services.queue_listening(filed.case, now=now)
    if job is not None:
        queued(job)
    return filed


def _named(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(asked[name]) for name in ("isrcs", "titles", "urls")}


def _shown(request: Request, filed: Filed) -> Response:
    follow = reverse("generation:case-followed", args=[filed.case.reference, filed.secret])
    line = {
        "id": filed.case.public_id,
        "reference": filed.case.reference,
        "state": filed.case.state,
        "due_on": filed.case.due_on,
        "secret": filed.secret,
        "follow": request.build_absolute_uri(follow),
    }
    return Response(FiledSerializer(line).data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["cases"])
class PublicCaseView(HouseView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = (FilingThrottle,)

    @extend_schema(
        operation_id="public_cases_file",
        request=PublicFilingSerializer,
        responses={201: FiledSerializer, 404: NOT_HERE, 422: UNCLEAR, 429: TOO_MANY},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """File a case without a login. Keep the secret: it alone opens the case again."""
        asked = validated(PublicFilingSerializer, request.data)
        takers = queries.takes_cases()
        found = [one for one in takers if asked["organisation"] in ("", one.name)]
        if len(found) != 1:
            names = ", ".join(one.name for one in takers)
            raise NotFoundError(f"Name who is asked: {names}." if names else "Nobody takes cases here.")
        filing = Filing(**{name: asked[name] for name in OWN_WORDS}, **_named(asked))
        return _shown(request, _filed(filing, found[0], by=None))


@extend_schema(tags=["cases"])
class FollowedCaseView(HouseView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = (FollowingThrottle,)

    @extend_schema(
        operation_id="public_cases_follow",
        responses={200: FollowedSerializer, 404: NOT_HERE, 429: TOO_MANY},
        auth=[],
    )
    def get(self, request: Request, reference: str, secret: str) -> Response:
        """How far a case is, and its answer, for whoever has its secret."""
        return _followed(access.case_of_holder(reference, secret))


@extend_schema(tags=["cases"])
class WithdrawnCaseView(HouseView):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = (TakingBackThrottle,)

    @extend_schema(
        operation_id="public_cases_withdraw",
        request=WithdrawSerializer,
        responses={200: FollowedSerializer, 404: NOT_HERE, 409: NOT_NOW, 429: TOO_MANY},
        auth=[],
    )
    def post(self, request: Request, reference: str, secret: str) -> Response:
        """Take a case back while nothing is decided, for whoever has its secret. That alone permits nothing anew."""
        case = access.case_of_holder(reference, secret)
        asked = validated(WithdrawSerializer, request.data)
        return _followed(
            services.withdraw_case(case=case, by=None, secret=secret, now=timezone.now(), **asked)
        )


def _followed(case: Case) -> Response:
    given = case.answers.first()
    line = {
        "reference": case.reference,
        "organisation": case.organisation.name,
        "kind": case.kind,
        "state": case.state,
        "filed_at": case.filed_at,
        "due_on": case.due_on,
        "rights": rights_now(case),
        "answer": json.loads(services.sealed_answer(given)) if given else None,
    }
    answer = Response(FollowedSerializer(line).data)
    answer["Cache-Control"] = "private, no-store"
    return answer


@extend_schema(tags=["cases"])
class CaseTermsView(HouseView):
    @extend_schema(
        operation_id="case_terms_set",
        request=CaseTermsSerializer,
        responses={200: CaseTermsSerializer, 403: NOT_YOURS, 404: NOT_HERE},
    )
    def put(self, request: Request) -> Response:
        """Set in how many days cases are answered; what is left out stays. Open cases keep their day."""
        asked = validated(CaseTermsSerializer, request.data)
        organisation = organisation_for(self.person, asked["organisation"])
        named = {kind: f"{kind}_days" for kind in CaseKind.values}
        terms = services.set_case_terms(
            organisation=organisation,
            days={kind: asked[name] for kind, name in named.items() if name in asked},
            public_form=asked["public_form"],
            by=self.person,
            now=timezone.now(),
        )
        line = {name: getattr(terms, name) for name in (*named.values(), "public_form")}
        return Response({"organisation": organisation.name, **line})

"""The part of the API that governance answers, and what every part of it shares."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from knox.views import LoginView, LogoutAllView, LogoutView
from rest_framework import mixins, serializers, status
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated
from rest_framework.parsers import BaseParser, JSONParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from governance import access, jobs, ledger, services
from governance.errors import LinerNotesError, NotFoundError, PartMissingError
from governance.keyset import BySequence, Order, newest
from governance.models import Job, LedgerEvent, Member, Organisation, Review, Role, User
from governance.paging import Pages
from governance.serializers import (
    JobQuerySerializer,
    JobSerializer,
    LedgerEventSerializer,
    LedgerHeadSerializer,
    LedgerQuerySerializer,
    ProblemSerializer,
    ReviewQuerySerializer,
    ReviewSerializer,
    TokenSerializer,
    VerificationSerializer,
    WhoAmISerializer,
)
from governance.throttles import LoginAddressThrottle, LoginNameThrottle

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=Model)
FORM_BYTES = 100_000  # what a form may hold beside its file

WORKS = tuple(role for role in Role if role != Role.EXTERNAL_AUDITOR)  # an external auditor only reads

NOT_HERE = OpenApiResponse(ProblemSerializer, "It does not exist, or the caller may not know that it does.")
NOT_YOURS = OpenApiResponse(ProblemSerializer, "The caller's role does not include this.")
NOT_NOW = OpenApiResponse(ProblemSerializer, "The state of things forbids it; the sentence says what to do.")
UNREADABLE = OpenApiResponse(ProblemSerializer, "What was sent can't be read, or is unsafe.")
QUEUED = OpenApiResponse(JobSerializer, "A worker will do it: follow the job.")


class TooLargeError(LinerNotesError):
    code = "too_large"
    status = 413


class BoundedMultiPartParser(MultiPartParser):
    """Refuses a body by the length it announces, before a byte of it is kept."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit_bytes: int = settings.UPLOAD_MAX_BYTES + FORM_BYTES
        announced = int((parser_context or {})["request"].META.get("CONTENT_LENGTH") or 0)
        if announced > limit_bytes:
            raise TooLargeError(f"The request has {announced:,} bytes; at most {limit_bytes:,} are taken.")
        return super().parse(stream, media_type, parser_context)


class HouseView(APIView):
    """JSON only: there are pages for people."""

    renderer_classes = (JSONRenderer,)
    parser_classes: Sequence[type[BaseParser]] = (JSONParser,)

    @property
    def person(self) -> User:
        return person_of(self.request)

    @property
    def caller(self) -> User | AnonymousUser:
        """Who asks; while the schema is drawn, nobody."""
        return cast("User | AnonymousUser", getattr(self.request, "user", None) or AnonymousUser())


class HouseViewSet(HouseView, GenericViewSet[M]):
    """Rows under ``/{public_id}/``. Subclasses take them from ``access``, which answers 404 to strangers.

    Those with a list say its ``order``.
    """

    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    pagination_class = Pages
    order: Order

    @property
    def public_id(self) -> str:
        return str(self.kwargs["public_id"])

    def asked(self, question: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        return validated(question, self.request.query_params)

    def filter_queryset(self, queryset: Any) -> Any:
        return self.narrowed(queryset)

    def narrowed(self, rows: QuerySet[M]) -> QuerySet[M]:
        """Return the rows of a list that the query string asks for."""
        return rows

    def page(self, rows: QuerySet[Any], order: Order) -> list[Any]:
        """Return one page of rows that hang on this resource."""
        cast("Pages", self.paginator).order = order
        return list(self.paginate_queryset(rows) or ())

    def page_of(
        self, rows: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]], order: Order
    ) -> Response:
        """Answer with one."""
        context = self.get_serializer_context()
        return self.get_paginated_response(
            serializer(self.page(rows, order), many=True, context=context).data
        )


class FromFileViewSet(HouseViewSet[M]):
    """Rows that are created from a form with a file."""

    def get_parsers(self) -> list[BaseParser]:
        """Read a form where a file is sent; the action itself is not known yet when this is asked."""
        sends_a_file = (self.action_map or {}).get("post") == "create"
        return [BoundedMultiPartParser()] if sends_a_file else super().get_parsers()


def person_of(request: Request) -> User:
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def validated(serializer: type[serializers.Serializer[Any]], words: Any) -> dict[str, Any]:
    checked = serializer(data=words)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def organisation_for(person: User, name: str) -> Organisation:
    """Return the organisation that a request acts for: the one named, else the caller's first."""
    if not name:
        return services.home_organisation(person)
    found = [organisation for organisation in access.organisations_of(person) if organisation.name == name]
    if not found:
        raise NotFoundError(f"You are in no organisation {name!r}.")
    return found[0]


def queued(job: Job) -> Response:
    """Answer that a worker will do it. With the broker down the row waits, and the next sweep finds it."""
    try:
        jobs.enqueue(job)
    except PartMissingError as error:
        logger.warning("Job %s waits: %s", job.public_id, error)
    return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


@extend_schema(tags=["people"])
class WhoAmIView(HouseView):
    @extend_schema(responses=WhoAmISerializer, operation_id="whoami")
    def get(self, request: Request) -> Response:
        """Say who the caller is, and which roles they hold now."""
        members = Member.objects.current(timezone.now()).filter(user=self.person)
        who = {
            "id": self.person.public_id,
            "username": self.person.username,
            "memberships": members.select_related("organisation").order_by("organisation__name", "role"),
        }
        return Response(WhoAmISerializer(who).data)


@extend_schema_view(
    post=extend_schema(
        operation_id="login",
        tags=["people"],
        request=None,
        responses={200: TokenSerializer, 401: ProblemSerializer, 429: ProblemSerializer},
        description="Make a token from a name and a password (HTTP Basic). It is shown once; only its hash is kept.",
    )
)
class TokenLoginView(LoginView):  # type: ignore[misc]  # knox has no types
    authentication_classes = (BasicAuthentication,)
    renderer_classes = (JSONRenderer,)
    throttle_classes = (LoginAddressThrottle, LoginNameThrottle)

    def perform_authentication(self, request: Request) -> None:
        """Count the attempt before the password is looked at, so that wrong ones count."""
        super().check_throttles(request)
        super().perform_authentication(request)

    def check_throttles(self, request: Request) -> None:
        """Leave alone what was counted already."""

    def get_authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Liner Notes"'


@extend_schema_view(
    post=extend_schema(
        operation_id="logout",
        tags=["people"],
        request=None,
        responses={204: None, 401: ProblemSerializer},
        description="Forget the token that the request carries.",
    )
)
class TokenLogoutView(LogoutView):  # type: ignore[misc]
    renderer_classes = (JSONRenderer,)


@extend_schema_view(
    post=extend_schema(
        operation_id="logout_all",
        tags=["people"],
        request=None,
        responses={204: None, 401: ProblemSerializer},
        description="Forget every token of the caller.",
    )
)
class TokenLogoutAllView(LogoutAllView):  # type: ignore[misc]
    renderer_classes = (JSONRenderer,)


@extend_schema(tags=["jobs"])
@extend_schema_view(
    list=extend_schema(parameters=[JobQuerySerializer], description="Long work, newest first."),
    retrieve=extend_schema(responses={200: JobSerializer, 404: NOT_HERE}),
)
class JobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Job]):
    serializer_class = JobSerializer
    order = newest("asked_at")

    def get_queryset(self) -> QuerySet[Job]:
        return access.jobs_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Job]) -> QuerySet[Job]:
        return rows.filter(**self.asked(JobQuerySerializer))

    def get_object(self) -> Job:
        return access.job_for_reading(self.caller, self.public_id)

    @extend_schema(request=None, responses={200: JobSerializer, 403: NOT_YOURS, 404: NOT_HERE})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, **_: Any) -> Response:
        """Ask the job to stop: a waiting one is over at once, a running one at its next step."""
        job = self.get_object()
        services.stop_job(job=job, by=self.person, now=timezone.now())
        job.refresh_from_db()
        return Response(JobSerializer(job).data)


@extend_schema(tags=["reviews"])
@extend_schema_view(
    list=extend_schema(
        parameters=[ReviewQuerySerializer],
        description="Questions put to those who decide, newest first; `?decision=pending` is the queue.",
    ),
    retrieve=extend_schema(responses={200: ReviewSerializer, 404: NOT_HERE}),
)
class ReviewViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseViewSet[Review]):
    serializer_class = ReviewSerializer
    order = newest("asked_at")

    def get_queryset(self) -> QuerySet[Review]:
        return access.reviews_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[Review]) -> QuerySet[Review]:
        asked = self.asked(ReviewQuerySerializer)
        if subject := asked.pop("subject", None):
            asked["subject_id"] = subject
        return rows.filter(**asked)

    def get_object(self) -> Review:
        return access.review_for_reading(self.caller, self.public_id)


@extend_schema(tags=["ledger"])
@extend_schema_view(
    list=extend_schema(
        parameters=[LedgerQuerySerializer],
        operation_id="ledger_events",
        description="What was done in the caller's organisations, oldest first. `after=N` goes on behind event N: the "
        "marks of this list are the sequence itself.",
    )
)
class LedgerViewSet(mixins.ListModelMixin, HouseViewSet[LedgerEvent]):
    serializer_class = LedgerEventSerializer
    order = BySequence(("sequence",), named_by=())

    def get_queryset(self) -> QuerySet[LedgerEvent]:
        return access.events_for_reading(self.caller)

    def narrowed(self, rows: QuerySet[LedgerEvent]) -> QuerySet[LedgerEvent]:
        asked = self.asked(LedgerQuerySerializer)
        names = {"subject": "subject_id"}
        return rows.filter(**{names.get(name, name): value for name, value in asked.items()})


@extend_schema(tags=["ledger"])
class LedgerHeadView(HouseView):
    @extend_schema(responses=LedgerHeadSerializer, operation_id="ledger_head")
    def get(self, request: Request) -> Response:
        """How many events there are, and the hash of the last: kept elsewhere, it shows any rewriting."""
        n_events, head = ledger.head()
        return Response({"events": n_events, "head": head})


@extend_schema(tags=["ledger"])
class LedgerVerificationView(HouseView):
    throttle_scope = "check"

    @extend_schema(responses=VerificationSerializer, operation_id="ledger_verify")
    def get(self, request: Request) -> Response:
        """Walk the whole chain and name the first event that does not follow from the one before."""
        verified = ledger.verify()
        return Response(
            {
                "events": verified.n_events,
                "head": verified.head,
                "ok": verified.ok,
                "first_bad": verified.first_bad,
                "problem": verified.problem,
            }
        )

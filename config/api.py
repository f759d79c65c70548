"""Every address under /api/v1/."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.routers import SimpleRouter

from audit import api as audit
from generation.api import cases
from generation.api import making as generation
from governance import api as governance
from provenance.api import catalogues, claims, clearances, evidence, grants, policies, reservations
from provenance.api import datasets as provenance

app_name = "api"

router = SimpleRouter(use_regex_path=False)
router.register("datasets", provenance.DatasetViewSet, basename="dataset")
router.register("dataset-versions", provenance.VersionViewSet, basename="dataset-version")
router.register("recordings", provenance.RecordingViewSet, basename="recording")
router.register("conflicts", provenance.ConflictViewSet, basename="conflict")
router.register("grants", grants.GrantViewSet, basename="grant")
router.register("claims", claims.ClaimViewSet, basename="claim")
router.register("catalogues", catalogues.CatalogueViewSet, basename="catalogue")
router.register("catalogue-questions", catalogues.CatalogueQuestionViewSet, basename="catalogue-question")
router.register("policies", policies.PolicyViewSet, basename="policy")
router.register("reservations", reservations.ReservationViewSet, basename="reservation")
router.register("memos", reservations.MemoViewSet, basename="memo")
router.register("evidence", evidence.EvidenceViewSet, basename="evidence")
router.register("models", generation.ModelViewSet, basename="model")
router.register("model-versions", generation.ModelVersionViewSet, basename="model-version")
router.register("generations", generation.GenerationViewSet, basename="generation")
router.register("checks", generation.CheckViewSet, basename="check")
router.register("cases", cases.CaseViewSet, basename="case")
router.register("reviews", governance.ReviewViewSet, basename="review")
router.register("jobs", governance.JobViewSet, basename="job")
router.register("ledger/events", governance.LedgerViewSet, basename="ledger-event")
LISTS = [route for route in router.registry if "list" in dir(route[1])]


class RootView(governance.HouseView):
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        lists = {prefix: reverse(f"api:{name}-list", request=request) for prefix, _, name in LISTS}
        return Response({"schema": reverse("schema", request=request), **lists})


@csrf_exempt
def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer every address that nothing stands at, in the words of the API and to whoever asks."""
    detail = "There is nothing at this address: the lists are named at /api/v1/."
    return JsonResponse({"code": "not_found", "detail": detail}, status=404)


urlpatterns = [
    path("", RootView.as_view(), name="root"),
    path("whoami/", governance.WhoAmIView.as_view(), name="whoami"),
    path("tokens/login/", governance.TokenLoginView.as_view(), name="login"),
    path("tokens/logout/", governance.TokenLogoutView.as_view(), name="logout"),
    path("tokens/logout-all/", governance.TokenLogoutAllView.as_view(), name="logout-all"),
    path("ledger/head/", governance.LedgerHeadView.as_view(), name="ledger-head"),
    path("ledger/verification/", governance.LedgerVerificationView.as_view(), name="ledger-verification"),
    path("public/models/", audit.PublicModelListView.as_view(), name="public-model-list"),
    path("public/models/<uuid:public_id>/", audit.PublicModelView.as_view(), name="public-model"),
    path("datasets/<uuid:public_id>/matrix/", clearances.MatrixView.as_view(), name="dataset-matrix"),
    path(
        "recordings/<uuid:public_id>/matches/",
        generation.RecordingMatchViewSet.as_view({"get": "list"}),
        name="recording-matches",
    ),
    path(
        "recordings/<uuid:public_id>/impact/",
        generation.RecordingImpactView.as_view(),
        name="recording-impact",
    ),
    path("grants/<uuid:public_id>/impact/", generation.GrantImpactView.as_view(), name="grant-impact"),
    path("grants/<uuid:public_id>/revoke/", generation.GrantRevocationView.as_view(), name="grant-revoke"),
    path(
        "grants/<uuid:public_id>/reinstate/", grants.GrantReinstatementView.as_view(), name="grant-reinstate"
    ),
    path("case-terms/", cases.CaseTermsView.as_view(), name="case-terms"),
    path("public/cases/", cases.PublicCaseView.as_view(), name="public-case-list"),
    path("public/cases/<str:reference>/<str:secret>/", cases.FollowedCaseView.as_view(), name="public-case"),
    path(
        "public/cases/<str:reference>/<str:secret>/withdraw/",
        cases.WithdrawnCaseView.as_view(),
        name="public-case-withdraw",
    ),
    path("reviews/<uuid:public_id>/decide/", generation.ReviewDecisionView.as_view(), name="review-decide"),
    *router.urls,
]


class DescribedOnce(SchemaGenerator):
    """Describes the API once a process: the description is the same for everybody, and costs a third of a second."""

    def get_schema(self, request: Request | None = None, public: bool = False) -> Any:
        return _described()


@cache
def _described() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]

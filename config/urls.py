"""Every address of the product."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from config.api import DescribedOnce, nowhere
from governance import views as governance
from governance.signing_in import SignInView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", governance.home, name="home"),
    path("login/", SignInView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("", include("governance.urls")),
    path("", include("provenance.urls")),
    path("", include("generation.urls")),
    path("", include("audit.urls")),
    path("api/v1/", include("config.api")),
    path("api/v1/<path:rest>", nowhere, name="api-nowhere"),
    path("api/schema/", SpectacularAPIView.as_view(generator_class=DescribedOnce), name="schema"),
    path("styleguide/", governance.styleguide, name="styleguide"),
    path("healthz", governance.healthz, name="healthz"),
]

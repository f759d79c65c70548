"""Every address of the product."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from config.api import DescribedOnce, nowhere
from governance import views as governance

urlpatterns: list[URLPattern | URLResolver] = [
    path("", governance.home, name="home"),
    path("login/", LoginView.as_view(redirect_authenticated_user=False), name="login"),
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

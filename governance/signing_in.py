"""The page to sign in. Attempts count with those of the API: by address, and by the name that is tried."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse

from governance.errors import PartMissingError
from governance.throttles import FormNameThrottle, LoginAddressThrottle


class SignInView(LoginView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            counted = [throttle().allows(request) for throttle in (LoginAddressThrottle, FormNameThrottle)]
        except PartMissingError as error:
            return self._refused(str(error), error.status)
        if not all(counted):
            return self._refused("Too many attempts: try again in a minute.", 429)
        return super().post(request, *args, **kwargs)

    def _refused(self, why: str, status: int) -> HttpResponse:
        """Say why without a look at the password: what it is must not show in the answer."""
        form = AuthenticationForm(self.request, initial={"username": self.request.POST.get("username", "")})
        return self.render_to_response(self.get_context_data(form=form, refused=why), status=status)

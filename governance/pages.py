"""What every page shares: who asks, the whole page or its partial, and how a refusal is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Page, Paginator
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from governance.errors import LinerNotesError, NotAllowedError, NotFoundError
from governance.models import User

PAGE_SIZE = 50


class PersonRequest(HttpRequest):
    """A request that somebody signed in has sent."""

    user: User
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def page(view: View) -> View:
    """Ask strangers to sign in, and answer what the product refuses with a page that says so."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request)
        try:
            return view(request, *args, **kwargs)
        except LinerNotesError as error:
            return refusal(request, error)

    return answered


def refusal(request: HttpRequest, error: LinerNotesError) -> HttpResponse:
    """Say what happened: 404 tells nothing more, 403 the role that is missing, the rest what was kept."""
    template = {404: "404.html", 403: "403.html"}.get(error.status, "refused.html")
    context = {"exception": str(error), "status": error.status, "may_retry": error.transient}
    return render(request, template, context, status=error.status)


def show(
    request: HttpRequest, template: str, context: dict[str, Any], *, partial: str = "", status: int = 200
) -> HttpResponse:
    """Answer with the page, or, where htmx asks and the page has one, with that partial of it."""
    wants_part = bool(partial) and "HX-Request" in request.headers
    response = render(request, f"{template}#{partial}" if wants_part else template, context, status=status)
    if partial:
        patch_vary_headers(response, ["HX-Request"])
    return response


@contextmanager
def refusals_in(form: BaseForm, *others: type[Exception]) -> Iterator[None]:
    """Write what a service refuses into the form that asked; what is not there or not allowed stays a page."""
    try:
        yield
    except (NotFoundError, NotAllowedError):
        raise
    except LinerNotesError as error:
        form.add_error(None, _sentence(error))
    except others as error:
        form.add_error(None, _sentence(error))


def _sentence(error: Exception) -> str:
    """Write a refusal as a sentence: commands say it after the name of a row or a file, pages say it alone."""
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?', '…')) else '.'}"


def say(request: HttpRequest, sentence: str) -> None:
    messages.success(request, sentence)


def page_of(request: HttpRequest, rows: Any, *, size: int = PAGE_SIZE) -> Page[Any]:
    """Return the page that the address asks for; a number that makes no sense is the nearest that does."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


def _sign_in(request: HttpRequest) -> HttpResponse:
    to_login = redirect_to_login(request.get_full_path())
    if "HX-Request" in request.headers:
        return HttpResponseClientRedirect(to_login.url)
    return to_login

"""Checking a file that somebody brings, and the check's own page."""

from pathlib import Path
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import Prefetch
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from generation import access, jobs
from generation.forms.making import CheckForm
from generation.models import Check
from generation.views.making import watch
from generation.views.outputs import evidence_for
from governance import access as house
from governance.errors import NotFoundError
from governance.keyset import newest, slice_asked
from governance.models import Job, User
from governance.pages import PersonRequest, page, refusals_in, show
from provenance import media, storage
from provenance.access import datasets_for_reading


@require_safe
@page
def check_list(request: PersonRequest) -> HttpResponseBase:
    """Files that people brought; checks of outputs stand with the outputs."""
    named = Prefetch("against", datasets_for_reading(request.user))
    rows = access.checks_for_reading(request.user).filter(generation=None).prefetch_related(named)
    may_check = any(
        house.may(request.user, place, house.CHECKS) for place in house.organisations_of(request.user)
    )
    context = {"slice": slice_asked(request, rows, newest("checked_at")), "may_check": may_check}
    return show(request, "generation/checks.html", context, partial="rows")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def check_file(request: PersonRequest) -> HttpResponseBase:
    form = CheckForm(request.POST or None, request.FILES or None, user=request.user)
    if form.is_valid():
        with refusals_in(form):
            return watch(request, _queue_check(form, request.user))
    context = {"form": form, "n_places": len(form.places)}
    return show(request, "generation/check_file.html", context, status=422 if form.errors else 200)


def _queue_check(form: CheckForm, by: User) -> Job:
    organisation, names = form.chosen()
    return jobs.ask_check(
        sent=form.cleaned_data["file"], organisation=organisation, against=names, by=by, now=timezone.now()
    )


@require_safe
@page
def check(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.check_for_reading(request.user, public_id)
    if found.generation is not None and not found.control:
        return redirect("generation:output", found.generation.public_id)
    generation = found.generation
    context = {
        "check": found,
        "generation": generation,
        "evidence": evidence_for(request.user, found),
        "may_hear": access.may_hear(request.user, generation) if generation else bool(stored_name(found)),
    }
    return show(request, "generation/check.html", context)


def stored_name(check: Check) -> str:
    """Return where a file that was brought is kept: under the hash of its bytes; empty where it is not."""
    name = (
        storage.name_for(check.sha256, Path(check.file_name).suffix, room=jobs.CHECKED_ROOM)
        if check.sha256
        else ""
    )
    return name if name and default_storage.exists(name) else ""


@require_safe
@page
def check_audio(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    path = _heard(request, public_id)[0]
    return media.ranged(request, path, content_type="audio/mpeg")


@require_safe
@page
def check_peaks(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    path, found = _heard(request, public_id)
    return media.peaks_response(path, key=found.sha256)


def _heard(request: PersonRequest, public_id: UUID) -> tuple[Path, Check]:
    found = access.check_for_reading(request.user, public_id)
    stored = stored_name(found)
    if not stored:
        raise NotFoundError("The file of this check is not kept here.")
    return media.preview_of(stored, key=found.sha256), found

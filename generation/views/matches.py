"""One match of a check: its pictures, and what people say of it."""

from uuid import UUID

from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from generation import access, services
from generation.forms.making import JudgeForm
from generation.models import Check, MatchAnswer
from generation.queries.matches import anchor
from generation.views.checks import stored_name
from governance.errors import NotAllowedError, NotFoundError
from governance.models import User
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import drawing, media
from provenance.errors import AudioMissingError


@require_http_methods(["GET", "HEAD", "POST"])
@page
def match(request: PersonRequest, public_id: UUID, kind: str, rank: int) -> HttpResponseBase:
    """Show one match by itself, and keep what a person says it is."""
    found = access.match_for_reading(request.user, public_id, kind, rank)
    check = found.check_made
    form = JudgeForm(request.POST or None, auto_id=f"{anchor(found)}-%s")
    if request.method == "POST":
        services.require_judge(check, request.user)
        if form.is_valid():
            with refusals_in(form):
                services.judge_match(
                    match=found,
                    answer=MatchAnswer(form.cleaned_data["answer"]),
                    reason=form.cleaned_data["reason"],
                    by=request.user,
                    now=timezone.now(),
                )
                say(request, "What it is was recorded. Verdict and thresholds stand as they were.")
                return redirect(f"{_page_of(check)}#{anchor(found)}")
    found.is_silent = not access.hears_stretch(request.user, found)  # type: ignore[attr-defined]
    if access.may_judge(request.user, check):
        found.form = form  # type: ignore[attr-defined]
    generation = check.generation
    context = {
        "match": found,
        "check": check,
        "may_hear": access.may_hear(request.user, generation) if generation else bool(stored_name(check)),
    }
    return show(request, "generation/match.html", context, status=422 if form.errors else 200)


def _page_of(check: Check) -> str:
    if check.generation is None or check.control:
        return reverse("generation:check", args=[check.public_id])
    return reverse("generation:output", args=[check.generation.public_id])


@require_safe
@page
def picture(request: PersonRequest, public_id: UUID, kind: str, rank: int, name: str) -> HttpResponseBase:
    """Draw a side of a match; whoever may not hear either sound may not see it."""
    match = access.match_for_reading(request.user, public_id, kind, rank)
    if name not in drawing.NAMES:
        raise NotFoundError("There is no such picture.")
    check, recording = match.check_made, match.recording
    query = _sound_of(request.user, check)
    if not recording.audio:
        raise AudioMissingError("There is no audio of this recording here.")
    if not access.hears_stretch(request.user, match):
        raise NotAllowedError("You may read of the recording and not hear it, nor see its sound.")
    drawn = drawing.picture(
        name,
        query=query,
        reference=recording.audio,
        of=f"{check.sha256} {recording.sha256}",
        place={
            "query_start_s": match.query_start_s,
            "query_end_s": match.query_end_s,
            "reference_start_s": match.reference_start_s,
            "tempo_ratio": match.tempo_ratio,
            "pitch_shift_semitones": match.pitch_shift_semitones,
        },
    )
    return media.ranged(request, drawn, content_type="image/png", etag=f"{drawn.parent.stem}-{name}")


def _sound_of(user: User, check: Check) -> str:
    if check.generation is not None:
        return access.generation_for_hearing(user, check.generation.public_id).audio
    stored = stored_name(check)
    if not stored:
        raise NotFoundError("The file of this check is not kept here.")
    return stored

"""One match of a check: its pictures, and what people say of it."""

from uuid import UUID

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from generation import access
from generation.models import Check, Match
from generation.views.checks import stored_name
from governance.errors import NotAllowedError, NotFoundError
from governance.models import User
from governance.pages import PersonRequest, page
from provenance import drawing, media
from provenance.access import stretches_for_hearing
from provenance.errors import AudioMissingError


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
    if not hears_stretch(request.user, match):
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


def hears_stretch(user: User, match: Match) -> bool:
    """Tell whether a person may hear of the recording what the match says."""
    heard = stretches_for_hearing(user, match.recording)
    return heard is None or any(
        start_s <= match.reference_start_s and match.reference_end_s <= end_s for start_s, end_s in heard
    )


def _sound_of(user: User, check: Check) -> str:
    if check.generation is not None:
        return access.generation_for_hearing(user, check.generation.public_id).audio
    stored = stored_name(check)
    if not stored:
        raise NotFoundError("The file of this check is not kept here.")
    return stored

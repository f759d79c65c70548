"""What opt-outs and memos tell on other pages."""

from collections.abc import Mapping

from governance import slots
from governance.models import User
from provenance import access
from provenance.models import MemoRecording, Recording, ReservationRecording

SUBJECTS = {"reservation": "provenance:reservation"}
for kind, url_name in SUBJECTS.items():
    slots.subject_page(kind, url_name)


@slots.fill("recording", template="provenance/slots/reserved.html", order=5)
def reserved(user: User, recording: Recording) -> Mapping[str, object] | None:
    """Who reserved what in this recording, since when, and which memos say that a statute allows a use."""
    links = ReservationRecording.objects.filter(
        recording=recording, reservation__in=access.reservations_for_reading(user)
    )
    memos = MemoRecording.objects.filter(recording=recording, memo__in=access.memos_for_reading(user))
    found = {
        "links": list(
            links.select_related("reservation", "reservation__party").order_by("reservation__declared_at")
        ),
        "memos": list(memos.select_related("memo").order_by("memo__recorded_at")),
    }
    return found if any(found.values()) else None

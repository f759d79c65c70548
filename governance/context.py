"""What every page shows: where one can go from here, and in which role."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from governance.models import Member, User

PLACES = [
    ("Home", "home"),
    ("Datasets", "provenance:dataset-list"),
    ("Recordings", "provenance:recording-list"),
    ("Grants", "provenance:grant-list"),
    ("Catalogues", "provenance:catalogue-list"),
    ("Models", "generation:model-list"),
    ("Reviews", "governance:review-list"),
    ("Cases", "generation:case-list"),
    ("Reports", "audit:report-list"),
    ("Ledger", "governance:ledger"),
]
STRANGERS_PLACES = [("Model cards", "audit:gallery"), ("For rights holders", "generation:case-public")]
FOOTER = [
    ("Public model cards", "audit:gallery"),
    ("Licences", "provenance:licence-list"),
    ("Opt-outs", "provenance:reservation-list"),
    ("Jobs", "governance:job-list"),
    ("API", "schema"),
]


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return (label, url, current) for each place that whoever asks can open, and the role they hold."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"navigation": _places(request, STRANGERS_PLACES), "footer_navigation": []}
    return {
        "navigation": _places(request, PLACES),
        "footer_navigation": _known(FOOTER),
        "role_name": _role_of(user),
    }


def _places(request: HttpRequest, places: list[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    return [(label, url, _is_current(request, url)) for label, url in _known(places)]


def _known(places: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found = []
    for label, name in places:
        try:
            found.append((label, reverse(name)))
        except NoReverseMatch:
            continue
    return found


def _is_current(request: HttpRequest, url: str) -> bool:
    return request.path == url if url == "/" else request.path.startswith(url)


def _role_of(user: User) -> str:
    held = Member.objects.current(timezone.now()).filter(user=user).order_by("id")
    names = list(dict.fromkeys(_in_a_sentence(member.get_role_display()) for member in held))
    return names[0] if len(names) == 1 else f"{len(names)} roles" if names else ""


def _in_a_sentence(role: str) -> str:
    """A role is written small among other words; the ML of an ML engineer stays."""
    return role if role[:2].isupper() else role.lower()

"""What every page shows: where one can go from here."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

PLACES = [
    ("Home", "home"),
    ("Datasets", "provenance:dataset-list"),
    ("Grants", "provenance:grant-list"),
    ("Models", "generation:model-list"),
    ("Reviews", "governance:review-list"),
    ("Reports", "audit:report-list"),
    ("Ledger", "governance:ledger"),
]


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return (label, url, current) for each place the signed-in person can open."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {"navigation": []}
    places = []
    for label, name in PLACES:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        current = request.path == url if url == "/" else request.path.startswith(url)
        places.append((label, url, current))
    return {"navigation": places}

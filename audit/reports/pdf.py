"""A report on paper: the same page through WeasyPrint, with no way out to the network or the disk."""

from __future__ import annotations


class UnexpectedFetchError(RuntimeError):
    """The page asked for something that is not inside it."""


def render_pdf(html: str) -> bytes:
    """Print a page that ``render_html`` made.

    WeasyPrint and Pango are loaded here and not at import: the web process must start without them.

    Parameters
    ----------
    html : str
        A self-contained document.

    Returns
    -------
    bytes
        A tagged PDF with all faces embedded.

    Raises
    ------
    UnexpectedFetchError
        If the page refers to anything but ``data:`` URLs; nothing is fetched.
    """
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    refused: list[str] = []

    class InsideOnly(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> object:
            if not url.startswith("data:"):
                refused.append(url)
                raise UnexpectedFetchError(url)
            return super().fetch(url, headers)

    printed: bytes = HTML(string=html, url_fetcher=InsideOnly()).write_pdf(pdf_tags=True)
    if refused:
        raise UnexpectedFetchError(f"the page refers to {refused[0]}, which is outside it")
    return printed

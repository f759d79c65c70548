"""A server for browser tests: signing in without the form, and what is looked at on a page."""

import time
from collections.abc import Callable
from pathlib import Path

from django.test import Client
from playwright.sync_api import BrowserContext, Page

from governance.models import User

AXE = Path(__file__).resolve().parents[2] / "static" / "vendor" / "axe-core" / "axe.min.js"
FAULTS = """async () => {
  const runOnly = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run({ runOnly, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}"""


def sign_in(context: BrowserContext, url: str, user: User) -> None:
    client = Client()
    client.force_login(user)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])


def heard(page: Page) -> None:
    """Wait until every player of a page has its sound and its buttons."""
    for player in page.locator("pair-player").all():
        player.get_by_role("button", name="Play").first.wait_for()


def faults_of(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page, each with the element."""
    page.evaluate(AXE.read_text())  # a script tag would be refused by the page's own policy
    found: list[str] = page.evaluate(FAULTS)
    return found


def overflow_px(page: Page) -> int:
    """Return by how much the page is wider than the window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def cut_tables(page: Page) -> list[str]:
    """Return the tables that are wider than their place, by their names."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.table-scroll')].filter((one) => one.scrollWidth > one.clientWidth)"
        ".map((one) => one.getAttribute('aria-label'))"
    )
    return found


def wait_for(is_so: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Ask until it is so; playwright's own waiting needs eval, which the pages forbid."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.05)

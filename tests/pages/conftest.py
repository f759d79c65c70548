"""The scenes of the page tests, and a real headless Chromium that notices errors and whatever leaves the machine."""

import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.pages.generation_scene import House, a_house
from tests.pages.people import Shelf, a_shelf

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
MISSING = (
    "Chromium is not installed: run `apt-get install chromium` (or set SKIP_BROWSER=1 to skip these tests)"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> House:
    return a_house()


@pytest.fixture
def house(standing_house: House, db: None) -> House:
    return deepcopy(standing_house)


@pytest.fixture(scope="module")
def standing_shelf(shared_db: Path) -> Shelf:
    return a_shelf(shared_db)


@pytest.fixture
def shelf(standing_shelf: Shelf, db: None) -> Shelf:
    return deepcopy(standing_shelf)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if os.environ.get("SKIP_BROWSER") == "1":
        pytest.skip("SKIP_BROWSER=1")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.fail(MISSING)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright keeps an event loop in this thread
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()
        connections.close_all()  # beside a running loop Django keeps other ones, which the database would wait for


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh tab; fails at the end on a console error, an uncaught one, or a request to another machine."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    faults: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def watch(request: Request) -> None:
        if not request.url.startswith(("http://localhost:", "http://127.0.0.1:", "data:", "blob:")):
            faults.append(f"request: {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on("request", watch)
    yield page
    context.close()
    assert faults == []

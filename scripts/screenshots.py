"""Take the README's five screenshots from a running demo, in a headless Chromium.

Start ``make demo`` first and leave it up. Which model, output and report are shown is found on the pages
themselves: the model with the most flagged outputs, its first blocked output, the newest report.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
DATA_DIR = Path(os.environ.get("DATA_DIR") or ROOT / "var").expanduser()
ADDRESS = f"http://localhost:{os.environ.get('PORT', '8000')}"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SIZE: ViewportSize = {"width": 1440, "height": 900}
FLAGGED = re.compile(r"(\d+) of \d+ outputs flagged")


class NothingToShowError(Exception):
    """The installation has nothing that a screenshot could show; the message says what to do."""


def main() -> int:
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        print("Chromium is not installed: run `apt-get install chromium`.", file=sys.stderr)
        return 3
    try:
        passwords = json.loads((DATA_DIR / "demo" / "passwords.json").read_text())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_context(viewport=SIZE, device_scale_factor=1.5).new_page()
            take(page, ADDRESS, "officer", passwords["officer"], FOLDER)
            browser.close()
    except (OSError, KeyError, Error, NothingToShowError) as error:
        print(f"No screenshots: {error}. Start `make demo` first and leave it up.", file=sys.stderr)
        return 3
    return 0


def take(page: Page, address: str, username: str, password: str, folder: Path) -> list[Path]:
    """Sign in and take each screenshot; return the files."""
    sign_in(page, address, username, password)
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    for name, go in SHOWN.items():
        go(page, address)
        page.wait_for_load_state("networkidle")
        taken.append(folder / f"{name}.png")
        page.screenshot(path=taken[-1])
        print(taken[-1])
    return taken


def sign_in(page: Page, address: str, username: str, password: str) -> None:
    page.goto(f"{address}/login/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")


def home(page: Page, address: str) -> None:
    page.goto(f"{address}/")


def dataset(page: Page, address: str) -> None:
    page.goto(f"{address}/datasets/")
    follow(
        page, "main table a[href^='/datasets/'], main li a[href^='/datasets/']", "no dataset is registered"
    )


def model(page: Page, address: str) -> None:
    """Open the card of the model with the most flagged outputs."""
    page.goto(f"{address}/models/")
    flagged = [
        int(found[1]) if (found := FLAGGED.search(text)) else -1
        for text in page.locator("ul.gallery > li").all_inner_texts()
    ]
    if not flagged:
        raise NothingToShowError("no model is trained")
    page.locator("ul.gallery > li").nth(flagged.index(max(flagged))).locator("a.cover").click()


def output(page: Page, address: str) -> None:
    """Open the first blocked output, where its match is drawn."""
    page.goto(f"{address}/models/outputs/?verdict=blocked")
    follow(page, "#rows tbody th a", "no output is blocked")
    page.locator("pair-player").first.get_by_role("button", name="Play").wait_for()
    page.locator("#evidence-title").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#evidence-title').scrollIntoView()")


def report(page: Page, address: str) -> None:
    page.goto(f"{address}/reports/")
    follow(page, "#rows tbody th a", "no report is issued")


def follow(page: Page, links: str, without: str) -> None:
    if page.locator(links).count() == 0:
        raise NothingToShowError(without)
    page.locator(links).first.click()
    page.wait_for_load_state("load")


SHOWN: dict[str, Callable[[Page, str], None]] = {
    "home": home,
    "dataset": dataset,
    "model": model,
    "output": output,
    "report": report,
}

if __name__ == "__main__":
    sys.exit(main())

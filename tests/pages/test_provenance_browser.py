"""Pages of governance and provenance as a browser shows them: nothing wrong in the console, nothing sent away."""

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from governance.models import Job, JobState, User
from tests.pages.live import faults_of, overflow_px, sign_in, wait_for
from tests.pages.people import Shelf, a_frozen, a_shelf
from tests.pages.test_governance_pages import a_job, pages_of
from tests.pages.test_provenance_pages import url
from tests.people import a_conflict


@pytest.fixture
def shelf(transactional_db: None, tmp_path: Path) -> Shelf:
    return a_shelf(tmp_path)


def visit(page: Page, live_server: LiveServer, user: User, address: str) -> None:
    sign_in(page.context, live_server.url, user)
    page.goto(live_server.url + address)


def addresses(shelf: Shelf) -> dict[str, str]:
    version = a_frozen(shelf)
    conflict = a_conflict(shelf.dataset)
    review = reverse("governance:review", args=[version.review_id])
    return {
        **{name: address for name, address in pages_of(shelf).items() if name != "job"},
        "review": review,
        "datasets": url("dataset-list"),
        "dataset": url("dataset", shelf.dataset.public_id),
        "matrix": url("matrix", shelf.dataset.public_id),
        "evidence": url("licence-evidence", "CC-BY-SA-4.0"),
        "register": url("dataset-register"),
        "version": url("version", version.public_id),
        "recordings": url("recording-list"),
        "recording": url("recording", shelf.recording.public_id),
        "conflict": url("conflict", conflict.public_id),
        "grants": url("grant-list"),
        "grant": url("grant", shelf.grant.public_id),
        "licences": url("licence-list"),
        "licence": url("licence", "CC-BY-SA-4.0"),
    }


class TestPages:
    def test_pass_axe_and_fit_a_telephone(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        faults: dict[str, object] = {}
        for name, address in addresses(shelf).items():
            page.set_viewport_size({"width": 1440, "height": 900})
            visit(page, live_server, shelf.people.steward, address)
            if found := faults_of(page):
                faults[name] = found
            page.set_viewport_size({"width": 390, "height": 844})
            if (wider_px := overflow_px(page)) > 0:
                faults[f"{name} at 390 px"] = wider_px
        assert faults == {}

    def test_of_each_role_pass_axe_at_home(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        for person in shelf.people:
            visit(page, live_server, person, reverse("home"))
            assert faults_of(page) == [], person.username


class TestRecordingPage:
    def test_plays_from_where_one_points(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        visit(page, live_server, shelf.people.officer, url("recording", shelf.recording.public_id))
        page.locator("solo-player .wave").wait_for()
        expect(page.locator("solo-player .time span")).to_contain_text("0:06")
        page.locator("solo-player .wave").click(position={"x": 300, "y": 20})
        wait_for(lambda: page.locator("solo-player audio").evaluate("audio => audio.currentTime > 1"))

    def test_keeps_the_sound_without_script(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        assert page.context.browser is not None
        plain = page.context.browser.new_context(java_script_enabled=False)
        sign_in(plain, live_server.url, shelf.people.officer)
        bare = plain.new_page()
        bare.goto(live_server.url + url("recording", shelf.recording.public_id))
        expect(bare.locator("audio[controls]")).to_have_count(1)
        plain.close()


class TestDatasetPage:
    def test_answers_another_question_in_place(
        self, shelf: Shelf, live_server: LiveServer, page: Page
    ) -> None:
        visit(page, live_server, shelf.people.officer, url("dataset", shelf.dataset.public_id))
        rows = page.locator("#clearance tbody tr")
        expect(rows).to_have_count(3)
        page.get_by_label("Answer", exact=True).select_option("not_allowed")
        expect(rows).to_have_count(1)
        assert "answer=not_allowed" in page.url
        page.reload()
        expect(rows).to_have_count(1)

    def test_answers_the_same_without_script(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        assert page.context.browser is not None
        plain = page.context.browser.new_context(java_script_enabled=False)
        sign_in(plain, live_server.url, shelf.people.officer)
        bare = plain.new_page()
        bare.goto(live_server.url + url("dataset", shelf.dataset.public_id))
        bare.get_by_label("Answer", exact=True).select_option("not_allowed")
        bare.get_by_role("button", name="Ask").click()
        expect(bare.locator("#clearance tbody tr")).to_have_count(1)
        plain.close()

    def test_takes_the_officers_decision(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        visit(page, live_server, shelf.people.officer, url("dataset", shelf.dataset.public_id))
        page.get_by_label("Approve").check()
        page.get_by_label("Name the creators").check()
        page.get_by_label("Reason").fill("Read, and attribution can be given.")
        page.get_by_role("button", name="Record the decision").click()
        expect(page.locator(".message.success")).to_contain_text("recorded")
        expect(page.locator(".titles .mark")).to_contain_text("Approved")


class TestJobPage:
    def test_follows_the_job_to_its_end(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        job = a_job(shelf, state=JobState.RUNNING, n_done=1, n_total=4, message="1 of 4 recordings")
        visit(page, live_server, shelf.people.steward, reverse("governance:job", args=[job.public_id]))
        expect(page.locator(".progress .doing")).to_contain_text("1 of 4")
        Job.objects.update(state=JobState.DONE, outcome={"recordings": 4})
        expect(page.locator(".titles .mark")).to_contain_text("Done", timeout=15_000)
        expect(page.get_by_text("What came of it")).to_be_visible()


class TestLedgerPage:
    def test_verifies_in_place(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        visit(page, live_server, shelf.people.outsider, reverse("governance:ledger"))
        page.get_by_role("link", name="Verify the chain").click()
        expect(page.locator("#verification .message.success")).to_contain_text("follow from the first")


class TestSigningIn:
    def test_works_by_keyboard(self, shelf: Shelf, live_server: LiveServer, page: Page) -> None:
        page.goto(live_server.url + reverse("home"))
        page.get_by_label("Username").fill(shelf.people.officer.username)
        page.get_by_label("Password").fill("a long enough password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("House")

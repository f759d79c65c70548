"""Models, outputs and reports in a real Chromium: no fault, no request elsewhere, playable, readable for everybody."""

from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from audit import services as audit
from generation import services as generation
from generation.models import Match
from governance.models import Job, User
from tests.pages.generation_scene import House, a_house
from tests.pages.live import (
    cut_tables,
    faults_of,
    heard,
    overflow_px,
    sign_in,
    wait_for,
)

WIDTHS = (390, 1440)


@pytest.fixture
def house(transactional_db: None) -> House:
    return a_house(with_sound=True)


def visit(page: Page, live_server: LiveServer, user: User, url: str) -> None:
    sign_in(page.context, live_server.url, user)
    page.goto(live_server.url + url)
    heard(page)


class TestPages:
    def test_are_readable_by_everybody_and_fit_the_screen(
        self, house: House, live_server: LiveServer, page: Page, tmp_path: Path
    ) -> None:
        now = timezone.now()
        campaign = audit.run_memorisation_campaign(version=house.version, by=house.scene.engineer, now=now)
        report = audit.issue_report(
            version=house.version, out=tmp_path / "r", by=house.scene.officer, now=now
        )
        generation.publish_card(version=house.version, reason="Asked for.", by=house.scene.officer, now=now)
        version = house.version.public_id
        engineer, officer = house.scene.engineer, house.scene.officer
        cards = reverse("generation:model-version", args=[version])
        for user, url in [
            (officer, reverse("generation:model-list")),
            (officer, cards),
            (officer, reverse("generation:version-outputs", args=[version])),
            (officer, reverse("generation:output", args=[house.blocked.public_id])),
            (engineer, reverse("generation:generate", args=[version])),
            (engineer, reverse("generation:train")),
            (engineer, reverse("generation:run-list")),
            (officer, reverse("generation:check-file")),
            (officer, reverse("audit:report", args=[report.public_id])),
            (officer, reverse("audit:assessment", args=[report.assessment.public_id])),
            (officer, reverse("audit:campaign", args=[campaign.public_id])),
            (officer, reverse("audit:attest", args=[version, "raim", "1-02"])),
            (officer, reverse("audit:publish", args=[version])),
            (officer, reverse("audit:gallery")),
            (officer, reverse("audit:public-card", args=[version])),
            (officer, reverse("governance:review-list")),
            (officer, reverse("home")),
            (engineer, reverse("home")),
        ]:
            visit(page, live_server, user, url)
            assert faults_of(page) == [], url
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                assert overflow_px(page) <= 0, f"{url} at {width}"
                assert url not in (reverse("home"), cards) or cut_tables(page) == [], f"{url} at {width}"

    def test_print_the_report_page_and_open_the_report_itself(
        self, house: House, live_server: LiveServer, page: Page, tmp_path: Path
    ) -> None:
        report = audit.issue_report(
            version=house.version, out=tmp_path / "r", by=house.scene.officer, now=timezone.now()
        )
        visit(page, live_server, house.scene.officer, reverse("audit:report", args=[report.public_id]))
        page.get_by_text("Signature verified now").wait_for()
        page.get_by_role("link", name="Read it").click()
        page.wait_for_url("**/report.html")
        assert "night-drive" in page.title()


class TestPairPlayer:
    def test_plays_the_output_and_jumps_to_the_same_moment_of_its_source(
        self, house: House, live_server: LiveServer, page: Page
    ) -> None:
        tune = Match.objects.get(check_made=house.check_of(house.blocked))
        tune.pk, tune.kind, tune.score = None, "composition", 0.5
        tune.save()
        visit(
            page,
            live_server,
            house.scene.officer,
            reverse("generation:output", args=[house.blocked.public_id]),
        )
        player = page.locator("pair-player").first
        player.get_by_role("button", name="To the match", exact=True).wait_for()
        assert player.locator(".stretch").count() == 3  # one in the output, two in the recording
        player.get_by_role("button", name="To the match", exact=True).click()
        player.get_by_role("button", name="Jump to the other").click()
        source = player.locator("audio").nth(1)
        wait_for(lambda: abs(float(source.evaluate("audio => audio.currentTime")) - 20) < 0.2)
        player.get_by_role("button", name="Play").click()
        wait_for(lambda: float(source.evaluate("audio => audio.currentTime")) > 20.2)
        page.keyboard.press("n")  # to the next match
        wait_for(
            lambda: page.locator("article.match").nth(1).evaluate("one => one === document.activeElement")
        )
        page.keyboard.press("p")
        wait_for(
            lambda: page.locator("article.match").first.evaluate("one => one === document.activeElement")
        )

    def test_leaves_sound_without_script(self, house: House, live_server: LiveServer, page: Page) -> None:
        browser = page.context.browser
        assert browser is not None
        plain = browser.new_context(java_script_enabled=False)
        sign_in(plain, live_server.url, house.scene.officer)
        bare = plain.new_page()
        bare.goto(live_server.url + reverse("generation:output", args=[house.blocked.public_id]))
        assert bare.locator("audio[controls]").count() == 3
        assert bare.get_by_role("button", name="Record the decision").is_visible()
        plain.close()


class TestFilters:
    def test_narrow_the_outputs_without_a_new_page(
        self, house: House, live_server: LiveServer, page: Page
    ) -> None:
        url = reverse("generation:version-outputs", args=[house.version.public_id])
        visit(page, live_server, house.scene.officer, url)
        page.evaluate("window.kept = true")
        page.get_by_label("Verdict").select_option("blocked")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**verdict=blocked**")
        expect(page.locator("#rows tbody tr")).to_have_count(1)
        assert page.evaluate("window.kept")


class TestGenerate:
    def test_leads_from_the_form_to_the_progress(
        self, house: House, live_server: LiveServer, page: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.jobs._send", lambda public_id, queue: None)
        visit(
            page,
            live_server,
            house.scene.engineer,
            reverse("generation:generate", args=[house.version.public_id]),
        )
        page.get_by_label("How many").fill("2")
        page.get_by_role("button", name="Make and check them").click()
        page.locator("job-progress").get_by_text("Waiting for a worker").wait_for()
        assert Job.objects.get().arguments["n"] == 2


class TestDecide:
    def test_is_done_on_the_output_page(self, house: House, live_server: LiveServer, page: Page) -> None:
        visit(
            page,
            live_server,
            house.scene.officer,
            reverse("generation:output", args=[house.blocked.public_id]),
        )
        page.get_by_label("Refuse it").check()
        page.get_by_label("Reason").fill("Nine seconds of it are Frozen Jam.")
        page.get_by_role("button", name="Record the decision").click()
        page.get_by_text("The output is refused.").wait_for()
        assert page.get_by_text("Nine seconds of it are Frozen Jam.").is_visible()

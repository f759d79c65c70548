"""Cases in a real Chromium: every page is readable for everybody and fits the screen."""

from pathlib import Path
from typing import Any

from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from generation import services
from generation.models import Case, CaseKind, CaseState, GenerationState
from tests.generation.case_scene import NOW, a_case_house, filed, opened
from tests.pages.live import faults_of, overflow_px, sign_in

FORM = {"kind": "opt_out", "holder": "Ana Lua", "contact": "ana@lua.example", "isrcs": "GB-AAA-26-00000"}


class TestInChromium:
    def test_every_page_is_readable_and_fits(
        self,
        transactional_db: None,
        live_server: LiveServer,
        page: Page,
        tmp_path: Path,
        settings: Any,
    ) -> None:
        settings.KEY_DIR = tmp_path / "keys"
        house = a_case_house(tmp_path)
        house.output_like(house.recordings[0], state=GenerationState.RELEASED)
        case = opened(house, kind=CaseKind.REVOKE, grant=house.grant, words="We end this.")
        asked = filed(house, titles=("Song Quay",))
        inquiry = filed(house, kind=CaseKind.INQUIRY)
        services.accept_case(
            case=inquiry.case, recordings={}, verified_how="By letter.", by=house.steward, now=NOW
        )
        services.answer_case(case=inquiry.case, words="In none.", by=house.officer, now=NOW)
        assert Case.objects.get(pk=inquiry.case.pk).state == CaseState.ANSWERED
        for user, url in [
            (house.officer, reverse("generation:case-list")),
            (house.officer, reverse("generation:case", args=[case.public_id])),
            (house.steward, reverse("generation:case", args=[asked.case.public_id])),
            (house.officer, reverse("generation:case-terms", args=[house.organisation.public_id])),
            (house.label, reverse("generation:case-file")),
            (None, reverse("generation:case-public")),
            (None, reverse("generation:case-followed", args=[inquiry.case.reference, inquiry.secret])),
        ]:
            page.context.clear_cookies()
            if user is not None:
                sign_in(page.context, live_server.url, user)
            page.goto(live_server.url + url)
            assert faults_of(page) == [], url
            for width in (390, 1440):
                page.set_viewport_size({"width": width, "height": 900})
                assert overflow_px(page) <= 0, f"{url} at {width}"

"""Pages of rights in a browser: quiet, passing axe, and no wider than a telephone."""

from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from provenance import services
from provenance.intake.claims import claim_of
from provenance.models import CatalogueRow, Grant, Party
from provenance.services.claiming import register_claim_rows
from provenance.services.declaring import Declaration, declare_reservation
from provenance.services.memos import MemoTerms, record_memo
from tests.pages.live import faults_of, overflow_px, sign_in
from tests.pages.people import Shelf, a_shelf
from tests.pages.test_catalogue_pages import matched

LONG = "Gesellschaft zur Verwertung musikalischer Aufführungs- und mechanischer Vervielfältigungsrechte " * 2


@pytest.fixture
def shelf(transactional_db: None, tmp_path: Path) -> Shelf:
    return a_shelf(tmp_path)


def url(name: str, *args: object) -> str:
    return reverse(f"provenance:{name}", args=args)


def a_long_deal(shelf: Shelf, folder: Path) -> Grant:
    deal = folder / "long.csv"
    deal.write_text(
        "licensor,licensee,right,recordings,purposes,master_territory,chain_of_title,attribution\n"
        f"{LONG[:180]},House,both,cellar,ai_generative_training,EU,Anna > {LONG[:180]},{LONG}\n"
    )
    people = shelf.people
    outcomes = services.register_grants(
        source=deal, by=people.steward, organisation=people.house, now=timezone.now()
    )
    return outcomes[0].grants[0]


def addresses(shelf: Shelf, folder: Path) -> dict[str, str]:
    people, now = shelf.people, timezone.now()
    grant = a_long_deal(shelf, folder)
    words = {"party": LONG[:180], "right": "master", "share": "60", "recordings": ["cellar"]}
    register_claim_rows(rows=[claim_of(1, words)], by=people.steward, organisation=people.house, now=now)
    held = declare_reservation(
        declaration=Declaration(party=LONG[:180]), organisation=people.house, by=people.steward, now=now
    ).reservation
    memo = MemoTerms("Article 3", "Dr Ada Counsel", LONG, ("data_mining",), ("EU",), dataset="folk")
    record_memo(terms=memo, organisation=people.house, by=people.officer, now=now)
    recording = grant.subjects.get().recording
    return {
        "grants": url("grant-list"),
        "deal": url("grant", grant.public_id),
        "deal by hand": url("grant-deal"),
        "deals from a file": url("grant-register"),
        "party": url("party", grant.licensor.public_id),
        "claims": url("claim", recording.public_id),
        "opt-outs": url("reservation-list"),
        "opt-out": url("reservation", held.public_id),
        "record an opt-out": url("reservation-record"),
        "declare an opt-out": url("reservation-declare"),
        "who asked": url("catalogue-asked"),
    }


def faults_at(page: Page, address: str) -> list[str]:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(address)
    found = faults_of(page)
    page.set_viewport_size({"width": 390, "height": 844})
    if (wider_px := overflow_px(page)) > 0:
        found.append(f"{wider_px} px wider than a telephone")
    return found


class TestPages:
    def test_of_rights_pass_axe_and_fit_a_telephone(
        self, shelf: Shelf, live_server: LiveServer, page: Page, tmp_path: Path
    ) -> None:
        sign_in(page.context, live_server.url, shelf.people.steward)
        found = {
            name: faults_at(page, live_server.url + address)
            for name, address in addresses(shelf, tmp_path).items()
        }
        sign_in(page.context, live_server.url, shelf.people.officer)
        for name in ("memo-list", "memo-record"):
            found[name] = faults_at(page, live_server.url + url(name))
        assert {name: faults for name, faults in found.items() if faults} == {}

    def test_of_catalogues_pass_axe_and_fit_a_telephone(
        self, shelf: Shelf, live_server: LiveServer, page: Page, tmp_path: Path
    ) -> None:
        catalogue = matched(shelf.people, shelf.dataset, tmp_path)
        CatalogueRow.objects.filter(catalogue=catalogue, row=2).update(title=LONG[:180], artist=LONG[:180])
        sign_in(page.context, live_server.url, shelf.people.auditor)
        row = CatalogueRow.objects.filter(catalogue=catalogue).order_by("row")[0]
        found = {
            address: faults_at(page, live_server.url + address)
            for address in (
                url("catalogue-list"),
                url("catalogue-bring"),
                url("catalogue", catalogue.public_id),
                url("catalogue-row", row.public_id),
            )
        }
        assert {address: faults for address, faults in found.items() if faults} == {}


class TestAParty:
    def test_is_identified_by_its_organisations_name(
        self, shelf: Shelf, live_server: LiveServer, page: Page
    ) -> None:
        sign_in(page.context, live_server.url, shelf.people.officer)
        page.goto(live_server.url + url("grant", shelf.grant.public_id))
        page.get_by_role("link", name="Cellar Records").click()
        page.get_by_label("It is the organisation").fill("Elsewhere")
        page.get_by_role("button", name="Record who it is").click()
        expect(page.locator(".message.success")).to_contain_text("Cellar Records is Elsewhere")
        assert Party.objects.get(name="Cellar Records").stands_for == shelf.people.elsewhere

"""Notes and tracker modules heard on a telephone, and pages that long names do not push sideways."""

import csv
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from provenance import services
from provenance.models import Dataset, DatasetEntry, DatasetKind, Party, Recording
from tests import signals
from tests.pages.live import faults_of, overflow_px, sign_in, wait_for
from tests.pages.people import a_shelf
from tests.pages.test_provenance_browser import addresses
from tests.people import People, found_people

LONG = (
    "X" * 200,
    "שיר ארוך מאוד על הים והרוח " * 7,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2,
)
WIDEST = """[...document.querySelectorAll('main *')]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.table-scroll'))
  .map(one => `${one.tagName}.${one.className}`).slice(0, 6)"""


@pytest.fixture
def people(transactional_db: None, tmp_path: Path) -> People:
    """A house that has registered notes in a MIDI file, and a tracker module."""
    people = found_people()
    signals.write_midi(tmp_path / "tune.mid", signals.melody(16), title="Notes")
    signals.write_module(tmp_path / "tune.mod")
    table = tmp_path / "tunes.csv"
    with table.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["path", "title", "licence", "licence_scope"])
        rows.writerows([["tune.mid", "Notes", "CC0-1.0", "all"], ["tune.mod", "Module", "CC0-1.0", "all"]])
    services.register(
        name="tunes",
        kind=DatasetKind.TRAINING,
        source=table,
        format="csv",
        root=tmp_path,
        by=people.steward,
        organisation=people.house,
        now=timezone.now(),
    )
    return people


class TestPreview:
    @pytest.mark.parametrize("kind", ["symbolic", "tracker"])
    def test_plays_on_a_telephone(
        self, people: People, live_server: LiveServer, page: Page, kind: str
    ) -> None:
        """The fixture fails at the end on any console error or request that leaves the machine."""
        recording = Recording.objects.get(kind=kind)
        page.set_viewport_size({"width": 390, "height": 844})
        sign_in(page.context, live_server.url, people.officer)
        page.goto(live_server.url + reverse("provenance:recording", args=[recording.public_id]))
        page.locator("solo-player .wave").wait_for()
        audio = page.locator("solo-player audio")
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: float(audio.evaluate("audio => audio.currentTime")) > 0.3)
        assert audio.evaluate("audio => audio.readyState") >= 2
        assert audio.evaluate("audio => audio.duration") == pytest.approx(recording.seconds, abs=0.5)
        assert audio.evaluate("audio => audio.error") is None
        assert overflow_px(page) <= 0


class TestLongNames:
    def test_push_no_page_sideways(
        self,
        transactional_db: None,
        tmp_path: Path,
        live_server: LiveServer,
        page: Page,
    ) -> None:
        shelf = a_shelf(tmp_path)
        places = addresses(shelf)
        for recording, name in zip(Recording.objects.order_by("id"), LONG, strict=True):
            Recording.objects.filter(pk=recording.pk).update(title=name[:200], artist=name[:200])
            DatasetEntry.objects.filter(recording=recording).update(title=name[:200], artist=name[:200])
        for party in Party.objects.all():
            Party.objects.filter(pk=party.pk).update(name=f"{party.pk}{'Y' * 200}")
        Dataset.objects.update(name="folk-" + "z" * 90)
        sign_in(page.context, live_server.url, shelf.people.steward)
        faults = {}
        for name, address in places.items():
            page.goto(live_server.url + address)
            for width in (390, 1440):
                page.set_viewport_size({"width": width, "height": 844})
                if (wider_px := overflow_px(page)) > 0:
                    faults[f"{name} at {width} px"] = (wider_px, page.evaluate(WIDEST))
        page.goto(live_server.url + places["dataset"])
        assert faults_of(page) == []
        assert faults == {}

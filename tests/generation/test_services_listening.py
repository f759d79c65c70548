"""What a case may be about by the titles that it names: as catalogues are matched, and never by force."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from django.core.cache import cache
from django.utils import timezone

from generation import queries, services
from generation.models import Case
from generation.services.listening import LISTEN
from governance import services as governance
from governance.models import Job
from provenance.similarity.fingerprint import AudioFingerprint
from tests.generation.case_scene import CaseHouse, a_case_house, filed
from tests.people import client_of


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> CaseHouse:
    found = a_case_house(shared_db)
    for recording in found.recordings:
        recording.title, recording.artist = recording.title.removeprefix("Song "), "Cellar Choir"
        recording.save(update_fields=["title", "artist"])
        recording.entries.update(title=recording.title, artist=recording.artist)
    return found


@pytest.fixture
def house(standing_house: CaseHouse, db: None) -> CaseHouse:
    cache.clear()
    return deepcopy(standing_house)


def suggested(house: CaseHouse, *titles: str, holder: str = "Ana Lua") -> dict[str, str]:
    """Return the titles of what a case is found to be about, each with why."""
    case = filed(house, titles=titles, isrcs=(), holder=holder).case
    services.listen_to_case(case=case, by=governance.system_user(), now=timezone.now())
    case.refresh_from_db()
    return {one.recording.title: "; ".join(one.because) for one in queries.suggestions_for(case)}


class TestTitles:
    @pytest.mark.parametrize(
        "written", ["harbour", "HARBOUR!", "Harbour (2011 Remaster)", "Härbour", "Harbour [Official Video]"]
    )
    def test_are_found_as_they_are_spelt_elsewhere(self, house: CaseHouse, written: str) -> None:
        assert "the title alone agrees" in suggested(house, written)["Harbour"]

    @pytest.mark.parametrize(
        "written", ["Cellar Choir - Harbor", "Harbor – Cellar Choir", "The Cellar Choir - Harbour"]
    )
    def test_with_their_artist_may_be_misspelt(self, house: CaseHouse, written: str) -> None:
        assert "title and artist agree" in suggested(house, written)["Harbour"]

    def test_of_the_holder_who_is_the_artist(self, house: CaseHouse) -> None:
        assert "title and artist agree" in suggested(house, "Harbor", holder="Cellar Choir")["Harbour"]

    @pytest.mark.parametrize("written", ["Harbour (Live)", "Harbour Part 2", "Harbor", "Dockside", "–"])
    def test_of_another_recording_suggest_nothing(self, house: CaseHouse, written: str) -> None:
        assert suggested(house, written) == {}

    def test_name_nobody(self, house: CaseHouse) -> None:
        suggested(house, "Harbour", holder="Ana Lua")
        assert "Ana Lua" not in str(Case.objects.get().heard)


class TestFingerprints:
    def test_of_an_older_method_are_told_and_titles_looked_for_all_the_same(self, house: CaseHouse) -> None:
        case = filed(house, titles=("Harbour",), isrcs=()).case
        made = bytearray(AudioFingerprint.of_items(np.zeros((30, 2), dtype=np.uint32)).packed)
        made[6] = 1
        case.fingerprint = bytes(made)
        case.save(update_fields=["fingerprint"])

        services.listen_to_case(case=case, by=governance.system_user(), now=timezone.now())

        case.refresh_from_db()
        assert "make it anew from the audio" in case.heard_problem
        assert case.heard


class TestQueueListening:
    def test_looks_for_titles_without_a_sound(self, house: CaseHouse) -> None:
        case = filed(house, titles=("Harbour",), isrcs=()).case
        job = services.queue_listening(case, now=timezone.now())
        assert job is not None
        assert services.queue_listening(filed(house).case, now=timezone.now()) is None

    def test_is_done_for_what_the_api_files(self, house: CaseHouse) -> None:
        asked = {"kind": "opt_out", "holder": "Cellar", "contact": "a@cellar.example", "titles": ["Harbour"]}
        for client, where in ((client_of(None), "public/cases/"), (client_of(house.steward), "cases/")):
            assert client.post(f"/api/v1/{where}", asked, format="json").status_code == 201
        assert Job.objects.filter(kind=LISTEN).count() == 2

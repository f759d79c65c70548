"""What a match shows to whoever judges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.urls import reverse

from generation import access, services
from generation.models import Check, Match
from generation.queries import matches as queries_matches
from generation.queries.matches import anchor
from generation.templatetags.figures import probability
from governance import ledger
from governance.models import LedgerEvent, Review
from provenance import drawing
from provenance.media import NotPlayableError
from tests.audit import scene as rows
from tests.pages.generation_scene import House, add_sound
from tests.pages.test_generation_pages import client_of

PATH = [[1.5, 21.0, 0.95], [3.0, 22.5, 0.93], [4.0, 44.0, 0.31]]


@pytest.fixture
def match(house: House) -> Match:
    found = Match.objects.get(check_made=house.check_of(house.blocked))
    found.details |= {"path": PATH, "elsewhere_mean": 0.09, "elsewhere_most": 0.27, "n_elsewhere": 70}
    found.save(update_fields=["details"])
    return found


def page_of(house: House, generation_id: Any) -> str:
    url = reverse("generation:output", args=[generation_id])
    return " ".join(client_of(house.scene.officer).get(url).content.decode().split())


def picture_url(match: Match, name: str = "chroma-query") -> str:
    return reverse(
        "generation:match-picture", args=[match.check_made.public_id, match.kind, match.rank, name]
    )


class TestMatchOnAPage:
    def test_draws_the_path_and_says_what_it_shows(self, house: House, match: Match) -> None:
        text = page_of(house, house.blocked.public_id)

        assert text.count('class="dot') >= len(PATH)
        assert "70 other places of the recording agree by 0.09 on average and 0.27 at most" in text
        assert "not calibrated" in text

    def test_gives_the_probability_where_there_is_one(self, house: House, match: Match) -> None:
        Match.objects.filter(pk=match.pk).update(p_value=0.0004, p_kind="extrapolated")

        text = page_of(house, house.blocked.public_id)

        assert "0.0004" in text
        assert "extrapolated" in text

    @pytest.mark.parametrize(
        ("value", "said"),
        [(None, "–"), (0.25, "0.2"), (0.00031, "0.0003"), (2.6e-5, "0.00003"), (1e-9, "≤ 0.000001")],
    )
    def test_writes_a_probability_out(self, value: float | None, said: str) -> None:
        assert probability(value) == said

    def test_shows_pictures_where_both_may_be_heard(self, house: House, match: Match) -> None:
        assert picture_url(match) not in page_of(house, house.blocked.public_id)  # there is no sound yet
        add_sound(house)
        assert picture_url(match) in page_of(house, house.blocked.public_id)

    def test_shows_the_chroma_of_a_composition_and_no_alignment_of_a_style(
        self, house: House, match: Match
    ) -> None:
        add_sound(house)
        said = {"column": "harmony", "agreement": 7.25, "margin": 3.1, "alike": 4, "common": True}
        Match.objects.filter(pk=match.pk).update(kind="composition", details=said)
        text = page_of(house, house.blocked.public_id)
        assert "agreement of the harmony" in text
        assert "so many that it is common material" in text
        assert "chroma-query.png" in text
        assert "spectrogram-query.png" not in text

        Match.objects.filter(pk=match.pk).update(kind="style")
        text = page_of(house, house.blocked.public_id)
        assert "chroma-query.png" not in text
        assert "an influence, never a finding" in text

    def test_tells_two_kinds_of_likeness_of_one_recording_apart(self, house: House, match: Match) -> None:
        match.pk, match.kind, match.details = None, "composition", {}
        match.save()

        assert page_of(house, house.blocked.public_id).count('<article class="match"') == 2


class TestPicture:
    @pytest.fixture
    def drawn(self, tmp_path: Path) -> Any:
        png = tmp_path / "key.pair" / "chroma-query.png"
        png.parent.mkdir()
        png.write_bytes(b"\x89PNG")
        with mock.patch.object(drawing, "picture", return_value=png) as called:
            yield called

    def test_is_drawn_where_the_sounds_meet(self, house: House, match: Match, drawn: Any) -> None:
        add_sound(house)

        response = client_of(house.scene.officer).get(picture_url(match))

        assert (response.status_code, response["Content-Type"]) == (200, "image/png")
        assert drawn.call_args.kwargs["place"]["reference_start_s"] == match.reference_start_s

    def test_is_not_shown_to_whoever_may_not_hear(self, house: House, match: Match, drawn: Any) -> None:
        add_sound(house)

        assert client_of(house.people["label_auditor"]).get(picture_url(match)).status_code in {403, 404}
        assert client_of(house.stranger).get(picture_url(match)).status_code == 404
        assert not drawn.called

    def test_is_not_shown_to_a_guest_who_may_hear_another_stretch(
        self, house: House, match: Match, drawn: Any
    ) -> None:
        for heard, is_heard in ((None, True), ((), False), (((0.0, 25.0),), False), (((10.0, 40.0),), True)):
            with mock.patch("generation.access.stretches_for_hearing", return_value=heard):
                assert access.hears_stretch(house.stranger, match) is is_heard  # of 20 to 29 s

    def test_needs_a_sound_and_a_name(self, house: House, match: Match, drawn: Any) -> None:
        client = client_of(house.scene.officer)

        assert client.get(picture_url(match)).status_code == 409  # no audio here
        assert client.get(picture_url(match, "other")).status_code == 404
        assert client.get(picture_url(Match(check_made=Check(), kind="style", rank=9))).status_code == 404


class TestDrawing:
    PLACE = {"query_start_s": 0.0, "query_end_s": 4.0, "reference_start_s": 20.0}

    def test_is_done_once_by_a_child(self, house: House) -> None:
        add_sound(house)
        given = {"query": house.blocked.audio, "reference": house.recording.audio, "of": "these"}
        house.blocked.refresh_from_db()
        house.recording.refresh_from_db()
        given |= {"query": house.blocked.audio, "reference": house.recording.audio}

        first = drawing.picture("chroma-query", place=self.PLACE, **given)

        assert first.read_bytes().startswith(b"\x89PNG")
        with mock.patch.object(drawing, "_draw") as again:
            assert drawing.picture("spectrogram-reference", place=self.PLACE, **given).exists()
        assert not again.called

    @pytest.mark.parametrize(
        ("status", "error"), [(2, NotPlayableError), (1, drawing.NotDrawnError), (-9, drawing.NotDrawnError)]
    )
    def test_says_why_there_is_none(self, house: House, status: int, error: type[Exception]) -> None:
        add_sound(house)
        house.blocked.refresh_from_db()
        ended = mock.Mock(returncode=status, stderr="no sound")
        with mock.patch("provenance.drawing.subprocess.run", return_value=ended), pytest.raises(error):
            drawing.picture(
                "chroma-query",
                query=house.blocked.audio,
                reference=house.blocked.audio,
                of=f"failed {status}",
                place=self.PLACE,
            )


class TestJudging:
    GIVEN = {"answer": "not_a_copy", "reason": "Only the drum loop is the same."}

    def url(self, match: Match) -> str:
        return reverse("generation:match", args=[match.check_made.public_id, match.kind, match.rank])

    def test_leads_back_to_the_output_where_it_is_read(self, house: House, match: Match) -> None:
        client = client_of(house.scene.officer)
        assert "Say what it is" in page_of(house, house.blocked.public_id)

        response = client.post(self.url(match), self.GIVEN)

        assert response["Location"].endswith(f"{house.blocked.public_id}/#{anchor(match)}")
        text = page_of(house, house.blocked.public_id)
        assert "Only the drum loop is the same." in text
        assert "Not a copy" in text
        assert "1 of 1 match above the threshold was judged, 1 dismissed" in text

    def test_is_read_beside_the_question_of_release(self, house: House, match: Match) -> None:
        client = client_of(house.scene.officer)
        client.post(self.url(match), self.GIVEN)
        services.review_of_output(house.blocked, by=house.scene.steward, now=rows.NOW)
        review = Review.objects.get(subject_id=house.blocked.public_id)

        text = client.get(reverse("governance:review", args=[review.public_id])).content.decode()

        assert "Only the drum loop is the same." in text

    def test_moves_neither_verdict_nor_state(self, house: House, match: Match) -> None:
        client_of(house.scene.officer).post(self.url(match), self.GIVEN)

        house.blocked.refresh_from_db()
        match.refresh_from_db()
        assert house.blocked.state == "held"
        assert house.check_of(house.blocked).verdict == "blocked"
        assert match.accepted

    def test_asks_for_a_reason(self, house: House, match: Match) -> None:
        response = client_of(house.scene.officer).post(self.url(match), {"answer": "not_a_copy"})

        assert response.status_code == 422
        assert "Say in a sentence why." in response.content.decode()
        assert not match.judgements.exists()

    def test_is_not_offered_to_whoever_may_not(self, house: House, match: Match) -> None:
        url = reverse("generation:output", args=[house.blocked.public_id])
        assert "Say what it is" not in client_of(house.people["ml_engineer"]).get(url).content.decode()
        assert client_of(house.people["ml_engineer"]).post(self.url(match), self.GIVEN).status_code == 403

    def test_is_kept_in_the_ledger_without_its_words(self, house: House, match: Match) -> None:
        client_of(house.scene.officer).post(self.url(match), self.GIVEN)

        event = LedgerEvent.objects.get(kind="generation.match.judged")
        judgement = match.judgements.get()
        assert event.body["answer"] == "not_a_copy"
        assert event.body["reason_commitment"] == ledger.commitment(judgement.reason, judgement.salt)
        assert "drum" not in str(event.body)

    def test_is_refused_to_who_made_the_output(self, house: House, match: Match) -> None:
        house.blocked.made_by = house.scene.officer
        house.blocked.save(update_fields=["made_by"])

        assert client_of(house.scene.officer).post(self.url(match), self.GIVEN).status_code == 403
        assert "Say what it is" not in page_of(house, house.blocked.public_id)

    def test_takes_the_newest_word_and_keeps_the_older(self, house: House, match: Match) -> None:
        client = client_of(house.scene.officer)
        client.post(self.url(match), self.GIVEN)
        client.post(self.url(match), {"answer": "same_recording", "reason": "With headphones I hear it."})

        assert [one["answer"] for one in queries_matches.judged(match.check_made)] == ["same_recording"]
        text = client.get(self.url(match)).content.decode()
        assert text.index("With headphones I hear it.") < text.index("Only the drum loop is the same.")

    def test_is_done_and_read_by_the_api(self, house: House, match: Match) -> None:
        client = client_of(house.scene.officer)
        url = f"/api/v1/checks/{match.check_made.public_id}/"

        made = client.post(
            f"{url}judge/", {"kind": "recording", "rank": 1, **self.GIVEN}, content_type="application/json"
        )

        assert made.status_code == 201
        (read,) = client.get(url).json()["matches"]
        assert read["judgements"][0]["verdict"] == "dismissed"
        assert read["judgements"][0]["reason"] == self.GIVEN["reason"]

    def test_is_not_read_by_a_label_that_reads_the_match(self, house: House, match: Match) -> None:
        client_of(house.scene.officer).post(self.url(match), self.GIVEN)

        assert not access.judgements_for_reading(house.people["label_auditor"]).exists()
        assert access.judgements_for_reading(house.people["ml_engineer"]).exists()

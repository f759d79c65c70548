"""Pages of deals and claims: registered by hand, opened on the record, seen by whom they name."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.models import LedgerEvent, User
from provenance.models import Grant, Party, RightsClaim
from provenance.rights.terms import catalogue
from provenance.rights.values import PURPOSES
from tests.pages.people import Shelf

pytestmark = pytest.mark.django_db


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"provenance:{name}", args=args)


def a_deal(**more: object) -> dict[str, object]:
    return {
        "licensor": "Meadow Ltd",
        "licensee": "House",
        "right": "master",
        "recordings": "meadow\nharbour",
        "purposes": [PURPOSES[0]],
        "commercial": "on",
        "territory": "EU; CH",
        "valid_until": "2035-01-01",
        **more,
    }


class TestADealByHand:
    def test_is_registered_with_its_agreement(self, shelf: Shelf) -> None:
        sent = SimpleUploadedFile("deal.txt", b"We allow it.")
        client = client_of(shelf.people.steward)
        response = client.post(url("grant-deal"), a_deal(agreement=sent), follow=True)

        grant = Grant.objects.get(licensor__name="Meadow Ltd")
        assert (grant.territory, grant.subjects.count()) == (["EU", "CH"], 2)
        assert grant.agreement is not None
        text = response.content.decode()
        assert "EU (European Union), CH (Switzerland)" in text
        opened = client.get(url("grant-agreement", grant.public_id))
        assert opened.content == b"We allow it."
        assert opened["Content-Disposition"].startswith("attachment")
        assert LedgerEvent.objects.filter(kind="provenance.evidence.opened").count() == 1

    def test_keeps_its_agreement_from_who_may_not_read_it(self, shelf: Shelf) -> None:
        sent = SimpleUploadedFile("deal.txt", b"We allow it.")
        client_of(shelf.people.steward).post(url("grant-deal"), a_deal(agreement=sent))
        grant = Grant.objects.get(licensor__name="Meadow Ltd")
        for person, status in ((shelf.people.engineer, 403), (shelf.people.stranger, 404)):
            assert client_of(person).get(url("grant-agreement", grant.public_id)).status_code == status
        assert not LedgerEvent.objects.filter(kind="provenance.evidence.opened").exists()

    def test_says_why_it_is_refused(self, shelf: Shelf) -> None:
        response = client_of(shelf.people.steward).post(
            url("grant-deal"), a_deal(recordings="nobody", territory="XX")
        )
        assert response.status_code == 422
        text = response.content.decode()
        assert "No recording" in text
        assert "XX" in text
        assert not Grant.objects.filter(licensor__name="Meadow Ltd").exists()

    def test_is_for_stewards(self, shelf: Shelf) -> None:
        for person in (shelf.people.engineer, shelf.people.auditor, shelf.people.officer):
            assert client_of(person).post(url("grant-deal"), a_deal()).status_code == 403


class TestAGrantInAnotherHouse:
    def test_is_seen_by_the_party_that_gave_it(self, shelf: Shelf) -> None:
        stranger, page = client_of(shelf.people.stranger), url("grant", shelf.grant.public_id)
        assert stranger.get(page).status_code == 404

        Party.objects.filter(pk=shelf.grant.licensor_id).update(stands_for=shelf.people.elsewhere)

        seen = stranger.get(page)
        assert seen.status_code == 200
        recording = shelf.grant.subjects.get().recording
        assert url("recording", recording.public_id) not in seen.content.decode()
        assert stranger.get(url("recording", recording.public_id)).status_code == 404
        assert (
            stranger.post(url("grant-revoke", shelf.grant.public_id), {"reason": "Mine."}).status_code == 403
        )


class TestTheLicenceCatalogue:
    def shown(self, shelf: Shelf, **asked: str) -> str:
        return client_of(shelf.people.officer).get(url("licence-list"), asked).content.decode()

    def test_names_a_licence_before_its_identifier(self, shelf: Shelf) -> None:
        text = self.shown(shelf, q="sampling plus noncommercial")
        name, identifier = "NonCommercial Sampling Plus 1.0</a>", "LicenseRef-CC-NC-Sampling-Plus-1.0 ·"
        assert 0 < text.index(name) < text.index(identifier)

    def test_is_found_by_words_of_a_name_an_alias_or_a_kind(self, shelf: Shelf) -> None:
        for words, there, not_there in (
            ("free art", "LAL-1.3 ·", "CC0-1.0 ·"),
            ("licence art libre", "LAL-1.3 ·", "CC0-1.0 ·"),
            ("public domain", "CC0-1.0 ·", "LAL-1.3 ·"),
        ):
            text = self.shown(shelf, q=words)
            assert there in text, words
            assert not_there not in text, words

    def test_is_narrowed_to_a_reading_of_one_axis(self, shelf: Shelf) -> None:
        refused = self.shown(
            shelf, q="creative commons 4.0", axis="ai_generative_training", answer="not_allowed"
        )
        assert "CC-BY-ND-4.0 ·" in refused
        assert "CC-BY-4.0 ·" not in refused
        anywhere = self.shown(shelf, q="creative commons 4.0", answer="not_allowed")
        assert "CC-BY-NC-4.0 ·" in anywhere
        assert "CC-BY-4.0 ·" not in anywhere

    def test_shows_the_axis_that_is_looked_at(self, shelf: Shelf) -> None:
        column = '<th scope="col">Data mining</th>'
        assert column in self.shown(shelf, axis="data_mining")
        assert column not in self.shown(shelf)

    def test_is_narrowed_to_what_is_contested(self, shelf: Shelf) -> None:
        contested = self.shown(shelf, q="4.0", axis="ai_generative_training", contested="on")
        assert "CC-BY-SA-4.0 ·" in contested
        assert "CC-BY-SA-4.0 ·" not in self.shown(shelf, q="4.0", axis="redistribution", contested="on")
        assert "MIT ·" not in self.shown(shelf, q="mit", contested="on")

    def test_sends_htmx_the_list_alone(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        part = client.get(url("licence-list"), {"q": "zlib"}, headers={"HX-Request": "true"}).content.decode()
        assert "Zlib ·" in part
        assert "<h1>" not in part

    def test_says_so_where_none_fits_and_shows_all_where_the_question_makes_no_sense(
        self, shelf: Shelf
    ) -> None:
        assert "No licence is read like that" in self.shown(shelf, q="no such licence")
        text = self.shown(shelf, axis="nonsense")
        assert f"1–30 of {len(catalogue())} licences" in text


class TestTheListOfClaims:
    def claimed(self, shelf: Shelf, n: int, begin: int = 0) -> None:
        house = shelf.people.house
        for number in range(begin, begin + n):
            party = Party.objects.create(organisation=house, name=f"Party {number:03}")
            RightsClaim.objects.create(
                recording=shelf.recording,
                party=party,
                right="composition" if number else "master",
                role="composer",
                share_percent="12.5",
                territory=["DE", "-US"],
                source="steward",
                evidence="letter of 3 May",
            )

    def shown(self, user: User, **asked: str) -> str:
        return " ".join(client_of(user).get(url("claim-list"), asked).content.decode().split())

    def test_says_who_claims_what_where_and_by_whose_word(self, shelf: Shelf) -> None:
        self.claimed(shelf, 1)
        text = self.shown(shelf.people.officer)
        for said in (
            "Meadow &amp; Brook",
            "Party 000",
            "composer",
            "12.5 %",
            "DE (Germany) without US (United States)",
            "no end",
            "the data steward",
            "letter of 3 May",
        ):
            assert said in text, said

    def test_is_narrowed_by_words_right_and_state(self, shelf: Shelf) -> None:
        self.claimed(shelf, 3)
        RightsClaim.objects.filter(party__name="Party 002").update(withdrawn_at=timezone.now())
        reads = shelf.people.officer
        assert "Party 001" not in self.shown(reads, q="party 000")
        assert "Party 000" in self.shown(reads, right="master")
        assert "Party 001" not in self.shown(reads, right="master")
        assert "Party 002" not in self.shown(reads)
        assert "Party 002" in self.shown(reads, state="withdrawn")
        assert "Party 000" not in self.shown(reads, state="withdrawn")
        assert "No claim fits" in self.shown(reads, q="nobody of that name")

    def test_is_of_ones_own_house(self, shelf: Shelf) -> None:
        self.claimed(shelf, 1)
        assert "Party 000" not in self.shown(shelf.people.stranger, state="all")
        assert "Party 000" not in self.shown(shelf.people.auditor, state="all")

    def test_goes_on_page_by_page_and_costs_the_same_at_any_length(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        self.claimed(shelf, 3)
        with CaptureQueriesContext(connection) as few:
            client.get(url("claim-list"))
        self.claimed(shelf, 57, begin=3)
        with CaptureQueriesContext(connection) as many:
            first = client.get(url("claim-list"))
        assert len(many) == len(few)
        cut = first.context["slice"]
        after = client.get(url("claim-list"), {"after": cut.after}).context["slice"]
        assert len({row.pk for row in (*cut.rows, *after.rows)}) == 60


class TestAClaimByHand:
    def test_is_registered_and_withdrawn(self, shelf: Shelf) -> None:
        client, page = client_of(shelf.people.steward), url("claim", shelf.recording.public_id)
        given = {"party": "Anna Lind", "right": "master", "share": "50", "source": "registry"}
        response = client.post(page, given, follow=True)
        assert "Findings about shares: 1" in response.content.decode()
        claim = RightsClaim.objects.get(party__name="Anna Lind")
        assert "Anna Lind" in client.get(page).content.decode()

        client.post(url("claim-withdraw", claim.public_id))

        claim.refresh_from_db()
        assert claim.withdrawn_at is not None

    def test_is_for_stewards(self, shelf: Shelf) -> None:
        page = url("claim", shelf.recording.public_id)
        for person, status in ((shelf.people.engineer, 403), (shelf.people.stranger, 404)):
            assert client_of(person).get(page).status_code == status

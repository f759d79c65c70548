"""Pages of deals and claims: registered by hand, opened on the record, seen by whom they name."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from governance.models import LedgerEvent, User
from provenance.models import Grant, Party, RightsClaim
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
        assert "EU, CH" in text
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

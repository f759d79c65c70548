"""Pages of a whole deal and of a party; and the list of grants, which costs the same at any length."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.models import LedgerEvent, User
from provenance import deals, services
from provenance.models import Grant, Party, RightsClaim
from tests.pages.people import Shelf, a_frozen

pytestmark = pytest.mark.django_db

DEAL = {
    "licensor": "Brook Ltd",
    "right": "master",
    "recordings": ["cellar"],
    "purposes": ["ai_generative_training"],
}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"provenance:{name}", args=args)


def text_of(user: User, address: str) -> str:
    return " ".join(client_of(user).get(address).content.decode().split())


def registered(shelf: Shelf, folder: Path, *rows: str) -> list[Grant]:
    columns = (
        "licensor,licensee,right,recordings,purposes,master_territory,valid_until,notice_days,chain_of_title"
    )
    path = folder / "more.csv"
    path.write_text("\n".join([columns, *rows]) + "\n")
    outcomes = services.register_grants(
        source=path, by=shelf.people.steward, organisation=shelf.people.house, now=timezone.now()
    )
    return [grant for outcome in outcomes for grant in outcome.grants]


def a_deal(shelf: Shelf, folder: Path, *, days: int = 40, notice: int = 90) -> list[Grant]:
    until = date.today() + timedelta(days=days)
    row = f"Brook Ltd,House,both,cellar,ai_generative_training,EU,{until},{notice},Anna > Brook Ltd"
    return registered(shelf, folder, row)


class TestADealsPage:
    def test_has_both_rights_whichever_grant_was_asked_for(self, shelf: Shelf, tmp_path: Path) -> None:
        for grant in a_deal(shelf, tmp_path):
            text = text_of(shelf.people.officer, url("grant", grant.public_id))
            assert "The master" in text
            assert "The composition" in text
            assert 'data-label="Master">EU (European Union)<' in text
            assert 'data-label="Composition">worldwide<' in text
            assert text.count('<span class="tag">differs</span>') == 1
            assert "Anna" in text

    def test_counts_down_to_its_end_and_its_notice(self, shelf: Shelf, tmp_path: Path) -> None:
        (grant, _) = a_deal(shelf, tmp_path)
        last = date.today() + timedelta(days=39)
        text = text_of(shelf.people.officer, url("grant", grant.public_id))
        assert f"40 days left: the last is {last:%-d %B %Y}." in text
        assert "it ends before notice given today runs out" in text

    def test_says_when_notice_runs_out(self, shelf: Shelf, tmp_path: Path) -> None:
        (grant, _) = a_deal(shelf, tmp_path, days=400)
        (right, _) = deals.rights_of([grant, grant], date.today())
        assert right.notice.endswith(f"runs out on {date.today() + timedelta(days=90):%-d %B %Y}.")

    def test_names_the_versions_frozen_on_its_strength_alone(self, shelf: Shelf, tmp_path: Path) -> None:
        by_right = {grant.right: grant for grant in a_deal(shelf, tmp_path, days=400)}
        version = a_frozen(shelf)
        late = registered(shelf, tmp_path, "Late Ltd,House,both,cellar,ai_generative_training,,,,")

        assert list(deals.versions_on([by_right["composition"]])) == [version]
        assert list(deals.versions_on(late)) == []
        assert "Frozen on its strength in" in text_of(
            shelf.people.officer, url("grant", by_right["master"].public_id)
        )

    def test_ends_the_rest_from_the_page_of_what_is_revoked(self, shelf: Shelf, tmp_path: Path) -> None:
        (first, second) = a_deal(shelf, tmp_path, notice=0)
        services.revoke_grant(
            grant=first, by=shelf.people.officer, reason="Off.", now=timezone.now(), right=first.right
        )
        text = text_of(shelf.people.officer, url("grant", first.public_id))
        assert url("grant-revoke", second.public_id) in text
        assert url("grant-revoke", first.public_id) not in text

    def test_says_of_both_what_stands_beside_an_exclusive_one(self, shelf: Shelf, tmp_path: Path) -> None:
        """A reader who may know of one alone reads nothing of the other."""
        (plain,) = registered(shelf, tmp_path, "Brook Ltd,House,master,cellar,ai_generative_training,,,,")
        deal = {**DEAL, "exclusive": True, "licensee": "Big Studio"}
        (tmp_path / "exclusive.json").write_text(json.dumps(deal))
        (outcome,) = services.register_grants(
            source=tmp_path / "exclusive.json",
            by=shelf.people.steward,
            organisation=shelf.people.house,
            now=timezone.now(),
        )
        (exclusive,) = outcome.grants
        officer = shelf.people.officer
        assert "the exclusive grant to Big Studio</a> for 1 recording." in text_of(
            officer, url("grant", plain.public_id)
        )
        there = url("grant", exclusive.public_id)
        assert "Subject to" in text_of(officer, there)

        Party.objects.filter(pk=exclusive.licensee_id).update(stands_for=shelf.people.elsewhere)
        assert "Exclusive: nobody else" in text_of(shelf.people.stranger, there)
        assert "Subject to" not in text_of(shelf.people.stranger, there)

    def test_asks_why_it_ends_though_it_is_irrevocable(self, shelf: Shelf, tmp_path: Path) -> None:
        (grant,) = registered(shelf, tmp_path, "Brook Ltd,House,master,cellar,ai_generative_training,,,30,")
        client = client_of(shelf.people.officer)
        assert 'name="despite_terms"' not in text_of(shelf.people.officer, url("grant", grant.public_id))
        Grant.objects.filter(pk=grant.pk).update(revocable=False)
        page = text_of(shelf.people.officer, url("grant", grant.public_id))
        assert "By its terms the master is irrevocable." in page
        assert 'name="despite_terms"' in page

        said = {"reason": "Off."}
        refused = client.post(url("grant-revoke", grant.public_id), said)
        assert refused.status_code == 422
        client.post(url("grant-revoke", grant.public_id), {**said, "despite_terms": "Set aside in court."})

        page = text_of(shelf.people.officer, url("grant", grant.public_id))
        assert "It ends all the same: Set aside in court." in page
        assert "asks for 30 days of notice" in page
        assert "Under notice" in page
        assert "already: an earlier day brings that forward." in page
        now = {"reason": "Now.", "revoked_from": str(date.today()), "despite_terms": "Set aside in court."}
        assert client.post(url("grant-revoke", grant.public_id), now).status_code == 302
        assert client.post(url("grant-revoke", grant.public_id), now).status_code == 409

    def test_hides_what_another_licensor_of_the_deal_agreed(self, shelf: Shelf, tmp_path: Path) -> None:
        (first, second) = a_deal(shelf, tmp_path)
        other = Party.objects.create(organisation=shelf.people.house, name="Lind Music")
        Grant.objects.filter(pk=second.pk).update(licensor=other)
        Party.objects.filter(pk=first.licensor_id).update(stands_for=shelf.people.elsewhere)
        text = text_of(shelf.people.stranger, url("grant", first.public_id))
        assert f"The {first.right}" in text
        assert "Lind Music" not in text


class TestTheGrantList:
    def test_is_read_a_stretch_at_a_time(self, shelf: Shelf, tmp_path: Path) -> None:
        rows = [f"Label {n:03},House,master,cellar,ai_generative_training,,,," for n in range(119)]
        registered(shelf, tmp_path, *rows)
        client, seen, address = client_of(shelf.people.officer), [], url("grant-list")
        stretches = []
        for _ in range(3):
            stretch = client.get(address).context["slice"]
            stretches.append(stretch)
            seen += [grant.pk for grant in stretch.rows]
            address = f"{url('grant-list')}?after={stretch.after}"
        assert seen == list(Grant.objects.order_by("-registered_at", "-id").values_list("pk", flat=True))
        assert (stretches[0].before, stretches[2].after, stretches[2].n_in_all) == ("", "", 120)

        back = client.get(f"{url('grant-list')}?before={stretches[2].before}").context["slice"]
        assert back.rows == stretches[1].rows

    @pytest.mark.parametrize("wrong", ["after=nonsense", "before=00000000-0000-4000-8000-000000000000"])
    def test_starts_anew_at_what_is_not_there(self, shelf: Shelf, wrong: str) -> None:
        stretch = client_of(shelf.people.officer).get(f"{url('grant-list')}?{wrong}").context["slice"]
        assert list(stretch.rows) == [shelf.grant]

    def test_costs_the_same_at_any_length(self, shelf: Shelf, tmp_path: Path) -> None:
        client, counts = client_of(shelf.people.officer), []
        for n in range(2):
            with CaptureQueriesContext(connection) as asked:
                client.get(url("grant-list"))
            counts.append(len(asked))
            rows = [f"Label {n}-{m},House,both,cellar,ai_generative_training,,,," for m in range(10)]
            registered(shelf, tmp_path, *rows)
        assert counts[0] == counts[1]

    @pytest.mark.parametrize(("days", "is_said"), [(0, False), (1, True), (90, True), (91, False)])
    def test_says_first_how_many_end_in_90_days(self, shelf: Shelf, days: int, is_said: bool) -> None:
        Grant.objects.update(valid_from=None, valid_until=timezone.now().date() + timedelta(days=days))
        client = client_of(shelf.people.officer)
        text = client.get(url("grant-list")).content.decode()
        assert ("1 grant ends in the next 90 days" in text) == is_said
        ending = client.get(f"{url('grant-list')}?state=ending").context["slice"].rows
        assert bool(ending) == is_said


class TestALabelsRecording:
    def test_says_who_is_answered_instead_of_that_nobody_asks(self, shelf: Shelf) -> None:
        Party.objects.filter(name="Cellar Records").update(stands_for=shelf.people.house)
        page = url("recording", shelf.grant.subjects.get().recording.public_id)
        label, officer = (
            " ".join(client_of(person).get(page).content.decode().split())
            for person in (shelf.people.auditor, shelf.people.officer)
        )
        assert "That is answered to House" in label
        assert "No dataset holds it" not in label
        assert "That is answered to House" not in officer

    def test_never_says_that_nobody_claims_what_others_do(self, shelf: Shelf) -> None:
        Party.objects.filter(name="Cellar Records").update(stands_for=shelf.people.house)
        page = url("recording", shelf.grant.subjects.get().recording.public_id)
        label, officer = (
            " ".join(client_of(person).get(page).content.decode().split())
            for person in (shelf.people.auditor, shelf.people.officer)
        )
        assert "You claim nothing of it. Others' claims are not shown." in label
        assert "Nobody claims it" not in label
        assert "Nobody claims it" in officer


class TestAPartysPage:
    def test_lists_what_the_party_claims(self, shelf: Shelf) -> None:
        claim = RightsClaim.objects.create(
            recording=shelf.recording,
            party=shelf.grant.licensor,
            right="master",
            share_percent=40,
            territory=["EUROPE"],
            valid_until=date(2030, 2, 1),
            source="steward",
        )
        address = url("party", claim.party.public_id)
        text = " ".join(client_of(shelf.people.officer).get(address).content.decode().split())
        assert f"{url('recording', claim.recording.public_id)}#claims-title" in text
        assert "40 % of the master" in text
        assert "Europe, until 31 Jan 2030" in text

    def test_says_which_organisation_it_is(self, shelf: Shelf) -> None:
        party, client = shelf.grant.licensor, client_of(shelf.people.officer)
        response = client.post(url("party", party.public_id), {"organisation": "Elsewhere"}, follow=True)
        assert "is Elsewhere" in response.content.decode()
        party.refresh_from_db()
        assert party.stands_for == shelf.people.elsewhere
        assert LedgerEvent.objects.filter(kind="provenance.party.identified").count() == 1

        client.post(url("party", party.public_id), {"organisation": ""})
        party.refresh_from_db()
        assert party.stands_for is None

    def test_changes_nothing_for_an_organisation_that_is_not_here(self, shelf: Shelf) -> None:
        party = shelf.grant.licensor
        response = client_of(shelf.people.steward).post(
            url("party", party.public_id), {"organisation": "Nobody & Sons"}
        )
        assert response.status_code == 422
        assert "nothing was changed" in response.content.decode()
        party.refresh_from_db()
        assert party.stands_for is None

    def test_is_read_by_members_and_written_by_who_resolves(self, shelf: Shelf) -> None:
        address, people = url("party", shelf.grant.licensor.public_id), shelf.people
        for person, reads, writes in (
            (people.officer, 200, 302),
            (people.steward, 200, 302),
            (people.auditor, 200, 403),
            (people.engineer, 200, 403),
            (people.outsider, 200, 403),
            (people.stranger, 404, 404),
        ):
            client = client_of(person)
            assert client.get(address).status_code == reads, person.username
            assert client.post(address, {"organisation": "House"}).status_code == writes, person.username

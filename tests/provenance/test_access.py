"""Which datasets a label's guest knows of, and whose grant it may revoke: its own, and where a house says of nobody
who it is, what it can name."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.test import Client

from governance.errors import NotFoundError
from governance.models import Organisation
from provenance import access
from provenance.models import Dataset, DatasetKind, Grant, Party, RightsClaim
from tests.catalogues import run, table
from tests.people import People, a_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant(people: People, tmp_path: Path) -> Grant:
    a_dataset(people.steward, people.house, licence="LicenseRef-closed")
    deal = {
        "licensor": "Quay Records",
        "licensee": "House",
        "right": "master",
        "purposes": "ai_generative_training",
        "dataset": "folk",
    }
    run("register_grants", table(tmp_path / "deals.csv", [deal]), "--as", "data_steward")
    return Grant.objects.get()


def stands_for(name: str, organisation: Organisation, house: Organisation) -> None:
    Party.objects.update_or_create(organisation=house, name=name, defaults={"stands_for": organisation})


class TestGrantOrDealForRevoking:
    @pytest.mark.parametrize("named", ["public_id", "deal"])
    def test_is_found_by_its_id_where_nobody_said_who_anybody_is(
        self, people: People, grant: Grant, named: str
    ) -> None:
        assert access.grant_or_deal_for_revoking(people.auditor, getattr(grant, named)) == grant
        assert not access.grants_for_reading(
            people.auditor
        ).exists()  # it revokes what it can name, and lists none

    def test_is_not_found_where_a_party_of_the_house_stands_for_another(
        self, people: People, grant: Grant
    ) -> None:
        stands_for("Somebody Else", people.elsewhere, people.house)
        with pytest.raises(NotFoundError, match="no such grant"):
            access.grant_or_deal_for_revoking(people.auditor, grant.public_id)

    def test_is_found_where_its_licensor_stands_for_the_label(self, people: People, grant: Grant) -> None:
        stands_for("Quay Records", people.house, people.house)
        assert access.grant_or_deal_for_revoking(people.auditor, grant.public_id) == grant
        assert list(access.grants_for_reading(people.auditor)) == [grant]

    def test_is_not_found_by_somebody_of_another_house(self, people: People, grant: Grant) -> None:
        with pytest.raises(NotFoundError):
            access.grant_or_deal_for_revoking(people.stranger, grant.public_id)

    def test_does_not_heed_who_is_who_in_another_house(self, people: People, grant: Grant) -> None:
        stands_for("Somebody Else", people.elsewhere, people.elsewhere)
        assert access.grant_or_deal_for_revoking(people.auditor, grant.public_id) == grant


class TestDatasetsForReading:
    """A label's guest: what models learn from by name, and of protected collections those that hold its own."""

    @pytest.fixture
    def shelf(self, people: People) -> People:
        a_dataset(people.steward, people.house)
        a_dataset(people.steward, people.house, name="masters", n_recordings=1, kind=DatasetKind.PROTECTED)
        return people

    @staticmethod
    def names(rows: QuerySet[Dataset]) -> list[str]:
        return sorted(rows.values_list("name", flat=True))

    def test_does_not_tell_a_label_of_the_collections_of_others(self, shelf: People) -> None:
        assert self.names(access.datasets_for_reading(shelf.auditor)) == ["folk"]
        assert self.names(access.datasets_holding_own(shelf.auditor)) == []
        assert self.names(access.datasets_for_reading(shelf.steward)) == ["folk", "masters"]
        assert self.names(access.datasets_holding_own(shelf.steward)) == ["folk", "masters"]
        with pytest.raises(NotFoundError, match="no such dataset"):
            access.dataset_for_reading(shelf.auditor, Dataset.objects.get(name="masters").public_id)

    def test_tells_a_label_of_the_collection_that_holds_its_own(self, shelf: People) -> None:
        stands_for("Quay Records", shelf.house, shelf.house)
        RightsClaim.objects.create(
            recording=Dataset.objects.get(name="masters").entries.get().recording,
            party=Party.objects.get(name="Quay Records"),
            right="master",
            source="steward",
        )
        assert self.names(access.datasets_for_reading(shelf.auditor)) == ["folk", "masters"]
        assert self.names(access.datasets_holding_own(shelf.auditor)) == ["masters"]

    def test_offers_a_label_no_dataset_of_others_to_narrow_conflicts_by(
        self, shelf: People, client: Client
    ) -> None:
        client.force_login(shelf.auditor)
        page = client.get("/conflicts/").content.decode()
        assert "every dataset" in page
        assert "folk" not in page
        assert "masters" not in page

    def test_names_a_label_no_collection_of_others_in_a_refusal(self, shelf: People, client: Client) -> None:
        client.force_login(shelf.auditor)
        for asked in ("masters", "nothing"):
            file = SimpleUploadedFile("song.wav", b"RIFF0000WAVE", "audio/wav")
            answer = client.post("/api/v1/checks/", {"file": file, "against": [asked]})
            assert answer.status_code == 404
            assert "there are folk." in answer.json()["detail"]

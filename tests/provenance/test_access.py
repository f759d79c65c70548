"""Whose grant a label's guest may revoke: its own, and where a house says of nobody who it is, what it can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import NotFoundError
from governance.models import Organisation
from provenance import access
from provenance.models import Grant, Party
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

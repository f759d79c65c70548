"""Cases by the API: who may do what, and that a label reads names and answers only."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from generation import services
from generation.models import Case, CaseState
from governance.models import Member, Organisation, Role, User
from tests.generation.case_scene import CaseHouse, a_case_house, filed, opened
from tests.people import NOON, client_of

API = "/api/v1"
OFF = SimpleRateThrottle.THROTTLE_RATES
ROLES = [role.value for role in Role]


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> CaseHouse:
    return a_case_house(shared_db)


@pytest.fixture
def house(standing_house: CaseHouse, db: None) -> CaseHouse:
    cache.clear()
    return deepcopy(standing_house)


@pytest.fixture
def stranger(db: None) -> User:
    user = User.objects.create_user("stranger")
    elsewhere = Organisation.objects.create(name="Nowhere")
    for role in ROLES:
        Member.objects.create(user=user, organisation=elsewhere, role=role, valid_from=NOON)
    return user


def people(house: CaseHouse, stranger: User) -> dict[str, User | None]:
    return {**house.scene.users, "stranger": stranger, "nobody": None}


def body(**said: Any) -> dict[str, Any]:
    given = {"kind": "opt_out", "holder": "Cellar", "contact": "a@cellar.example", "isrcs": ["GBAAA2600000"]}
    return {**given, **said}


class TestPermissions:
    @pytest.mark.parametrize(
        ("path", "allowed"),
        [
            ("", {"compliance_officer", "data_steward", "ml_engineer", "external_auditor"}),
            ("impact/", {"compliance_officer", "data_steward", "ml_engineer", "external_auditor"}),
            ("decisions/", {"compliance_officer", "data_steward", "ml_engineer", "external_auditor"}),
        ],
    )
    def test_of_reading_a_case(self, house: CaseHouse, stranger: User, path: str, allowed: set[str]) -> None:
        case = opened(house)
        found = {
            name: client_of(user).get(f"{API}/cases/{case.public_id}/{path}").status_code
            for name, user in people(house, stranger).items()
        }
        assert found == {
            **{role: 200 if role in allowed else 404 for role in ROLES},
            "stranger": 404,
            "nobody": 401,
        }

    def test_of_a_label_over_its_own(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label).case
        client = client_of(house.label)
        at = f"{API}/cases/{case.public_id}/"
        assert client.get(at).json()["holder"] == "Cellar Records"
        assert client.get(f"{at}impact/").status_code == 403
        assert client.get(f"{at}decisions/").status_code == 403
        assert client.get(f"{at}suggestions/").status_code == 403
        assert client.get(f"{at}answer/").status_code == 404
        assert [one["id"] for one in client.get(f"{API}/cases/").json()["results"]] == [str(case.public_id)]

    @pytest.mark.parametrize(
        ("deed", "said"),
        [
            ("accept/", {"recordings": ["GBAAA2600000"], "verified_how": "By letter."}),
            ("reject/", {"reason": "Not theirs."}),
        ],
    )
    def test_of_triage(self, house: CaseHouse, stranger: User, deed: str, said: dict[str, Any]) -> None:
        found = {}
        for name, user in people(house, stranger).items():
            case = filed(house).case
            found[name] = (
                client_of(user).post(f"{API}/cases/{case.public_id}/{deed}", said, format="json").status_code
            )
        others = {"ml_engineer": 403, "external_auditor": 403, "label_auditor": 404}
        allowed = dict.fromkeys(["data_steward", "compliance_officer"], 200)
        assert found == {**allowed, **others, "stranger": 404, "nobody": 401}

    @pytest.mark.parametrize("deed", ["decide/", "answer/"])
    def test_of_deciding(self, house: CaseHouse, stranger: User, deed: str) -> None:
        case = opened(house)
        said = {
            "model_version": str(house.version.public_id),
            "remedy": "retrain",
            "reason": "x",
            "words": "x",
        }
        if deed == "answer/":
            services.decide_case(
                case=case,
                version=house.version,
                remedy="retrain",
                reason="x",
                by=house.officer,
                now=timezone.now(),
            )
        found = {
            name: client_of(user)
            .post(f"{API}/cases/{case.public_id}/{deed}", said, format="json")
            .status_code
            for name, user in people(house, stranger).items()
        }
        refused = dict.fromkeys(["data_steward", "ml_engineer", "external_auditor"], 403)
        assert found == {
            **refused, "compliance_officer": 200, "label_auditor": 404, "stranger": 404, "nobody": 401,
        }  # fmt: skip

    def test_of_filing(self, house: CaseHouse, stranger: User) -> None:
        found = {
            name: client_of(user)
            .post(f"{API}/cases/", body(organisation=house.organisation.name), format="json")
            .status_code
            for name, user in people(house, stranger).items()
        }
        takes = dict.fromkeys(["label_auditor", "data_steward", "compliance_officer"], 201)
        refused = dict.fromkeys(["ml_engineer", "external_auditor"], 403)
        assert found == {**takes, **refused, "stranger": 404, "nobody": 401}

    def test_of_the_terms(self, house: CaseHouse, stranger: User) -> None:
        found = {
            name: client_of(user)
            .put(
                f"{API}/case-terms/",
                {"opt_out_days": 9, "organisation": house.organisation.name},
                format="json",
            )
            .status_code
            for name, user in people(house, stranger).items()
        }
        refused = dict.fromkeys(set(ROLES) - {"compliance_officer"}, 403)
        assert found == {**refused, "compliance_officer": 200, "stranger": 404, "nobody": 401}

    def test_hide_the_person_from_whoever_does_not_handle_the_case(self, house: CaseHouse) -> None:
        case = opened(house, words="It is mine.")
        seen = client_of(house.scene.engineer).get(f"{API}/cases/{case.public_id}/").json()
        assert (seen["holder"], seen["contact"], seen["words"], seen["verified_how"]) == (None,) * 4
        assert seen["reference"] == case.reference


class TestPublicCases:
    def test_are_filed_and_followed_with_the_secret_alone(self, house: CaseHouse) -> None:
        client = APIClient()
        given = client.post(f"{API}/public/cases/", body(), format="json")
        assert given.status_code == 201
        at = f"{API}/public/cases/{given.json()['reference']}"
        assert client.get(f"{at}/{given.json()['secret']}/").json()["state"] == CaseState.FILED
        assert client.get(f"{at}/wrong/").status_code == 404
        assert client.get(f"{API}/public/cases/AAAA-AAAA/wrong/").status_code == 404

    def test_say_what_is_wrong(self, house: CaseHouse) -> None:
        client = APIClient()
        assert client.post(f"{API}/public/cases/", body(contact=""), format="json").status_code == 422
        wrong = client.post(f"{API}/public/cases/", body(kind="sue"), format="json")
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["kind"])
        assert not Case.objects.exists()

    def test_are_no_more_than_so_many_an_hour(
        self, house: CaseHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {**OFF, "case_filing": "2/hour"})
        client = APIClient()
        codes = [client.post(f"{API}/public/cases/", body(), format="json").status_code for _ in range(3)]
        assert codes == [201, 201, 429]
        cache.clear()

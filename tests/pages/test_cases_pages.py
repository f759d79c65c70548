"""Pages of cases: for strangers, for labels, for those who decide; and in a real Chromium."""

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from config.counts import Counts
from generation import services
from generation.models import Case, CaseKind
from governance.models import Job, Role, User
from tests.generation.case_scene import NOW, CaseHouse, a_case_house, filed, opened

OFF = SimpleRateThrottle.THROTTLE_RATES
FORM = {"kind": "opt_out", "holder": "Ana Lua", "contact": "ana@lua.example", "isrcs": "GB-AAA-26-00000"}


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> CaseHouse:
    return a_case_house(shared_db)


@pytest.fixture
def house(standing_house: CaseHouse, db: None) -> CaseHouse:
    cache.clear()
    return deepcopy(standing_house)


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def sent(house: CaseHouse, **changes: Any) -> Any:
    said = {**FORM, "organisation": str(house.organisation.public_id), **changes}
    return Client().post(reverse("generation:case-public"), said)


class TestPublicForm:
    def test_gives_a_link_that_opens_the_case(self, house: CaseHouse) -> None:
        answer = sent(house)
        assert answer.status_code == 201
        case = Case.objects.get()
        assert (case.holder, case.isrcs) == ("Ana Lua", ["GBAAA2600000"])
        page = Client().get(answer.context["follow"])
        assert "Not answered yet" in page.content.decode()
        assert page["Cache-Control"] == "private, no-store"
        assert "ana@lua" not in page.content.decode()

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"holder": ""}, "Say who holds the rights."),
            ({"isrcs": ""}, "Name at least one recording"),
            ({"isrcs": "GB-1"}, "No ISRC: GB-1"),
            ({"website": "http://spam.example"}, "Leave this field empty"),
            ({"sound": SimpleUploadedFile("../x.wav", b"")}, "empty"),
            ({"sound": SimpleUploadedFile("x.exe", b"MZ")}, "is of no kind that is read here"),
            (
                {"fingerprint": SimpleUploadedFile("x.fingerprint", b"noise")},
                "fingerprint can&#x27;t be read",
            ),
        ],
    )
    def test_says_what_is_wrong_and_keeps_what_was_typed(
        self, house: CaseHouse, changes: dict[str, Any], why: str
    ) -> None:
        answer = sent(house, **changes)
        assert answer.status_code == 422
        assert why in answer.content.decode()
        assert "ana@lua.example" in answer.content.decode()
        assert not Case.objects.exists()

    def test_refuses_a_sound_that_is_too_large(self, house: CaseHouse, monkeypatch: Any) -> None:
        from generation.forms.cases import PublicFilingForm

        monkeypatch.setattr(PublicFilingForm.base_fields["sound"], "limit_bytes", 10)
        answer = sent(house, sound=SimpleUploadedFile("x.wav", b"R" * 11))
        assert "at most 10 are taken" in answer.content.decode()

    def test_has_the_sound_listened_to(self, house: CaseHouse, settings: Any, tmp_path: Path) -> None:
        settings.DATA_DIR = tmp_path
        sent(house, isrcs="", sound=SimpleUploadedFile("x.wav", b"RIFF"))
        job = Job.objects.get(kind="generation.listen_to_case")
        case = Case.objects.get()
        assert (job.subject_id, case.sound_name) == (case.public_id, "x.wav")
        services.listen_to_case(case=case, by=job.asked_by, now=NOW)
        assert "can't be read" in case.heard_problem

    def test_takes_so_many_an_hour_from_one_address(
        self, house: CaseHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {**OFF, "case_filing": "2/hour"})
        assert [sent(house).status_code for _ in range(3)] == [201, 201, 429]
        cache.clear()

    def test_is_looked_at_and_taken_back_so_often_from_one_address(
        self, house: CaseHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = filed(house)
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {**OFF, "case_following": "3/min"})
        looks, takes_back = (
            reverse(f"generation:{name}", args=[found.case.reference, secret])
            for name, secret in (("case-followed", "wrong"), ("case-followed-withdraw", found.secret))
        )
        api = f"/api/v1/public/cases/{found.case.reference}/{found.secret}/"
        client, said = Client(), {"reason": "Sold."}
        assert [client.get(looks).status_code, client.get(api).status_code] == [404, 200]
        assert [
            client.post(f"{api}withdraw/", said, content_type="application/json").status_code
            for _ in range(2)
        ] == [200, 429]
        assert client.post(takes_back).status_code == 429
        assert client.get(api).status_code == 429
        cache.clear()

    def test_waits_while_nothing_can_be_counted(
        self, house: CaseHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where no broker answers the form opens and keeps what was written, but takes nothing; a link opens."""
        found = filed(house)
        n_before = Case.objects.count()
        nobody = settings.CACHES["default"]
        monkeypatch.setattr(SimpleRateThrottle, "cache", Counts("unix:///tmp/nobody-is-here.sock", nobody))
        rates = {**OFF, "case_filing": "20/hour", "case_following": "30/min", "anon": "60/min"}
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
        assert Client().get(reverse("generation:case-public")).status_code == 200
        refused = sent(house)
        assert refused.status_code == 503
        assert "nothing was done" in refused.content.decode()
        assert "ana@lua.example" in refused.content.decode()
        at = [found.case.reference, found.secret]
        assert Client().get(reverse("generation:case-followed", args=at)).status_code == 200
        assert Client().post(reverse("generation:case-followed-withdraw", args=at)).status_code == 503
        api = f"/api/v1/public/cases/{found.case.reference}/{found.secret}/"
        assert [Client().get(api).status_code, Client().post(f"{api}withdraw/").status_code] == [200, 503]
        assert Client().get("/api/v1/public/models/").status_code == 200
        assert (Case.objects.count(), Case.objects.get().state) == (n_before, found.case.state)

    def test_opens_nothing_without_the_secret(self, house: CaseHouse) -> None:
        found = filed(house)
        for reference, secret in [(found.case.reference, "x"), ("AAAA-AAAA", found.secret)]:
            page = Client().get(reverse("generation:case-followed", args=[reference, secret]))
            assert page.status_code == 404


class TestPermissions:
    @pytest.mark.parametrize("role", Role.values)
    def test_of_each_page(self, house: CaseHouse, role: str) -> None:
        case = opened(house)
        client = client_of(house.scene.users[role])
        label = role == Role.LABEL_AUDITOR
        files = role in {Role.LABEL_AUDITOR, Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER}
        officer = role == Role.COMPLIANCE_OFFICER
        pages = {
            reverse("generation:case-list"): 200,
            reverse("generation:case", args=[case.public_id]): 404 if label else 200,
            reverse("generation:case-file"): 200 if files else 403,
            reverse("generation:case-terms", args=[house.organisation.public_id]): 200 if officer else 403,
        }
        assert {url: client.get(url).status_code for url in pages} == pages
        deeds = {
            reverse(f"generation:case-{deed}", args=[case.public_id]): by
            for deed, by in (
                ("accept", {Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER}),
                ("reject", {Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER}),
                ("decide", {Role.COMPLIANCE_OFFICER}),
                ("answer", {Role.COMPLIANCE_OFFICER}),
            )
        }
        found = {url: client.post(url).status_code for url in deeds}
        assert found == {url: 422 if role in by else 404 if label else 403 for url, by in deeds.items()}

    def test_show_the_holder_to_those_who_handle_the_case(self, house: CaseHouse) -> None:
        url = reverse("generation:case", args=[opened(house).public_id])
        for role in Role.values[0], Role.DATA_STEWARD:
            assert "rights@cellar.example" in client_of(house.scene.users[role]).get(url).content.decode()
        for user in (house.scene.engineer, house.scene.auditor):
            assert "rights@cellar.example" not in client_of(user).get(url).content.decode()


class TestTriage:
    def test_takes_a_case_in_from_the_page(self, house: CaseHouse) -> None:
        case = filed(house).case
        said = {
            "kind": "opt_out",
            "recordings": [str(house.recordings[0].public_id)],
            "others": f"{house.recordings[1].sha256}\nGBAAA2600002",
            "verified_how": "By letter.",
        }
        url = reverse("generation:case-accept", args=[case.public_id])
        assert client_of(house.steward).post(url, said).status_code == 302
        assert {link.recording for link in case.subjects.all()} == set(house.recordings)

    def test_says_which_name_is_nothing_here(self, house: CaseHouse) -> None:
        case = filed(house).case
        said = {"kind": "opt_out", "others": "GBAAA2600002\nnowhere", "verified_how": "By letter."}
        answer = client_of(house.steward).post(reverse("generation:case-accept", args=[case.public_id]), said)
        assert answer.status_code == 422
        assert "Nothing here goes by nowhere." in answer.content.decode()


class TestQueue:
    def test_puts_the_overdue_first(self, house: CaseHouse) -> None:
        late = opened(house)
        Case.objects.filter(pk=late.pk).update(due_on=timezone.now().date() - timedelta(days=3))
        soon = filed(house, titles=("x",)).case
        Case.objects.filter(pk=soon.pk).update(due_on=timezone.now().date() + timedelta(days=3))
        page = client_of(house.officer).get(reverse("home")).content.decode()
        assert page.index("case is overdue") < page.index("case is due within 7 days")
        assert "3 days over" in page
        listed = client_of(house.officer).get(reverse("generation:case-list")).content.decode()
        assert listed.index(late.reference) < listed.index(soon.reference)

    def test_reminds_of_a_negotiation_that_ran_out(self, house: CaseHouse) -> None:
        case = opened(house, kind=CaseKind.LEAK)
        today = timezone.now()
        decision = services.decide_case(
            case=case, version=house.version, remedy="negotiate", reason="x", until=today.date() + timedelta(days=1),
            by=house.officer, now=today,
        )  # fmt: skip
        services.answer_case(case=case, words="We talk.", by=house.officer, now=today)
        assert "negotiation has run out" not in client_of(house.officer).get(reverse("home")).content.decode()
        type(decision).objects.update(until=today.date() - timedelta(days=1))
        assert "negotiation has run out" in client_of(house.officer).get(reverse("home")).content.decode()

    def test_names_licences_in_the_answer_as_people_call_them(self, house: CaseHouse) -> None:
        case, now = opened(house, house.recordings[2:], kind=CaseKind.LEAK), timezone.now()
        services.decide_case(
            case=case, version=house.version, remedy="reject", reason="x", by=house.officer, now=now
        )
        services.answer_case(case=case, words="It does not.", by=house.officer, now=now)
        at = reverse("generation:case", args=[case.public_id])
        page = " ".join(client_of(house.officer).get(at).content.decode().split())
        assert "master: <span>Creative Commons Zero 1.0 Universal</span>" in page

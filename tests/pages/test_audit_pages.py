"""Pages of reports, assessments and campaigns: who may open them, what they say, and that a signature is checked now."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit import jobs, services
from audit.models import Assessment, Attestation, Campaign, Report
from audit.reports import bundle
from governance.jobs import KINDS
from governance.models import Job, Role, User
from tests.pages.generation_scene import House

ROLES = list(Role.values)


@pytest.fixture
def campaign(house: House) -> Campaign:
    return services.run_memorisation_campaign(
        version=house.version, by=house.scene.engineer, now=timezone.now()
    )


@pytest.fixture
def assessment(house: House, campaign: Campaign) -> Assessment:
    return services.assess(version=house.version, by=house.scene.officer, now=timezone.now())


@pytest.fixture
def report(house: House, assessment: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-1.7 not drawn here")
    return services.issue_report(
        version=house.version, out=tmp_path / "report", by=house.scene.officer, now=timezone.now()
    )


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def pages_of(house: House, report: Report, campaign: Campaign) -> dict[str, str]:
    return {
        "reports": reverse("audit:report-list"),
        "report": reverse("audit:report", args=[report.public_id]),
        "report.html": reverse("audit:report-file", args=[report.public_id, "report.html"]),
        "report.sig": reverse("audit:report-file", args=[report.public_id, "report.sig"]),
        "assessment": reverse("audit:assessment", args=[report.assessment.public_id]),
        "campaign": reverse("audit:campaign", args=[campaign.public_id]),
    }


NOT_FOR_LABELS = {
    "report",
    "report.html",
    "report.sig",
    "assessment",
    "campaign",
}  # a label reads what is its own


class TestEveryPage:
    @pytest.mark.parametrize("role", ROLES)
    def test_opens_for_every_role_of_the_house(
        self, house: House, report: Report, campaign: Campaign, role: str
    ) -> None:
        client = client_of(house.people[role])
        for name, url in pages_of(house, report, campaign).items():
            wanted = 404 if role == Role.LABEL_AUDITOR and name in NOT_FOR_LABELS else 200
            assert client.get(url).status_code == wanted, name

    def test_does_not_exist_for_strangers(self, house: House, report: Report, campaign: Campaign) -> None:
        client = client_of(house.stranger)
        for name, url in pages_of(house, report, campaign).items():
            if name == "reports":
                assert "night-drive" not in text_of(client.get(url))
            else:
                assert client.get(url).status_code == 404, name

    def test_asks_the_anonymous_to_sign_in(self, house: House, report: Report, campaign: Campaign) -> None:
        for name, url in pages_of(house, report, campaign).items():
            assert client_of(None).get(url).status_code == 302, name


class TestReportPage:
    def page(self, house: House, report: Report) -> str:
        return text_of(client_of(house.scene.auditor).get(reverse("audit:report", args=[report.public_id])))

    def test_verifies_the_signature_now(self, house: House, report: Report) -> None:
        assert "Signature verified now" in self.page(house, report)

    @pytest.mark.parametrize("name", sorted(bundle.SIGNED_NAMES))
    def test_says_when_a_byte_of_a_file_was_changed(self, house: House, report: Report, name: str) -> None:
        path = Path(settings.REPORT_DIR) / report.folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        text = self.page(house, report)
        assert "Does not verify" in text
        assert f"{name}: changed since it was signed" in text
        assert "What it says" not in text

    def test_says_when_the_folder_is_gone(self, house: House, report: Report) -> None:
        Report.objects.filter(pk=report.pk).update(folder="nowhere")
        assert "Does not verify" in self.page(house, report)

    def test_tells_how_to_verify_without_this_server(self, house: House, report: Report) -> None:
        assert "verify_report FOLDER --public-key issuer.pem" in self.page(house, report)

    def test_shows_the_control_and_what_it_cannot_say(self, house: House, report: Report) -> None:
        text = self.page(house, report)
        assert "night-control@1, never heard this music: 0 of its 1 output flagged" in text
        assert "not calibrated" in text


class TestReportFiles:
    def test_carry_a_policy_that_runs_nothing(self, house: House, report: Report) -> None:
        url = reverse("audit:report-file", args=[report.public_id, "report.html"])
        response = client_of(house.scene.auditor).get(url)
        assert response["Content-Security-Policy"].startswith("default-src 'none'")
        assert response["Content-Type"].startswith("text/html")

    def test_are_those_that_were_signed(self, house: House, report: Report) -> None:
        url = reverse("audit:report-file", args=[report.public_id, "report.json"])
        response = client_of(house.scene.auditor).get(url)
        assert hashlib.sha256(b"".join(response)).hexdigest() == report.snapshot_sha256

    @pytest.mark.parametrize("name", ["report.txt", "..", "issuer.pem"])
    def test_are_four_and_no_others(self, house: House, report: Report, name: str) -> None:
        url = f"{reverse('audit:report', args=[report.public_id])}{name}"
        assert client_of(house.scene.auditor).get(url).status_code in {404}

    def test_come_with_the_key_to_compare(self, house: House, report: Report) -> None:
        response = client_of(house.scene.auditor).get(reverse("audit:public-key"))
        assert response.content.startswith(b"-----BEGIN PUBLIC KEY-----")


class TestReportList:
    def test_takes_the_same_number_of_queries_for_more_reports(self, house: House, report: Report) -> None:
        client = client_of(house.scene.auditor)
        few = n_queries(client, reverse("audit:report-list"))
        for _ in range(4):
            Report.objects.create(
                assessment=report.assessment,
                folder="x",
                snapshot_sha256="0" * 64,
                signature="00",
                key_id="0" * 64,
                issued_by=house.scene.officer,
                issued_at=timezone.now(),
            )
        assert n_queries(client, reverse("audit:report-list")) == few


def n_queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


class TestAssessmentPage:
    def page(self, house: House, assessment: Assessment, user: User | None = None) -> str:
        url = reverse("audit:assessment", args=[assessment.public_id])
        return text_of(client_of(user or house.scene.officer).get(url))

    def test_holds_all_45_features_under_their_requirements(
        self, house: House, assessment: Assessment
    ) -> None:
        text = self.page(house, assessment)
        assert text.count('id="feature-') == 45
        assert "Robustness &amp; Safety" in text

    def test_keeps_coverage_and_conformance_apart(self, house: House, assessment: Assessment) -> None:
        text = self.page(house, assessment)
        assert "Coverage" in text
        assert "Conformance" in text
        assert "features have evidence" in text

    def test_leads_to_the_rows_behind_a_figure(
        self, house: House, assessment: Assessment, campaign: Campaign
    ) -> None:
        assert reverse("audit:campaign", args=[campaign.public_id]) in self.page(house, assessment)

    def test_offers_to_attest_only_what_people_can_attest(self, house: House, assessment: Assessment) -> None:
        text = self.page(house, assessment)
        assert reverse("audit:attest", args=[house.version.public_id, "raim", "1-02"]) in text
        assert reverse("audit:attest", args=[house.version.public_id, "raim", "1-01"]) not in text
        assert "/attest/" not in self.page(house, assessment, house.scene.auditor)

    def test_says_that_there_is_a_newer_one(self, house: House, assessment: Assessment) -> None:
        newer = services.assess(version=house.version, by=house.scene.officer, now=timezone.now())
        assert reverse("audit:assessment", args=[newer.public_id]) in self.page(house, assessment)
        assert "newer assessment" not in self.page(house, newer)


class TestAttest:
    def post(self, house: House, user: User, feature: str = "1-02", **changes: str) -> Any:
        given = {
            "conformance": "partly",
            "reason": "Continuations were tried with three people.",
            "evidence": "https://example.org/notes.pdf",
            "effective_on": "2026-03-01",
            **changes,
        }
        url = reverse("audit:attest", args=[house.version.public_id, "raim", feature])
        return client_of(user).post(url, given)

    def test_records_the_word_and_assesses_anew(self, house: House) -> None:
        response = self.post(house, house.scene.officer)
        made = Assessment.objects.latest("id")
        assert response["Location"] == reverse("audit:assessment", args=[made.public_id])
        assert made.answers.get(feature="1-02").conformance == "partly"
        assert Attestation.objects.get().attested_by == house.scene.officer

    def test_wants_evidence_for_a_claim(self, house: House) -> None:
        response = self.post(house, house.scene.officer, evidence="")
        assert response.status_code == 422
        assert "without evidence" in text_of(response)
        assert not Attestation.objects.exists()

    @pytest.mark.parametrize("role", [Role.LABEL_AUDITOR, Role.EXTERNAL_AUDITOR])
    def test_is_not_for_those_who_judge_from_outside(self, house: House, role: str) -> None:
        assert self.post(house, house.people[role]).status_code == 403
        assert not Attestation.objects.exists()

    def test_knows_the_features_there_are(self, house: House) -> None:
        assert self.post(house, house.scene.officer, feature="9-99").status_code == 404


class TestQueued:
    """Reports and campaigns are made by a worker; what it leaves is found from the job's page."""

    @pytest.fixture(autouse=True)
    def no_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("governance.jobs._send", lambda public_id, queue: None)
        monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-1.7 not drawn here")

    def test_report_is_issued(self, house: House) -> None:
        client = client_of(house.scene.officer)
        response = client.post(reverse("audit:issue", args=[house.version.public_id]))
        job = Job.objects.get(kind=jobs.REPORT)
        outcome = KINDS[job.kind].work(job, lambda *_: None)
        Job.objects.filter(pk=job.pk).update(state="done", outcome=dict(outcome))
        assert reverse("audit:report", args=[outcome["report"]]) in text_of(client.get(response["Location"]))

    def test_campaign_is_run(self, house: House) -> None:
        client = client_of(house.scene.engineer)
        client.post(reverse("audit:run-campaign", args=[house.version.public_id]), {"kind": "memorisation"})
        job = Job.objects.get(kind=jobs.CAMPAIGN)
        outcome = KINDS[job.kind].work(job, lambda *_: None)
        text = text_of(client.get(reverse("audit:campaign", args=[outcome["campaign"]])))
        assert "p = 0.75 (Fisher" in text
        assert "night-control@1" in text

    @pytest.mark.parametrize("name", ["issue", "run-campaign", "assess"])
    def test_nothing_is_made_for_an_external_auditor(self, house: House, name: str) -> None:
        url = reverse(f"audit:{name}", args=[house.version.public_id])
        response = client_of(house.scene.auditor).post(url, {"kind": "memorisation", "framework": "raim"})
        assert response.status_code == 403
        assert not Job.objects.exists()
        assert not Assessment.objects.exists()

    @pytest.mark.parametrize("name", ["issue", "run-campaign", "assess"])
    def test_nothing_is_there_for_a_stranger(self, house: House, name: str) -> None:
        url = reverse(f"audit:{name}", args=[house.version.public_id])
        assert client_of(house.stranger).post(url).status_code == 404


class TestSlots:
    def test_show_judgements_on_the_model_card(
        self, house: House, report: Report, campaign: Campaign
    ) -> None:
        url = reverse("generation:model-version", args=[house.version.public_id])
        text = text_of(client_of(house.scene.officer).get(url))
        for place, public_id in [
            ("report", report.public_id),
            ("assessment", report.assessment.public_id),
            ("campaign", campaign.public_id),
        ]:
            assert reverse(f"audit:{place}", args=[public_id]) in text
        assert reverse("audit:issue", args=[house.version.public_id]) in text

    def test_show_the_external_auditor_reports_and_models_without_one(
        self, house: House, report: Report
    ) -> None:
        text = text_of(client_of(house.scene.auditor).get(reverse("home")))
        assert reverse("audit:report", args=[report.public_id]) in text
        assert "Models without a report" in text
        without = text.split("Models without a report")[1].split("</section>")[0]
        assert "night-control" in without
        assert "night-drive" not in without

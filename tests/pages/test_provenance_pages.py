"""Pages of provenance: who may open which, what stands there, what its forms do, and how many queries it takes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance import jobs
from governance.jobs import KINDS
from governance.keyset import slice_of
from governance.models import Decision, Job, Review, Role, User
from provenance import media
from provenance.models import (
    Catalogue,
    Conflict,
    ConflictStatus,
    DatasetVersion,
    Grant,
    Party,
    Recording,
    RightsClaim,
)
from provenance.queries.clearances import CLEAR
from provenance.queries.conflicts import WEIGHTIEST
from tests.catalogues import register, table
from tests.pages.people import Shelf, a_frozen, more_entries, write_source
from tests.people import a_conflict


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep the broker out of it: what would wake a worker is listed."""
    woken: list[str] = []
    monkeypatch.setattr(jobs, "_send", lambda public_id, queue: woken.append(public_id))
    return woken


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def pages_of(shelf: Shelf) -> dict[str, str]:
    one: dict[str, Any] = {
        "dataset": shelf.dataset,
        "recording": shelf.recording,
        "grant": shelf.grant,
        "version": a_frozen(shelf),
        "conflict": a_conflict(shelf.dataset),
    }
    lists = ("dataset-list", "recording-list", "conflict-list", "grant-list", "licence-list")
    return {
        **{name: reverse(f"provenance:{name}", args=[thing.public_id]) for name, thing in one.items()},
        **{name: reverse(f"provenance:{name}") for name in lists},
        "licence": reverse("provenance:licence", args=["CC-BY-SA-4.0"]),
    }


def url(name: str, *args: Any) -> str:
    return reverse(f"provenance:{name}", args=args)


def text_of(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


NOT_FOR_LABELS = {"recording", "grant", "conflict"}  # a label reads what is its own


class TestEveryPage:
    @pytest.mark.parametrize("role", Role.values)
    def test_opens_for_each_role(self, shelf: Shelf, role: str) -> None:
        client = client_of(shelf.people.by_role()[role])
        for name, address in pages_of(shelf).items():
            wanted = 404 if role == Role.LABEL_AUDITOR and name in NOT_FOR_LABELS else 200
            assert client.get(address).status_code == wanted, name

    def test_asks_the_anonymous_to_sign_in(self, shelf: Shelf) -> None:
        for name, address in pages_of(shelf).items():
            response = client_of(None).get(address)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("login")), name

    def test_tells_a_stranger_nothing(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.stranger)
        for name, address in pages_of(shelf).items():
            response = client.get(address)
            open_to_all = name.endswith("-list") or name == "licence"
            assert response.status_code == (200 if open_to_all else 404), name
            for secret in ("folk", "Meadow", "Cellar Records"):
                assert secret not in response.content.decode(), f"{name}: {secret}"

    @pytest.mark.parametrize("name", ["dataset", "version", "recording-list", "conflict-list", "grant-list"])
    def test_answers_htmx_with_a_part_of_itself(self, shelf: Shelf, name: str) -> None:
        client = client_of(shelf.people.steward)
        address = pages_of(shelf)[name]
        part = client.get(address, headers={"HX-Request": "true"})
        assert "<html" not in part.content.decode()
        assert "<table" in part.content.decode()
        assert "HX-Request" in part["Vary"]

    def test_sends_htmx_of_the_anonymous_to_the_whole_login(self, shelf: Shelf) -> None:
        part = client_of(None).get(url("dataset-list"), headers={"HX-Request": "true"})
        assert part["HX-Redirect"].startswith(reverse("login"))


class TestLists:
    @pytest.mark.parametrize(
        ("name", "role"),
        [("dataset", "data_steward"), ("recording-list", "label_auditor"), ("conflict-list", "data_steward")],
    )
    def test_ask_no_more_of_the_database_as_rows_grow(self, shelf: Shelf, name: str, role: str) -> None:
        client = client_of(shelf.people.by_role()[role])
        address = url(name, shelf.dataset.public_id) if name == "dataset" else url(name)
        client.get(address)
        few = n_queries(client, address)
        more_entries(shelf.dataset, 20)
        assert n_queries(client, address) == few

    def test_find_a_recording_by_part_of_its_title(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        text = text_of(client, f"{url('recording-list')}?q=harbour")
        assert "Harbour Lights" in text
        assert "Cellar Door" not in text

    def test_say_so_when_nothing_is_found(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.outsider), f"{url('recording-list')}?q=zither")
        assert "Nothing found" in text

    def test_tell_who_may_register_what_to_do_first(self, shelf: Shelf) -> None:
        assert "Register the first" in text_of(client_of(shelf.people.stranger), url("dataset-list"))


def n_queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


class TestDatasetPage:
    def test_shows_each_answer_with_its_reasons(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.officer), url("dataset", shelf.dataset.public_id))
        assert "Harbour Lights" in text
        assert "share alike outputs" in text
        assert "Not allowed" in text
        assert "Draft: not approved" in text
        assert "mood" in text  # the column nobody understands
        assert "Row 5, missing" in text

    def test_answers_by_the_use_that_is_asked(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        address = url("dataset", shelf.dataset.public_id)
        assert answers(client, f"{address}?answer=constrained") == ["Harbour Lights"]
        assert answers(client, f"{address}?answer=constrained&policy=strict") == []
        assert answers(client, f"{address}?answer=not_allowed") == ["Cellar Door"]
        assert answers(client, f"{address}?answer=not_allowed&commercial=no") == []

    def test_counts_a_large_dataset_only_when_a_worker_did(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, sent: list[str]
    ) -> None:
        monkeypatch.setattr("provenance.queries.clearances.AT_ONCE", 2)
        client = client_of(shelf.people.officer)
        address = url("dataset", shelf.dataset.public_id)
        uncounted = client.get(address)
        assert uncounted.context["table"].counts == []
        assert len(uncounted.context["table"].rows) == 3
        assert "Work them out" in uncounted.content.decode()
        client.post(url("matrix-work-out", shelf.dataset.public_id))
        assert "They are being worked out" in client.get(address).content.decode()
        KINDS[CLEAR].work(Job.objects.get(kind=CLEAR), lambda *_: None)
        assert dict(client.get(address).context["table"].counts)["allowed"] == 1

    def test_says_what_is_wrong_with_a_country_nobody_knows(self, shelf: Shelf) -> None:
        text = text_of(
            client_of(shelf.people.officer), f"{url('dataset', shelf.dataset.public_id)}?territory=Narnia"
        )
        assert "can't be read as it stands" in text

    def test_offers_the_decision_to_the_officer_alone(self, shelf: Shelf) -> None:
        address = url("dataset", shelf.dataset.public_id)
        for person in shelf.people:
            offered = "Record the decision" in text_of(client_of(person), address)
            assert offered == (person == shelf.people.officer), person.username


def answers(client: Client, address: str) -> list[str]:
    return [row.entry.title for row in client.get(address).context["table"].rows]


class TestApproving:
    def test_records_the_conditions_that_were_ticked(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        given = {"decision": "approved", "conditions": ["attribution"], "reason": "Read and understood."}
        response = client.post(url("dataset-approve", shelf.dataset.public_id), given)
        assert response.status_code == 302
        review = Review.objects.get(subject_id=shelf.dataset.public_id)
        assert (review.decision, review.conditions) == (Decision.APPROVED, ["attribution"])

    def test_without_a_reason_says_so_and_keeps_what_was_ticked(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        given = {"decision": "rejected", "conditions": ["attribution"], "reason": "  "}
        response = client.post(url("dataset-approve", shelf.dataset.public_id), given)
        assert response.status_code == 422
        text = response.content.decode()
        assert "Say in a sentence why." in text
        assert text.count("checked") == 2
        assert Review.objects.get().decision == Decision.PENDING

    @pytest.mark.parametrize("role", ["data_steward", "ml_engineer", "label_auditor", "external_auditor"])
    def test_is_refused_to_other_roles(self, shelf: Shelf, role: str) -> None:
        client = client_of(shelf.people.by_role()[role])
        given = {"decision": "approved", "reason": "Mine."}
        response = client.post(url("dataset-approve", shelf.dataset.public_id), given)
        assert response.status_code == 403
        assert "compliance officer" in response.content.decode()
        assert Review.objects.get().decision == Decision.PENDING


class TestFreezing:
    def test_leads_to_the_version_with_its_root(self, shelf: Shelf) -> None:
        approved = {
            "decision": "approved",
            "reason": "Read.",
            "conditions": ["attribution", "share-alike-outputs"],
        }
        client_of(shelf.people.officer).post(url("dataset-approve", shelf.dataset.public_id), approved)
        client = client_of(shelf.people.engineer)
        given = {
            "purpose": "ai_generative_training",
            "commercial": "yes",
            "policy": "default",
            "only_cleared": "on",
        }
        response = client.post(url("dataset-freeze", shelf.dataset.public_id), given)
        version = DatasetVersion.objects.get()
        assert response["Location"] == url("version", version.public_id)
        assert (version.n_recordings, version.n_left_out) == (2, 1)
        assert version.merkle_root in text_of(client, url("version", version.public_id))

    def test_of_a_draft_says_what_is_missing(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.engineer)
        given = {"purpose": "ai_generative_training", "commercial": "yes", "policy": "default"}
        response = client.post(url("dataset-freeze", shelf.dataset.public_id), given)
        assert response.status_code == 422
        assert "is a draft" in response.content.decode()
        assert not DatasetVersion.objects.exists()


class TestRegistering:
    def test_queues_a_job_that_a_worker_can_do(
        self, shelf: Shelf, tmp_path: Path, sent: list[str], django_capture_on_commit_callbacks: Any
    ) -> None:
        client = client_of(shelf.people.steward)
        table = SimpleUploadedFile("songs.csv", b"external_id,title\nsong-1,Song one\n")
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(
                url("dataset-register"), {"name": "names", "kind": "training", "file": table}
            )
        job = Job.objects.get()
        assert response["Location"] == reverse("governance:job", args=[job.public_id])
        assert sent == [str(job.public_id)]
        jobs.perform(str(job.public_id))
        job.refresh_from_db()
        assert (job.state, job.outcome["registered"]) == ("done", 1)

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("notes.txt", b"hello", "of no kind that is read here"),
            ("far.csv", b"path,title\n/etc/passwd,Shadow\n", "lies outside what was sent"),
        ],
    )
    def test_refuses_what_is_no_source(self, shelf: Shelf, name: str, content: bytes, words: str) -> None:
        client = client_of(shelf.people.steward)
        given = {"name": "bad", "kind": "training", "file": SimpleUploadedFile(name, content)}
        response = client.post(url("dataset-register"), given)
        assert response.status_code == 422
        assert words in response.content.decode()
        assert not Job.objects.exists()

    def test_takes_only_what_lies_in_the_inbox(
        self, shelf: Shelf, tmp_path: Path, settings: Any, sent: list[str]
    ) -> None:
        settings.DATA_DIR = tmp_path / "data"
        inbox = settings.DATA_DIR / "inbox"
        inbox.mkdir(parents=True)
        write_source(inbox)
        client = client_of(shelf.people.steward)
        outside = client.post(url("dataset-register"), {"name": "x", "kind": "training", "path": "../../etc"})
        assert outside.status_code == 422
        client.post(url("dataset-register"), {"name": "x", "kind": "training", "path": "folk.csv"})
        assert Job.objects.get().arguments["source"] == str(inbox / "folk.csv")

    def test_is_for_stewards(self, shelf: Shelf) -> None:
        assert client_of(shelf.people.engineer).get(url("dataset-register")).status_code == 403

    def test_index_button_queues_a_job(self, shelf: Shelf, sent: list[str]) -> None:
        client = client_of(shelf.people.steward)
        client.post(url("dataset-index", shelf.dataset.public_id))
        assert Job.objects.get().arguments == {"reference": "folk"}
        refused = client_of(shelf.people.outsider).post(url("dataset-index", shelf.dataset.public_id))
        assert refused.status_code == 403


class TestRecordingPage:
    def test_keeps_sources_apart_and_names_where_it_is_used(self, shelf: Shelf) -> None:
        version = a_frozen(shelf)
        text = text_of(client_of(shelf.people.outsider), url("recording", shelf.recording.public_id))
        assert "Meadow &amp; Brook" in text
        assert "Data steward" in text
        assert str(version) in text
        assert "frozen under Creative Commons Zero 1.0 Universal (CC0-1.0)" in text

    def test_shows_a_revoked_grant_as_a_broken_link(self, shelf: Shelf) -> None:
        cellar = shelf.grant.subjects.get().recording
        client = client_of(shelf.people.steward)
        assert 'class="broken"' not in text_of(client, url("recording", cellar.public_id))
        client.post(url("grant-revoke", shelf.grant.public_id), {"reason": "The deal is off."})
        assert 'class="broken"' in text_of(client, url("recording", cellar.public_id))


class TestSound:
    def test_is_sent_whole_or_in_the_range_asked(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        address = url("recording-audio", shelf.recording.public_id)
        whole = body_of(client.get(address))
        part = client.get(address, headers={"Range": "bytes=100-199"})
        assert part.status_code == 206
        assert part["Content-Range"] == f"bytes 100-199/{len(whole)}"
        assert body_of(part) == whole[100:200]
        assert body_of(client.get(address, headers={"Range": "bytes=-5"})) == whole[-5:]
        assert body_of(client.get(address, headers={"Range": "bytes=40-"})) == whole[40:]

    @pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=9-3"])
    def test_says_416_beyond_its_end(self, shelf: Shelf, asked: str) -> None:
        client = client_of(shelf.people.outsider)
        response = client.get(url("recording-audio", shelf.recording.public_id), headers={"Range": asked})
        assert response.status_code == 416

    @pytest.mark.parametrize("asked", ["bytes=0-4,9-12", "items=0-4", "bytes=-"])
    def test_ignores_a_range_it_does_not_know(self, shelf: Shelf, asked: str) -> None:
        client = client_of(shelf.people.outsider)
        response = client.get(url("recording-audio", shelf.recording.public_id), headers={"Range": asked})
        assert response.status_code == 200

    def test_is_whole_again_when_the_file_is_another(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        response = client.get(
            url("recording-audio", shelf.recording.public_id),
            headers={"Range": "bytes=0-4", "If-Range": '"another"'},
        )
        assert response.status_code == 200

    @pytest.mark.parametrize("name", ["recording-audio", "recording-peaks"])
    def test_is_not_for_strangers(self, shelf: Shelf, name: str) -> None:
        address = url(name, shelf.recording.public_id)
        assert client_of(shelf.people.stranger).get(address).status_code == 404
        assert client_of(None).get(address).status_code == 302

    def test_has_peaks_between_0_and_1_that_are_drawn_once(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = client_of(shelf.people.outsider)
        address = url("recording-peaks", shelf.recording.public_id)
        drawn = client.get(address).json()
        assert drawn["duration_s"] == pytest.approx(6.0, abs=0.05)
        assert len(drawn["peaks"]) == pytest.approx(300, abs=5)
        assert all(0 <= peak <= 1 for peak in drawn["peaks"])
        assert max(drawn["peaks"]) > 0.5
        monkeypatch.setattr(media, "_draw", lambda path: pytest.fail("drawn a second time"))
        assert client.get(address).json() == drawn

    def test_of_what_is_known_by_name_only_says_so(self, shelf: Shelf) -> None:
        recording = shelf.recording
        recording.audio = ""
        recording.save(update_fields=["audio"])
        response = client_of(shelf.people.outsider).get(url("recording-audio", recording.public_id))
        assert response.status_code == 409
        assert "no audio of this recording" in response.content.decode()


class TestSoundForALabel:
    """What a label reads because its catalogue was found in it, it hears where it was found."""

    FINGERPRINT: ClassVar = {"kind": "fingerprint", "recording_start_s": 3.0, "agreed_s": 0.5}

    @staticmethod
    def found(shelf: Shelf, *evidence: dict[str, Any]) -> Recording:
        label, now = shelf.people.auditor, timezone.now()
        catalogue = Catalogue.objects.create(
            organisation=shelf.people.house,
            name="Clips",
            source_name="clips.zip",
            source_sha256="0" * 64,
            uploaded_by=label,
            uploaded_at=now,
        )
        row = catalogue.rows.create(row=1, external_id="clip")
        run = catalogue.runs.create(
            dataset=shelf.dataset,
            asked_by=label,
            run_at=now,
            n_rows=1,
            n_found=1,
            n_probable=0,
            n_recordings=3,
        )
        run.matches.create(row=row, recording=shelf.recording, answer="found", score=1.0, evidence=evidence)
        return shelf.recording

    def heard_by_label(self, shelf: Shelf) -> Any:
        return client_of(shelf.people.auditor).get(url("recording-peaks", shelf.recording.public_id))

    def test_is_silent_but_for_the_stretch_that_was_found(self, shelf: Shelf) -> None:
        recording = self.found(shelf, self.FINGERPRINT)
        drawn = self.heard_by_label(shelf).json()
        peaks = drawn["peaks"]
        second = len(peaks) / drawn["duration_s"]
        assert drawn["duration_s"] == pytest.approx(6.0, abs=0.2)
        assert max(peaks[: int(0.8 * second)]) < 0.01
        assert max(peaks[int(1.2 * second) : int(5.3 * second)]) > 0.5
        assert max(peaks[int(5.75 * second) :]) < 0.01
        client = client_of(shelf.people.auditor)
        part = body_of(client.get(url("recording-audio", recording.public_id)))
        whole = body_of(client_of(shelf.people.officer).get(url("recording-audio", recording.public_id)))
        assert part != whole
        page = text_of(client, url("recording", recording.public_id))
        assert "You hear what your catalogue was found in: 0:01–0:06" in page

    def test_is_not_there_for_an_isrc_alone(self, shelf: Shelf) -> None:
        recording = self.found(shelf, {"kind": "isrc", "isrc": "GBAYE0601477"})
        assert self.heard_by_label(shelf).status_code == 403
        client = client_of(shelf.people.auditor)
        assert client.get(url("recording-audio", recording.public_id)).status_code == 403
        page = text_of(client, url("recording", recording.public_id))
        assert "You may read it and not hear it" in page
        assert "<audio" not in page

    @pytest.mark.parametrize("by", ["samples", "claim", "grant"])
    def test_is_whole_of_its_own(self, shelf: Shelf, by: str) -> None:
        recording = self.found(
            shelf, {"kind": "samples", "sha256": "1"} if by == "samples" else self.FINGERPRINT
        )
        party = Party.objects.create(
            organisation=shelf.people.house, name="Ours", stands_for=shelf.people.house
        )
        if by == "claim":
            RightsClaim.objects.create(recording=recording, party=party, right="master", source="steward")
        if by == "grant":
            Party.objects.filter(pk=shelf.grant.licensor_id).update(stands_for=shelf.people.house)
            shelf.grant.subjects.create(recording=recording)
        drawn = self.heard_by_label(shelf).json()
        assert max(drawn["peaks"][:30]) > 0.1
        page = text_of(client_of(shelf.people.auditor), url("recording", recording.public_id))
        assert "You hear what" not in page

    def test_is_not_whole_by_a_claim_that_was_withdrawn(self, shelf: Shelf) -> None:
        recording = self.found(shelf, self.FINGERPRINT)
        party = Party.objects.create(
            organisation=shelf.people.house, name="Ours", stands_for=shelf.people.house
        )
        RightsClaim.objects.create(
            recording=recording,
            party=party,
            right="master",
            source="steward",
            withdrawn_at=timezone.now(),
        )
        assert max(self.heard_by_label(shelf).json()["peaks"][:30]) < 0.01


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


class TestConflictPage:
    def test_shows_both_sides(self, shelf: Shelf) -> None:
        conflict = a_conflict(shelf.dataset)
        text = text_of(client_of(shelf.people.steward), url("conflict", conflict.public_id))
        assert "CC0-1.0" in text
        assert "CC-BY-4.0" in text
        assert text.count("<audio") == 2

    def test_of_a_recording_with_itself_shows_it_once(self, shelf: Shelf) -> None:
        conflict = a_conflict(shelf.dataset)
        conflict.recording_b, conflict.evidence_b = conflict.recording_a, {}
        conflict.save()
        text = text_of(client_of(shelf.people.steward), url("conflict", conflict.public_id))
        assert text.count("<audio") == 1
        assert "side-B" not in text

    def test_is_closed_with_a_reason(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.steward)
        conflict = a_conflict(shelf.dataset)
        address = url("conflict", conflict.public_id)
        assert client.post(address, {"decision": "dismissed", "reason": ""}).status_code == 422
        assert client.post(address, {"decision": "dismissed", "reason": "Two takes."}).status_code == 302
        conflict.refresh_from_db()
        assert conflict.status == ConflictStatus.DISMISSED
        assert "Two takes." in text_of(client, address)

    def test_is_not_closed_by_who_may_not(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        conflict = a_conflict(shelf.dataset)
        address = url("conflict", conflict.public_id)
        assert "Close the conflict" not in text_of(client, address)
        assert client.post(address, {"decision": "both", "reason": "So."}).status_code == 403


class TestWhereAStatementComesFrom:
    def test_is_the_row_of_the_table_and_no_evidence(self, shelf: Shelf, tmp_path: Path) -> None:
        people = shelf.people
        for licence in ("CC-BY-SA-3.0", "CC-BY-NC-4.0"):
            rows = [{"external_id": "t-1", "title": "Tune", "licence": licence}]
            register("songs", table(tmp_path / f"{licence}.csv", rows), people.steward, people.house)
        conflict = Conflict.objects.get(recording_a__title="Tune")
        text = text_of(client_of(people.steward), url("conflict", conflict.public_id))
        assert "not said" not in text
        assert "CC-BY-SA-3.0.csv, row 2 (songs)" in text
        assert "a later registration than CC-BY-SA-3.0.csv, row 2 (songs)" in text
        assert "no evidence: the table&#x27;s own word" in text or "no evidence: the table's own word" in text
        said = [*conflict.evidence_a["statements"], *conflict.evidence_b["statements"]]
        assert {one["evidence"] for one in said} == {""}  # what is kept, and weighed, is as it was

    def test_is_the_evidence_where_there_is_some(self, shelf: Shelf) -> None:
        conflict = a_conflict(shelf.dataset)
        said = {
            "right": "master",
            "source": "package_file",
            "expression": "MIT",
            "evidence": "debian/copyright",
        }
        conflict.evidence_a = {"statements": [said]}
        conflict.save()
        text = text_of(client_of(shelf.people.steward), url("conflict", conflict.public_id))
        assert "debian/copyright" in text
        assert "registered from" not in text


class TestConflictQueue:
    """What contradicts itself most stands first; what is weak and many is counted in one line."""

    KINDS = (
        "one_holder_string_for_many",
        "same_sound_two_licences",
        "same_title_and_artist",
        "tag_against_package",
        "one_holder_string_for_many",
        "same_sound_two_licences",
    )

    @pytest.fixture
    def conflicts(self, shelf: Shelf) -> list[Conflict]:
        found = [a_conflict(shelf.dataset) for _ in self.KINDS]
        for n, (conflict, kind) in enumerate(zip(found, self.KINDS, strict=True)):
            conflict.kind = kind
            conflict.found_at += timedelta(hours=n)
            conflict.evidence_a = {"statements": [{"weak": n == 5}]}
            conflict.save()
        return found

    @staticmethod
    def shown(client: Client, asked: str = "") -> tuple[list[int], str]:
        answer = client.get(f"{url('conflict-list')}{asked}")
        return [one.pk for one in answer.context["slice"].rows], answer.content.decode()

    def test_begins_with_two_licences_of_one_sound_and_ends_with_a_name(
        self, shelf: Shelf, conflicts: list[Conflict]
    ) -> None:
        rows, text = self.shown(client_of(shelf.people.steward))
        strong, weak = conflicts[1].pk, conflicts[5].pk  # the weak one was found later
        assert rows == [strong, weak, conflicts[3].pk, conflicts[2].pk]
        assert f"kind=one_holder_string_for_many&amp;dataset={shelf.dataset.public_id}" in text
        assert ">folk</a>&nbsp;2." in text
        kinds = client_of(shelf.people.steward).get(url("conflict-list")).context["kinds"]
        assert next(iter(kinds)) == "same_sound_two_licences"
        assert [*kinds][-1] == "one_holder_string_for_many"

    def test_shows_what_it_counted_when_it_is_asked_for(
        self, shelf: Shelf, conflicts: list[Conflict]
    ) -> None:
        rows, text = self.shown(client_of(shelf.people.steward), "?kind=one_holder_string_for_many")
        assert rows == [conflicts[4].pk, conflicts[0].pk]
        assert "closing it changes no answer" in text
        assert "counted here" not in text

    def test_is_not_called_empty_where_all_is_counted(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        Conflict.objects.exclude(kind="one_holder_string_for_many").delete()
        rows, text = self.shown(client_of(shelf.people.steward))
        assert rows == []
        assert "counted here" in text
        assert "No conflict here" not in text

    def test_takes_the_same_number_of_queries_for_more(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        client = client_of(shelf.people.steward)
        self.shown(client)
        with CaptureQueriesContext(
            connection,
        ) as few:
            self.shown(client)
        for conflict in [a_conflict(shelf.dataset) for _ in range(6)]:
            Conflict.objects.filter(pk=conflict.pk).update(kind="one_holder_string_for_many")
        with CaptureQueriesContext(connection) as many:
            self.shown(client)
        assert len(many) == len(few)

    def test_goes_on_from_a_place_among_the_weights(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        every = slice_of(Conflict.objects.all(), WEIGHTIEST, size=6).rows
        first = slice_of(Conflict.objects.all(), WEIGHTIEST, size=2)
        rest = slice_of(Conflict.objects.all(), WEIGHTIEST, size=6, after=first.after)
        assert [*first.rows, *rest.rows] == [*every]


class TestConflictsTogether:
    @pytest.fixture
    def conflicts(self, shelf: Shelf) -> list[Conflict]:
        found = [a_conflict(shelf.dataset) for _ in range(3)]
        for conflict in found:
            for name, source, expression in (
                ("a", "embedded_tag", "CC-BY-3.0"),
                ("b", "package_file", "CC0-1.0"),
            ):
                statement = {"right": "master", "source": source, "expression": expression}
                setattr(conflict, f"evidence_{name}", {"statements": [statement]})
            conflict.save()
        return found

    def close(self, client: Client, conflicts: list[Conflict], **said: str) -> Any:
        chosen = {"conflict": [str(one.public_id) for one in conflicts], "reason": "Read.", **said}
        return client.post(f"{url('conflicts-close')}?kind={conflicts[0].kind}", chosen)

    def test_are_ticked_where_one_kind_is_shown(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        client = client_of(shelf.people.steward)
        assert "Close those ticked" not in text_of(client, url("conflict-list"))
        text = text_of(client, f"{url('conflict-list')}?kind={conflicts[0].kind}")
        assert text.count('type="checkbox"') == 3
        assert "Close those ticked" in text

    def test_are_closed_in_favour_of_a_source(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        client = client_of(shelf.people.steward)
        assert self.close(client, conflicts[:2], decision="package_file").status_code == 302
        sides = Conflict.objects.order_by("id").values_list("status", "in_favour_of")
        assert list(sides) == [("resolved", "b"), ("resolved", "b"), ("open", "")]

    def test_are_not_closed_by_who_may_not(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        assert self.close(client_of(shelf.people.outsider), conflicts, decision="both").status_code == 403
        assert self.close(client_of(shelf.people.auditor), conflicts, decision="both").status_code == 404
        assert self.close(client_of(shelf.people.stranger), conflicts, decision="both").status_code == 404
        assert not Conflict.objects.exclude(status="open").exists()

    def test_say_what_is_missing(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        client = client_of(shelf.people.steward)
        response = self.close(client, conflicts, decision="registry")
        assert response.status_code == 422
        nothing = client.post(
            f"{url('conflicts-close')}?kind={conflicts[0].kind}", {"decision": "both", "reason": "Read."}
        )
        assert nothing.status_code == 422
        assert "Choose at least one conflict." in nothing.content.decode()

    def test_show_what_each_decision_would_answer(self, shelf: Shelf, conflicts: list[Conflict]) -> None:
        text = text_of(client_of(shelf.people.steward), url("conflict", conflicts[0].public_id))
        assert "Open, as it is now" in text
        assert "In favour of A: CC-BY-3.0 holds, CC0-1.0 is set aside" in text


class TestGrantPages:
    def test_show_what_hangs_on_a_grant(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.steward), url("grant", shelf.grant.public_id))
        assert "Cellar Records to House" in text
        assert "Cellar Door" in text
        assert "folk" in text

    def test_say_which_rights_end_with_a_deal(self, shelf: Shelf) -> None:
        client, deal = client_of(shelf.people.steward), shelf.grant.deal
        twin = Grant.objects.get(pk=shelf.grant.pk)
        other = {"master": "composition", "composition": "master"}[twin.right]
        twin.pk, twin.public_id, twin.key, twin.right = None, uuid4(), "0" * 64, other
        twin.save()

        text = text_of(client, url("grant", shelf.grant.public_id))
        assert "unless you choose one, all of them end" in text
        client.post(url("grant-revoke", twin.public_id), {"reason": "Off.", "right": other})
        assert [one.right for one in Grant.objects.filter(deal=deal, revoked_at=None)] == [shelf.grant.right]
        assert "what is left of the deal" in text_of(client, url("grant", shelf.grant.public_id))
        client.post(url("grant-revoke", shelf.grant.public_id), {"reason": "Off."})
        assert not Grant.objects.filter(deal=deal, revoked_at=None).exists()

    def test_revoke_from_a_day_and_never_twice(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.steward)
        given = {"revoked_from": "2026-02-01", "reason": "The deal is off."}
        client.post(url("grant-revoke", shelf.grant.public_id), given)
        shelf.grant.refresh_from_db()
        assert shelf.grant.revoked_from == datetime(2026, 2, 1, tzinfo=UTC)
        again = client.post(url("grant-revoke", shelf.grant.public_id), given)
        assert again.status_code == 409
        assert "revoked already" in again.content.decode()

    def test_filter_by_state(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.steward)
        assert "Cellar Records" in text_of(client, f"{url('grant-list')}?state=in_force")
        assert "No grant fits" in text_of(client, f"{url('grant-list')}?state=revoked")

    def test_register_good_rows_and_name_what_is_wrong_with_others(self, shelf: Shelf) -> None:
        deals = (
            b"licensor,licensee,right,recordings,purposes\n"
            b"Meadow Ltd,House,both,meadow,redistribution\n"
            b"Nobody,House,master,nothing,redistribution\n"
        )
        given = {"file": SimpleUploadedFile("deals.csv", deals)}
        text = client_of(shelf.people.steward).post(url("grant-register"), given).content.decode()
        assert "Registered" in text
        assert "no recording &#x27;nothing&#x27;" in text

    def test_dry_run_keeps_nothing(self, shelf: Shelf) -> None:
        deals = b"licensor,licensee,right,recordings,purposes\nMeadow Ltd,House,both,meadow,redistribution\n"
        given = {"file": SimpleUploadedFile("deals.csv", deals), "dry_run": "on"}
        client = client_of(shelf.people.steward)
        assert "What would happen" in client.post(url("grant-register"), given).content.decode()
        assert "Meadow Ltd" not in text_of(client, url("grant-list"))


class TestLicencePages:
    def test_say_that_no_lawyer_looked(self, shelf: Shelf) -> None:
        assert "not reviewed by counsel" in text_of(
            client_of(shelf.people.outsider), url("licence", "CC-BY-SA-4.0")
        )

    def test_know_nothing_of_a_licence_nobody_knows(self, shelf: Shelf) -> None:
        assert client_of(shelf.people.outsider).get(url("licence", "LicenseRef-none")).status_code == 404


class TestNotThere:
    @pytest.mark.parametrize("name", ["dataset", "version", "recording", "conflict", "grant"])
    def test_says_so_on_a_page(self, shelf: Shelf, name: str) -> None:
        response = client_of(shelf.people.steward).get(url(name, uuid4()))
        assert response.status_code == 404
        assert "Nothing under this address" in response.content.decode()

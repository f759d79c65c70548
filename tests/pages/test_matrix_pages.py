"""The clearance matrix and kept evidence as pages: who sees and does what, without a script, in how many queries."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import LedgerEvent, Role
from provenance.models import (
    EvidenceDocument,
    LicenceStatement,
    Omission,
    Party,
    RightsClaim,
)
from provenance.queries.omissions import left_out_of
from tests.pages.people import Shelf, a_frozen, more_entries
from tests.pages.test_provenance_pages import client_of, sent, text_of, url  # noqa: F401


@pytest.fixture
def matrix(shelf: Shelf) -> str:
    return url("matrix", shelf.dataset.public_id)


@pytest.fixture
def steward(shelf: Shelf) -> Client:
    return client_of(shelf.people.steward)


def titles(client: Client, address: str) -> list[str]:
    return [row.entry.title for row in client.get(address).context["rows"]]


def do(client: Client, shelf: Shelf, deed: str, *, at: str = "", **said: Any) -> Any:
    return client.post(url("matrix-deed", shelf.dataset.public_id) + at, {"deed": deed, **said})


class TestMatrix:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("", ["Cellar Door", "Harbour Lights", "Meadow & Brook"]),
            ("answer=constrained", ["Harbour Lights"]),
            ("answer=not_allowed", ["Cellar Door"]),
            ("answer=not_allowed&commercial=no", []),
            ("basis=public_domain", ["Meadow & Brook"]),
            ("right=master&basis=grant", ["Cellar Door"]),
            ("licence=CC-BY-SA-4.0", ["Harbour Lights"]),
            ("q=harbour", ["Harbour Lights"]),
            ("q=nowhere", []),
            ("sort=title", ["Cellar Door", "Harbour Lights", "Meadow & Brook"]),
            ("left_out=on", []),
        ],
    )
    def test_shows_what_its_address_asks(
        self,
        steward: Client,
        matrix: str,
        asked: str,
        found: list[str],
    ) -> None:
        assert titles(steward, f"{matrix}?{asked}") == found

    @pytest.mark.parametrize("asked", ["", "answer=allowed", "q=tune", "sort=title"])
    def test_asks_no_more_of_the_database_as_rows_grow(
        self,
        shelf: Shelf,
        steward: Client,
        matrix: str,
        asked: str,
    ) -> None:
        address = f"{matrix}?{asked}"
        more_entries(shelf.dataset, 3)
        steward.get(address)
        with CaptureQueriesContext(connection) as few:
            steward.get(address)
        more_entries_later(shelf)
        steward.get(address)
        with CaptureQueriesContext(connection) as many:
            steward.get(address)
        assert len(many) <= len(few)

    def test_never_shows_what_is_out_of_date(
        self,
        shelf: Shelf,
        steward: Client,
        matrix: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        assert titles(steward, f"{matrix}?answer=allowed") == ["Meadow & Brook"]
        monkeypatch.setattr("provenance.queries.clearances.AT_ONCE", 2)
        from django.utils import timezone

        from provenance.services import revoke_grant

        revoke_grant(grant=shelf.grant, by=shelf.people.steward, reason="Ended.", now=timezone.now())
        page = steward.get(f"{matrix}?answer=allowed")
        assert page.context["rows"] == []
        assert page.context["run"] is None
        assert "have changed" in page.content.decode() or "has changed since" in page.content.decode()
        assert len(steward.get(matrix).context["rows"]) == 3

    def test_keeps_what_is_ticked_together(self, steward: Client, matrix: str) -> None:
        text = steward.get(matrix).content.decode()
        ticks = text.partition('<div class="ticks"')[2].partition("</div>")[0]
        assert ticks.count('type="checkbox"') == 3
        assert "sorted by" not in ticks.lower()

    def test_says_that_nothing_on_record_clears_what_is_unknown(
        self, shelf: Shelf, steward: Client, matrix: str
    ) -> None:
        more_entries(shelf.dataset, 1)
        fresh = shelf.dataset.entries.latest("id")
        fresh.statements.all().delete()
        text = steward.get(f"{matrix}?answer=unknown").content.decode()
        assert "nothing on record clears it" in text
        assert "on no basis" not in text

    def test_says_where_one_answer_is_for_both_rights(
        self, shelf: Shelf, steward: Client, matrix: str
    ) -> None:
        """Harbour and Meadow answer alike for both; Cellar's master is by a grant."""
        for address in (matrix, url("dataset", shelf.dataset.public_id)):
            assert text_of(steward, address).count("Both rights:") == 2
        assert "Both rights:" in text_of(steward, url("recording", shelf.recording.public_id))

    def test_explains_what_is_left_out_by_hand(self, shelf: Shelf, steward: Client, matrix: str) -> None:
        assert "left out by hand" not in text_of(steward, matrix)
        leave_cellar_out(shelf, steward)
        text = " ".join(text_of(steward, matrix).split())
        assert "1 recording left out by hand" in text
        assert "left_out=on" in text
        assert "by data_steward on" in text
        assert "The label asked." in text
        assert "tick it and choose “Take back into the next version”" in text
        theirs = " ".join(text_of(client_of(shelf.people.officer), matrix).split())
        assert "A steward can take it back" in theirs

    @pytest.mark.parametrize("role", Role.values)
    def test_opens_for_each_role(self, shelf: Shelf, matrix: str, role: str) -> None:
        """But for a label, which reads of other holders' music how much there is, and no row."""
        answer = client_of(shelf.people.by_role()[role]).get(matrix)
        assert answer.status_code == (403 if role == Role.LABEL_AUDITOR else 200)

    def test_tells_a_stranger_nothing(self, shelf: Shelf, matrix: str) -> None:
        stranger = client_of(shelf.people.stranger)
        assert stranger.get(matrix).status_code == 404
        for name in ("matrix-deed", "matrix-work-out"):
            assert stranger.post(url(name, shelf.dataset.public_id)).status_code == 404

    def test_of_a_version_that_is_not_there_is_not_there(self, steward: Client, matrix: str) -> None:
        assert steward.get(f"{matrix}?version=7").status_code == 404


def more_entries_later(shelf: Shelf) -> None:
    from provenance.models import Registration
    from tests.people import an_entry

    registration = Registration.objects.filter(dataset=shelf.dataset).latest("id")
    for row in range(200, 220):
        an_entry(registration, row=row)
    from governance import ledger
    from tests.people import NOON

    ledger.record(
        kind="provenance.dataset.rows_registered",
        subject_kind="dataset",
        subject_id=shelf.dataset.public_id,
        actor=shelf.people.steward,
        organisation=shelf.people.house,
        now=NOON,
    )


def leave_cellar_out(shelf: Shelf, steward: Client) -> None:
    entry = shelf.dataset.entries.get(external_id="cellar")
    said: dict[str, Any] = {"scope": "chosen", "entry": [str(entry.public_id)], "confirmed": "yes"}
    do(steward, shelf, "leave", reason="The label asked.", **said)


class TestWhatAVersionLeftOut:
    def test_is_named_with_the_answer_that_did_it(self, shelf: Shelf, steward: Client) -> None:
        version = a_frozen(shelf)
        text = " ".join(text_of(steward, url("version", version.public_id)).split())
        told = text[text.index("What was left out") :]
        assert "Cellar Door" in told
        assert "Not allowed" in told
        assert "CC-BY-NC-4.0 does not allow it" in told
        assert "Harbour Lights" not in told
        assert f"{url('matrix', shelf.dataset.public_id)}?purpose=ai_generative_training" in told
        assert "#left-out-title" in text_of(steward, url("dataset", shelf.dataset.public_id))

    def test_is_named_with_who_left_it_out_by_hand(self, shelf: Shelf, steward: Client) -> None:
        leave_cellar_out(shelf, steward)
        version = a_frozen(shelf)
        do(steward, shelf, "back", scope="all", confirmed="yes", reason="They changed their mind.")
        text = " ".join(text_of(steward, url("version", version.public_id)).split())
        told = text[text.index("What was left out") :]
        assert "1 of them by a steward's hand" in told
        assert "Left out by data_steward" in told
        assert "The label asked." in told

    def test_is_named_with_the_conditions_that_nobody_accepted(self, shelf: Shelf, steward: Client) -> None:
        version = a_frozen(shelf, accept=["attribution"])
        found = {one.entry.external_id: one for one in left_out_of(version).rows}
        assert (found["harbour"].answer, found["harbour"].missing) == ("constrained", ["share-alike-outputs"])

    def test_is_kept_from_a_label(self, shelf: Shelf, steward: Client) -> None:
        version = a_frozen(shelf)
        answer = client_of(shelf.people.auditor).get(url("version", version.public_id)).content.decode()
        assert "What was left out" not in answer
        assert "Cellar Door" not in answer


class TestDeeds:
    def test_are_shown_before_they_are_done(self, shelf: Shelf, steward: Client) -> None:
        page = do(steward, shelf, "leave", at="?answer=not_allowed", scope="all")
        text = page.content.decode()
        assert "For 1 recording of folk" in text
        assert "Cellar Door" in text
        assert not Omission.objects.exists()

    def test_leave_out_what_was_ticked_for_a_reason(self, shelf: Shelf, steward: Client) -> None:
        entry = shelf.dataset.entries.get(external_id="cellar")
        said: dict[str, Any] = {"scope": "chosen", "entry": [str(entry.public_id)], "confirmed": "yes"}
        assert do(steward, shelf, "leave", **said).status_code == 422
        do(steward, shelf, "leave", reason="The label asked.", **said)
        assert Omission.objects.get().entry == entry
        assert titles(steward, url("matrix", shelf.dataset.public_id) + "?left_out=on") == ["Cellar Door"]

    def test_state_a_licence_beside_what_stands(self, shelf: Shelf, steward: Client) -> None:
        n_before = LicenceStatement.objects.count()
        said = {"rights": ["master"], "licence": "CC-BY-4.0", "evidence": "Letter of 1 March"}
        do(
            steward,
            shelf,
            "correct",
            at="?q=meadow",
            scope="all",
            confirmed="yes",
            reason="A letter.",
            **said,
        )
        assert LicenceStatement.objects.count() == n_before + 1

    @pytest.mark.parametrize("deed", ["leave", "back", "correct"])
    def test_that_change_something_are_the_steward_s(self, shelf: Shelf, deed: str) -> None:
        for who in (shelf.people.auditor, shelf.people.engineer, shelf.people.outsider):
            answer = do(client_of(who), shelf, deed, scope="all", confirmed="yes", reason="I may not.")
            assert answer.status_code == 403
        assert not Omission.objects.exists()

    def test_export_what_is_shown_and_say_so_in_the_ledger(
        self,
        shelf: Shelf,
    ) -> None:
        answer = do(client_of(shelf.people.outsider), shelf, "csv", at="?answer=not_allowed", scope="all")
        rows = list(csv.DictReader(lines_of(answer)))
        assert [(row["title"], row["answer"], row["master_basis"]) for row in rows] == [
            ("Cellar Door", "not_allowed", "grant")
        ]
        assert LedgerEvent.objects.get(kind="provenance.clearance.listed").body["recordings"] == 1

    def test_list_whom_to_ask(self, shelf: Shelf, steward: Client) -> None:
        LicenceStatement.objects.filter(entry__external_id="cellar").update(holders=["=Cellar Records"])
        answer = do(steward, shelf, "ask", scope="all", confirmed="yes", reason="Letters in May.")
        rows = list(csv.DictReader(lines_of(answer)))
        assert {row["title"] for row in rows} == {"Cellar Door", "Harbour Lights"}
        assert "'=Cellar Records" in {row["holder"] for row in rows}

    def test_attach_a_snapshot(self, shelf: Shelf, steward: Client) -> None:
        sent_file = SimpleUploadedFile("licence.html", b"<p>CC BY-SA</p>", content_type="text/html")
        said = {"kind": "licence_text", "url": "https://example.org/l", "file": sent_file}
        do(steward, shelf, "evidence", at="?q=harbour", scope="all", confirmed="yes", **said)
        document = EvidenceDocument.objects.get()
        rest_on_it = LicenceStatement.objects.filter(document=document)
        assert {statement.entry.external_id for statement in rest_on_it} == {"harbour"}


def lines_of(answer: Any) -> Iterator[str]:
    content = b"".join(answer.streaming_content).decode()
    return iter(content.splitlines())


def keep(client: Client, address: str, content: bytes, day: str, **more: str) -> Any:
    file = SimpleUploadedFile("page.html", content, content_type="text/html")
    said = {"kind": "web_page", "url": "https://example.org/l", "fetched_at": day, "file": file}
    return client.post(address, {**said, **more})


class TestEvidence:
    def test_is_shown_as_it_was_and_as_changed(self, shelf: Shelf, steward: Client) -> None:
        address = url("licence-evidence", "CC-BY-SA-4.0")
        keep(steward, address, b"first", "2026-01-02T10:00")
        keep(steward, address, b"second", "2026-02-03T10:00")
        text = text_of(steward, url("licence", "CC-BY-SA-4.0"))
        assert "as it was on 2 January 2026" in text
        assert "as it was on 3 February 2026" in text
        assert text.count("The page had changed") == 1

    def test_is_shown_on_the_recording_too(self, shelf: Shelf, steward: Client) -> None:
        keep(steward, url("recording-evidence", shelf.recording.public_id), b"page", "2026-01-02T10:00")
        assert "as it was on 2 January 2026" in text_of(steward, url("recording", shelf.recording.public_id))

    def test_is_sent_as_a_file_and_its_opening_recorded(self, shelf: Shelf, steward: Client) -> None:
        keep(steward, url("dataset-evidence", shelf.dataset.public_id), b"<script>", "2026-01-02T10:00")
        answer = steward.post(url("evidence", EvidenceDocument.objects.get().public_id))
        assert answer.content == b"<script>"
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert LedgerEvent.objects.filter(kind="provenance.evidence.opened").exists()

    def test_that_is_confidential_is_opened_by_few(self, shelf: Shelf, steward: Client) -> None:
        address = url("recording-evidence", shelf.recording.public_id)
        keep(steward, address, b"secret", "2026-01-02T10:00", confidential="on")
        kept = url("evidence", EvidenceDocument.objects.get().public_id)
        assert client_of(shelf.people.engineer).post(kept).status_code == 403
        assert client_of(shelf.people.officer).post(kept).status_code == 200
        assert client_of(shelf.people.stranger).post(kept).status_code == 404

    def test_is_kept_by_stewards_and_officers(self, shelf: Shelf) -> None:
        for who in (shelf.people.engineer, shelf.people.auditor):
            assert client_of(who).get(url("licence-evidence", "CC-BY-SA-4.0")).status_code == 403

    def test_is_not_read_tomorrow(self, steward: Client) -> None:
        answer = keep(steward, url("licence-evidence", "CC-BY-SA-4.0"), b"x", "2999-01-01T00:00")
        assert answer.status_code == 422


class TestLabelHome:
    def test_says_that_nobody_stands_for_the_label_yet(self, shelf: Shelf) -> None:
        assert "No party is marked as standing" in text_of(client_of(shelf.people.auditor), reverse("home"))

    def test_counts_what_is_ours_once_somebody_does(self, shelf: Shelf) -> None:
        house = shelf.people.house
        party = Party.objects.create(organisation=house, name="Our Label", stands_for=house)
        RightsClaim.objects.create(recording=shelf.recording, party=party, right="master", source="steward")
        LicenceStatement.objects.filter(entry__external_id="cellar").update(holders=["Our Label"])
        page = client_of(shelf.people.auditor).get(reverse("home"))
        text = " ".join(page.content.decode().split())
        assert "Ours is what is claimed by, or stated for, Our Label" in text
        assert "Find one of 2" in text


class TestApiAddressThatIsNone:
    @pytest.mark.parametrize("method", ["get", "post", "delete"])
    def test_answers_in_json(self, shelf: Shelf, method: str) -> None:
        for who in (None, shelf.people.steward):
            answer = getattr(client_of(who), method)("/api/v1/nothing/here/")
            assert answer.status_code == 404
            assert answer.json()["code"] == "not_found"

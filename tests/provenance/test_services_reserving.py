"""Opt-outs: recorded, bound, folded into clearance at the right instant, withdrawn by whoever may."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import ledger
from governance.errors import ConflictError, NotAllowedError, NotFoundError
from governance.models import LedgerEvent, Role
from provenance.access import reservation_for_reading
from provenance.errors import ProvenanceError
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    EvidenceDocument,
    ExceptionMemo,
    LicenceStatement,
    Party,
    Reservation,
    RightsClaim,
)
from provenance.queries import clear_entries, use_for
from provenance.rights.optouts import Snapshot
from provenance.rights.policy import DEFAULT
from provenance.services import reserving
from provenance.services.declaring import Declaration, declare_reservation, withdraw_reservation
from provenance.services.memos import MemoTerms, record_memo, withdraw_memo
from provenance.services.publishing import register_reservations
from provenance.services.registering import register
from provenance.services.reserving import UnreadableOptOutError, apply_reservations, record_snapshot
from tests.credentials import plain_wav, signed_wav
from tests.people import People, a_dataset, a_member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
A_MONTH_AGO = NOW - timedelta(days=31)
SITE = "https://label.example"
CLOSED = json.dumps([{"location": "/", "tdm-reservation": 1, "tdm-policy": f"{SITE}/policy"}]).encode()
GPTBOT = b"User-agent: GPTBot\nDisallow: /\n"


@pytest.fixture
def dataset(people: People) -> Dataset:
    """Two recordings under CC0, both got from one site."""
    dataset = a_dataset(people.steward, people.house)
    for entry in dataset.entries.all():
        entry.source_url = f"{SITE}/music/{entry.external_id}.mp3"
        entry.save(update_fields=["source_url"])
    return dataset


def snapshot(content: bytes = CLOSED, name: str = "tdmrep.json", at: datetime | None = YESTERDAY) -> Snapshot:
    path = "/.well-known/tdmrep.json" if name == "tdmrep.json" else f"/{name}"
    return Snapshot(content, name, SITE + path, at)


def recorded(people: People, what: Snapshot | None = None, **options: Any) -> reserving.RecordedSnapshot:
    given: dict[str, Any] = {"organisation": people.house, "by": people.steward, "now": NOW}
    return record_snapshot(snapshot=what or snapshot(), **{**given, **options})


def declared(people: People, declaration: Declaration, **options: Any) -> reserving.Reserved:
    given: dict[str, Any] = {"organisation": people.house, "by": people.steward, "now": NOW}
    return declare_reservation(declaration=declaration, **{**given, **options})


def answers(
    dataset: Dataset,
    purpose: str = "ai_generative_training",
    at: datetime = NOW,
    right: str = "",
    place: str = "",
) -> dict[str, str]:
    use = use_for(purpose=purpose, commercial=True, territory=place, at=at)
    cleared = clear_entries(DatasetEntry.objects.filter(dataset=dataset), use=use, policy=DEFAULT)
    return {
        one.entry.external_id: getattr(one.clearance, right).answer if right else one.clearance.answer
        for one in cleared
    }


class TestRecordSnapshot:
    def test_closes_what_was_got_from_the_site(self, people: People, dataset: Dataset) -> None:
        assert set(answers(dataset).values()) == {"allowed"}
        found = recorded(people)

        (outcome,) = found.outcomes
        assert (outcome.status, outcome.n_recordings) == ("registered", 2)
        assert set(answers(dataset).values()) == {"not_allowed"}
        assert set(answers(dataset, "redistribution").values()) == {"allowed"}
        assert outcome.reservation.policy_url == f"{SITE}/policy"
        assert ledger.verify().ok

    def test_keeps_the_file_as_it_was(self, people: People) -> None:
        document = recorded(people).document

        assert (document.kind, document.url, document.fetched_at) == (
            "reservation",
            snapshot().url,
            YESTERDAY,
        )
        assert document.size_bytes == len(CLOSED)

    def test_says_nothing_about_a_training_before_it_was_said(self, people: People, dataset: Dataset) -> None:
        recorded(people)

        assert set(answers(dataset, at=A_MONTH_AGO).values()) == {"allowed"}
        assert set(answers(dataset, at=NOW).values()) == {"not_allowed"}

    def test_is_moved_back_by_an_older_copy(self, people: People, dataset: Dataset) -> None:
        recorded(people)
        (again,) = recorded(people, snapshot(at=A_MONTH_AGO - timedelta(days=1))).outcomes

        assert again.status == "duplicate"
        assert Reservation.objects.count() == 1
        assert set(answers(dataset, at=A_MONTH_AGO).values()) == {"not_allowed"}

    def test_changes_nothing_when_read_twice(self, people: People, dataset: Dataset) -> None:
        recorded(people)
        n_events = LedgerEvent.objects.count()
        recorded(people)

        assert (Reservation.objects.count(), EvidenceDocument.objects.count()) == (1, 1)
        assert LedgerEvent.objects.count() == n_events

    def test_keeps_the_purposes_of_the_crawlers_turned_away(self, people: People, dataset: Dataset) -> None:
        recorded(people, snapshot(GPTBOT, "robots.txt"))

        assert set(answers(dataset).values()) == {"not_allowed"}
        assert set(answers(dataset, "ai_inference").values()) == {"allowed"}

    def test_leaves_other_sites_alone(self, people: People, dataset: Dataset) -> None:
        DatasetEntry.objects.filter(external_id="tune-001").update(
            source_url="https://label.example.evil.org/a"
        )
        recorded(people)
        assert answers(dataset) == {"tune-000": "not_allowed", "tune-001": "allowed"}

    def test_tells_what_the_site_no_longer_says(self, people: People, dataset: Dataset) -> None:
        first = recorded(people).outcomes[0].reservation
        opened = snapshot(b'[{"location": "/", "tdm-reservation": 0}]', at=NOW)
        found = recorded(people, opened)

        assert found.gone == (first,)
        assert set(answers(dataset).values()) == {"not_allowed"}  # until somebody withdraws it

    @pytest.mark.parametrize("content", [b"{}", b"[" * 50_000, b"\xff\xfe[]"])
    def test_keeps_nothing_of_what_cant_be_read(self, people: People, content: bytes) -> None:
        with pytest.raises(UnreadableOptOutError):
            recorded(people, snapshot(content))
        assert not EvidenceDocument.objects.exists()

    def test_refuses_what_was_fetched_in_the_future(self, people: People) -> None:
        with pytest.raises(ProvenanceError, match="future"):
            recorded(people, snapshot(at=NOW + timedelta(days=1)))

    def test_takes_a_steward_or_an_officer(self, people: People) -> None:
        recorded(people, by=people.officer)
        for by in (people.auditor, people.engineer, people.outsider, people.stranger):
            with pytest.raises(NotAllowedError):
                recorded(people, by=by)


class TestDeclareReservation:
    def test_closes_one_right_of_what_a_party_holds(self, people: People, dataset: Dataset) -> None:
        party = Party.objects.create(organisation=people.house, name="Rivermouth")
        first = dataset.entries.order_by("external_id")[0]
        LicenceStatement.objects.filter(entry=first).update(holders=["Rivermouth"])
        declared(people, Declaration(party="Rivermouth", right="composition"))

        assert Reservation.objects.get().party == party
        assert answers(dataset) == {"tune-000": "not_allowed", "tune-001": "allowed"}
        assert answers(dataset, right="master")["tune-000"] == "allowed"
        assert answers(dataset, right="composition")["tune-000"] == "not_allowed"

    def test_binds_named_recordings_and_isrcs(self, people: People, dataset: Dataset) -> None:
        second = dataset.entries.order_by("external_id")[1].recording
        second.isrc = "GBAYE0000001"
        second.save(update_fields=["isrc"])
        for declaration in (Declaration(recordings=("tune-000",)), Declaration(isrcs=("GB-AYE-00-00001",))):
            assert declared(people, declaration).n_recordings == 1
        assert set(answers(dataset).values()) == {"not_allowed"}

    def test_holds_where_it_was_declared_for(self, people: People, dataset: Dataset) -> None:
        declared(people, Declaration(recordings=("tune-000",), territory=("FR",)))
        places = {}
        for place in ("FR", "JP"):
            use = use_for(purpose="data_mining", commercial=True, territory=place, at=NOW)
            entries = DatasetEntry.objects.filter(external_id="tune-000")
            places[place] = next(iter(clear_entries(entries, use=use, policy=DEFAULT))).clearance.answer
        assert places == {"FR": "not_allowed", "JP": "allowed"}

    @pytest.mark.parametrize(
        ("declaration", "words"),
        [
            (Declaration(), "nobody"),
            (Declaration(party="X", purposes=("selling",)), "no purpose"),
            (Declaration(party="X", right="lyrics"), "no right"),
            (Declaration(party="X", territory=("Atlantis",)), "Atlantis"),
            (Declaration(recordings=("nowhere",)), "no recording nowhere"),
        ],
    )
    def test_says_what_is_wrong(self, people: People, declaration: Declaration, words: str) -> None:
        with pytest.raises(ProvenanceError, match=words):
            declared(people, declaration)
        assert not Reservation.objects.exists()

    def test_lets_a_label_speak_for_itself_only(self, people: People, dataset: Dataset) -> None:
        label_auditor = a_member("label", people.elsewhere, Role.LABEL_AUDITOR)
        party = Party.objects.create(organisation=people.house, name="Label", stands_for=people.elsewhere)
        Party.objects.create(organisation=people.house, name="Other")
        own = dataset.entries.get(external_id="tune-000").recording
        RightsClaim.objects.create(recording=own, party=party, right="master", source="steward")

        declared(people, Declaration(party="Label"), by=label_auditor)
        assert answers(dataset) == {"tune-000": "not_allowed", "tune-001": "allowed"}
        with pytest.raises(NotAllowedError):
            declared(people, Declaration(party="Other"), by=label_auditor)
        with pytest.raises(NotAllowedError):
            declared(people, Declaration(recordings=("tune-001",)), by=label_auditor)
        with pytest.raises(ProvenanceError, match="tune-001 of Label"):
            declared(people, Declaration(party="Label", recordings=("tune-001",)), by=label_auditor)

    def test_is_seen_by_the_label_that_declared_it(self, people: People) -> None:
        label_auditor = a_member("label", people.elsewhere, Role.LABEL_AUDITOR)
        other_auditor = a_member("other", people.elsewhere, Role.ML_ENGINEER)
        Party.objects.create(organisation=people.house, name="Label", stands_for=people.elsewhere)
        held = declared(people, Declaration(party="Label"), by=label_auditor).reservation

        assert reservation_for_reading(label_auditor, held.public_id) == held
        with pytest.raises(NotFoundError):
            reservation_for_reading(other_auditor, held.public_id)


class TestWithdrawReservation:
    def test_opens_from_then_on_and_not_before(self, people: People, dataset: Dataset) -> None:
        held = recorded(people).outcomes[0].reservation
        later = NOW + timedelta(days=7)
        withdraw_reservation(reservation=held, by=people.officer, reason="The label agreed.", now=later)

        assert set(answers(dataset, at=later + timedelta(days=1)).values()) == {"allowed"}
        assert set(answers(dataset, at=NOW).values()) == {"not_allowed"}

    def test_takes_an_officer_and_a_reason(self, people: People) -> None:
        held = recorded(people).outcomes[0].reservation
        for by in (people.steward, people.auditor, people.engineer, people.outsider, people.stranger):
            with pytest.raises(NotAllowedError):
                withdraw_reservation(reservation=held, by=by, reason="Why not.", now=NOW)
        with pytest.raises(ProvenanceError, match="reason"):
            withdraw_reservation(reservation=held, by=people.officer, reason=" ", now=NOW)

    def test_is_done_once(self, people: People) -> None:
        held = recorded(people).outcomes[0].reservation
        withdraw_reservation(reservation=held, by=people.officer, reason="Agreed.", now=NOW)
        with pytest.raises(ConflictError):
            withdraw_reservation(reservation=held, by=people.officer, reason="Agreed.", now=NOW)

    def test_does_not_outlast_a_new_opt_out(self, people: People, dataset: Dataset) -> None:
        held = recorded(people).outcomes[0].reservation
        withdraw_reservation(reservation=held, by=people.officer, reason="Agreed.", now=NOW)
        later = NOW + timedelta(days=30)
        (again,) = recorded(people, snapshot(at=later), now=later).outcomes

        assert again.status == "registered"
        assert set(answers(dataset, at=later).values()) == {"not_allowed"}


class TestApplyReservations:
    def test_binds_what_is_registered_later(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        recorded(people)
        declared(people, Declaration(isrcs=("GBAYE0000009",), purposes=("ai_inference",)))
        table = tmp_path / "later.csv"
        table.write_text(
            "external_id,isrc,licence,licence_scope,source_url\n"
            f"late,,CC0-1.0,all,{SITE}/new.mp3\nfar,GBAYE0000009,CC0-1.0,all,https://far.example/a\n"
        )
        later = registered(people, table)

        assert answers(later) == {"late": "not_allowed", "far": "allowed"}
        assert answers(later, "ai_inference") == {"late": "not_allowed", "far": "not_allowed"}
        assert LedgerEvent.objects.filter(kind="provenance.reservation.applied").exists()

    def test_takes_an_external_id_for_the_dataset_it_was_said_of(
        self, people: People, dataset: Dataset, tmp_path: Path
    ) -> None:
        declared(people, Declaration(recordings=("tune-000",)))
        table = tmp_path / "other.csv"
        table.write_text("external_id,licence,licence_scope\ntune-000,CC0-1.0,all\n")

        assert answers(registered(people, table)) == {"tune-000": "allowed"}

    def test_changes_nothing_the_second_time(self, people: People, dataset: Dataset) -> None:
        recorded(people)
        n_events = LedgerEvent.objects.count()

        assert apply_reservations(dataset=dataset, by=people.steward, now=NOW) == 0
        assert LedgerEvent.objects.count() == n_events

    def test_asks_for_as_many_queries_whatever_the_rows(
        self, people: People, dataset: Dataset, django_assert_max_num_queries: Callable[[int], Any]
    ) -> None:
        recorded(people)
        a_dataset(people.steward, people.house, name="large", n_recordings=40)
        with django_assert_max_num_queries(12):
            apply_reservations(dataset=Dataset.objects.get(name="large"), by=people.steward, now=NOW)


class TestEmbedded:
    ENTRIES = {
        "cawg.ai_generative_training": {"use": "notAllowed"},
        "cawg.data_mining": {"use": "constrained", "constraint_info": "ask us"},
    }

    def test_closes_a_signed_file_when_it_is_registered(self, people: People, tmp_path: Path) -> None:
        signed_wav(tmp_path / "signed.wav", self.ENTRIES, seed=1)
        (tmp_path / "plain.wav").write_bytes(plain_wav(2))
        table = tmp_path / "songs.csv"
        table.write_text(
            "path,licence,licence_scope\nsigned.wav,CC0-1.0,all\nplain.wav,CC0-1.0,all\n", encoding="utf-8"
        )
        dataset = registered(people, table)

        assert answers(dataset) == {"signed.wav": "not_allowed", "plain.wav": "allowed"}
        assert (
            answers(dataset, "data_mining")["signed.wav"] == "not_allowed"
        )  # constrained, and nobody accepted
        assert answers(dataset, "ai_nongenerative_training")["signed.wav"] == "allowed"
        held = Reservation.objects.filter(source="cawg")
        assert held.count() == 2
        assert "not on a trust list" in held[0].subjects.get().because
        registered(people, table)
        assert held.count() == 2
        assert ledger.verify().ok


def registered(people: People, table: Path) -> Dataset:
    return register(
        name=table.stem,
        kind=DatasetKind.TRAINING,
        source=table,
        format="csv",
        root=None,
        by=people.steward,
        organisation=people.house,
        now=NOW,
    ).dataset


class TestRegisterReservations:
    def test_reads_a_folder_of_hosts(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        site = tmp_path / "label.example"
        (site / ".well-known").mkdir(parents=True)
        (site / ".well-known" / "tdmrep.json").write_bytes(CLOSED)
        (site / "robots.txt").write_bytes(GPTBOT)
        (site / "ai.txt").write_bytes(b"nothing of the kind")
        (tmp_path / "stray.bin").write_bytes(b"\0")
        found = brought(people, tmp_path)

        assert [one.status for one in found] == ["registered", "rejected", "registered", "rejected"]
        assert Reservation.objects.count() == 2

    def test_keeps_nothing_of_a_dry_run(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "tdmrep.json").write_bytes(CLOSED)
        (one,) = brought(people, tmp_path / "tdmrep.json", url=snapshot().url, dry_run=True)

        assert (one.status, one.outcomes[0].n_recordings) == ("registered", 2)
        assert not Reservation.objects.exists()
        assert set(answers(dataset).values()) == {"allowed"}

    def test_reads_a_table_of_declarations(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("We reserve.")
        table = tmp_path / "declared.csv"
        table.write_text(
            "\ufeffparty,recordings,isrc,purposes,right,territory,declared_at,evidence\n"
            "Rivermouth,tune-000,,ai_generative_training;ai_inference,master,FR;DE,2026-05-01,letter.txt\n"
            "Rivermouth,tune-001,,all,both,,2026-13-45,\n"
            "Rivermouth,tune-001,,,both,,,../letter.txt\n"
            ",,,,,,,\n"
        )
        found = brought(people, table)

        assert [one.status for one in found] == ["registered", "rejected", "rejected", "rejected"]
        assert "2026-13-45" in found[1].reasons[0]
        assert "no evidence" in found[2].reasons[0]
        held = Reservation.objects.get()
        assert (held.right, held.territory) == ("master", ["FR", "DE"])
        assert held.document is not None
        assert held.declared_at == datetime(2026, 5, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("missing.csv", None, "no file"),
            ("bad.csv", b"a,b\n1,2\n", "needs a column"),
            ("latin.csv", b"party\nM\xfcnster\n", "not UTF-8"),
        ],
    )
    def test_refuses_a_table_that_is_none(
        self, people: People, tmp_path: Path, name: str, content: bytes | None, words: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ProvenanceError, match=words):
            brought(people, tmp_path / name)


def brought(people: People, source: Path, **options: Any) -> list[Any]:
    given: dict[str, Any] = {"organisation": people.house, "by": people.steward, "now": NOW}
    return register_reservations(source=source, **{**given, **options})


def end(memo: ExceptionMemo, people: People, *, reason: str = "Read again.") -> ExceptionMemo:
    return withdraw_memo(memo=memo, by=people.officer, reason=reason, now=NOW)


def reasons(dataset: Dataset, purpose: str) -> set[str]:
    use = use_for(purpose=purpose, commercial=True, territory="DE", at=NOW)
    cleared = clear_entries(
        DatasetEntry.objects.filter(dataset=dataset).select_related("recording", "dataset"),
        use=use,
        policy=DEFAULT,
    )
    return {reason for one in cleared for reason in one.clearance.master.reasons}


class TestMemos:
    TERMS = MemoTerms(
        provision="Directive (EU) 2019/790, Article 3",
        signed_by="Dr Ada Counsel",
        lawful_access="Subscription of the university library",
        purposes=("data_mining",),
        territory=("EU",),
        dataset="shut",
    )

    @pytest.fixture
    def shut(self, people: People) -> Dataset:
        return a_dataset(people.steward, people.house, name="shut", licence="LicenseRef-all-rights-reserved")

    def test_clears_the_use_it_is_about(self, people: People, shut: Dataset) -> None:
        memo = record_memo(terms=self.TERMS, organisation=people.house, by=people.officer, now=NOW)

        assert memo.subjects.count() == 2
        assert set(answers(shut, "data_mining", place="DE").values()) == {"allowed"}
        assert "allowed" not in answers(shut, "data_mining").values()  # elsewhere it is no law
        assert "allowed" not in answers(shut).values()
        end(memo, people)
        assert "allowed" not in answers(shut, "data_mining", place="DE").values()

    def test_is_withdrawn_for_a_reason_that_is_kept(self, people: People, shut: Dataset) -> None:
        memo = record_memo(terms=self.TERMS, organisation=people.house, by=people.officer, now=NOW)
        with pytest.raises(ProvenanceError, match="needs a reason"):
            end(memo, people, reason=" ")
        held = end(memo, people, reason="Counsel changed her mind.")

        assert (held.withdrawn_by, held.withdrawal_reason) == (people.officer, "Counsel changed her mind.")
        assert "changed her mind" not in str(LedgerEvent.objects.order_by("-sequence")[0].body)
        with pytest.raises(ConflictError):
            end(memo, people)

    def test_is_told_by_the_answers_that_rested_on_it(self, people: People, shut: Dataset) -> None:
        memo = record_memo(terms=self.TERMS, organisation=people.house, by=people.officer, now=NOW)
        said = f"memo {memo.public_id} signed by Dr Ada Counsel was withdrawn at {NOW.isoformat()}"
        assert said not in reasons(shut, "data_mining")
        end(memo, people)

        assert said in reasons(shut, "data_mining")
        assert said not in reasons(shut, "ai_generative_training")  # which it never was about

    def test_gives_way_to_an_opt_out(self, people: People, shut: Dataset) -> None:
        record_memo(terms=self.TERMS, organisation=people.house, by=people.officer, now=NOW)
        declared(people, Declaration(recordings=("tune-000",)))
        assert answers(shut, "data_mining", place="DE")["tune-000"] == "not_allowed"

    def test_takes_a_compliance_officer(self, people: People, shut: Dataset) -> None:
        for by in (people.steward, people.auditor, people.engineer, people.outsider, people.stranger):
            with pytest.raises(NotAllowedError):
                record_memo(terms=self.TERMS, organisation=people.house, by=by, now=NOW)

    def test_names_everything_that_is_missing(self, people: People) -> None:
        empty = MemoTerms(provision=" ", signed_by="", lawful_access="", purposes=())
        with pytest.raises(ProvenanceError) as refused:
            record_memo(terms=empty, organisation=people.house, by=people.officer, now=NOW)
        for name in ("provision", "signed_by", "lawful_access", "purposes", "territory"):
            assert name in str(refused.value)

    def test_is_of_no_law_that_holds_in_all_the_world(self, people: People, shut: Dataset) -> None:
        terms = replace(self.TERMS, territory=("WORLD",))
        with pytest.raises(ProvenanceError, match="name the countries"):
            record_memo(terms=terms, organisation=people.house, by=people.officer, now=NOW)

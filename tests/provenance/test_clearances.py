"""Kept answers: never shown once anything they rest on has changed, and narrowed as the live answers would be."""

import base64
import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from governance import keyset
from governance.errors import NotAllowedError
from governance.models import Job, LedgerEvent
from provenance import jobs, queries, services
from provenance.errors import ProvenanceError
from provenance.models import (
    Catalogue,
    ClearanceRow,
    ClearanceRun,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    LicenceStatement,
    Omission,
)
from provenance.queries import clearances
from provenance.queries.clearances import Narrowing, Question
from provenance.rights.policy import SHIPPED
from provenance.services import clearing, declaring, memos
from provenance.services.clearing import Correction
from tests.people import NOON, People, a_conflict, a_dataset


@pytest.fixture
def folk(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house, n_recordings=3)
    last = dataset.entries.order_by("-external_id").first()
    assert last is not None
    LicenceStatement.objects.filter(entry=last).update(expression="CC-BY-NC-4.0", holders=["Cellar Records"])
    return dataset


def question(dataset: Dataset, **other: object) -> Question:
    asked = Question(
        dataset=dataset,
        version=None,
        purpose="ai_generative_training",
        commercial=True,
        territory="",
        day=None,
        policy=queries.policy_of(dataset.organisation),
    )
    return replace(asked, **other)  # type: ignore[arg-type]


def is_current(dataset: Dataset, after: timedelta = timedelta(hours=1)) -> bool:
    run = clearances.run_of(question(dataset))
    assert run is not None
    return clearances.is_current(run, dataset.organisation, NOON + after)


class TestKeepClearance:
    def test_keeps_the_answers_that_clearing_gives(self, folk: Dataset) -> None:
        run = services.keep_clearance(question=question(folk), now=NOON)
        asked = question(folk)
        live = {
            cleared.entry.pk: cleared.clearance.answer
            for cleared in queries.clear_entries(
                queries.entries_of(folk), use=asked.use(NOON), policy=asked.policy
            )
        }
        assert dict(run.rows.values_list("entry_id", "answer")) == live
        assert run.counts == {"not_allowed": 1, "unknown": 0, "constrained": 0, "allowed": 2}
        assert run.holders == [["Cellar Records", 1]] or run.holders == [("Cellar Records", 1)]

    def test_answers_once_while_nothing_changes(self, folk: Dataset) -> None:
        first = services.keep_clearance(question=question(folk), now=NOON)
        assert services.keep_clearance(question=question(folk), now=NOON) == first
        assert ClearanceRow.objects.count() == 3

    def test_keeps_each_question_apart(self, folk: Dataset) -> None:
        services.keep_clearance(question=question(folk), now=NOON)
        services.keep_clearance(question=question(folk, commercial=False), now=NOON)
        services.keep_clearance(question=question(folk, policy=SHIPPED["strict"]), now=NOON)
        assert ClearanceRun.objects.count() == 3

    def test_forgets_the_oldest_questions(self, folk: Dataset) -> None:
        for days in range(clearing.RUNS_KEPT + 2):
            day = (NOON + timedelta(days=days)).date()
            services.keep_clearance(question=question(folk, day=day), now=NOON + timedelta(minutes=days))
        assert ClearanceRun.objects.count() == clearing.RUNS_KEPT


class TestIsCurrent:
    @pytest.fixture(autouse=True)
    def run(self, folk: Dataset) -> ClearanceRun:
        return services.keep_clearance(question=question(folk), now=NOON)

    def test_while_nothing_happened(self, folk: Dataset) -> None:
        assert is_current(folk)

    def test_not_past_midnight(self, folk: Dataset) -> None:
        assert not is_current(folk, after=timedelta(hours=12))

    def test_past_midnight_about_a_day_that_was_named(self, folk: Dataset) -> None:
        run = services.keep_clearance(question=question(folk, day=NOON.date()), now=NOON)
        assert clearances.is_current(run, folk.organisation, NOON + timedelta(days=400))

    def test_not_by_another_release(self, folk: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clearances, "readings_sha256", lambda: "0" * 64)
        assert not is_current(folk)

    def test_although_another_house_registered(self, folk: Dataset, people: People) -> None:
        other = a_dataset(people.stranger, people.elsewhere, name="other")
        clearing.leave_out(
            dataset=other, entries=other.entries.all(), reason="Ours.", by=people.stranger, now=NOON
        )
        assert is_current(folk)

    def test_not_once_a_grant_is_registered(self, folk: Dataset, people: People, tmp_path: Path) -> None:
        entry = folk.entries.first()
        assert entry is not None
        deals = tmp_path / "deals.csv"
        deals.write_text(
            "licensor,licensee,right,recordings,purposes\n"
            f"Cellar Records,House,master,{entry.external_id},ai_generative_training\n"
        )
        outcomes = services.register_grants(
            source=deals, by=people.steward, organisation=people.house, now=NOON
        )
        assert not is_current(folk)
        services.keep_clearance(question=question(folk), now=NOON)
        assert is_current(folk)
        services.revoke_grant(grant=outcomes[0].grants[0], by=people.steward, reason="Ended.", now=NOON)
        assert not is_current(folk)

    def test_not_once_an_opt_out_is_declared_and_not_once_it_is_withdrawn(
        self, folk: Dataset, people: People
    ) -> None:
        recording = folk.entries.first().recording  # type: ignore[union-attr]
        declared = declaring.declare_reservation(
            declaration=declaring.Declaration(recordings=(str(recording.public_id),)),
            organisation=people.house,
            by=people.steward,
            now=NOON,
        )
        assert not is_current(folk)
        services.keep_clearance(question=question(folk), now=NOON)
        held = declared.reservation
        assert held is not None
        declaring.withdraw_reservation(reservation=held, by=people.officer, reason="Mistaken.", now=NOON)
        assert not is_current(folk)

    def test_not_once_a_memo_is_recorded(self, folk: Dataset, people: People) -> None:
        terms = memos.MemoTerms(
            provision="UrhG 44b",
            signed_by="Dr Example",
            lawful_access="Bought.",
            purposes=("data_mining",),
            territory=("DE",),
            dataset="folk",
        )
        memos.record_memo(terms=terms, organisation=people.house, by=people.officer, now=NOON)
        assert not is_current(folk)

    def test_not_once_a_conflict_is_closed(self, folk: Dataset, people: People) -> None:
        conflict = a_conflict(folk)
        services.close_conflict(
            conflict=conflict,
            status=ConflictStatus.RESOLVED,
            reason="Heard both.",
            by=people.steward,
            now=NOON,
        )
        assert not is_current(folk)

    def test_not_once_a_statement_is_corrected(self, folk: Dataset, people: People) -> None:
        correct(folk, people)
        assert not is_current(folk)

    def test_although_a_recording_is_left_out(self, folk: Dataset, people: People) -> None:
        clearing.leave_out(
            dataset=folk, entries=folk.entries.all(), reason="Too long.", by=people.steward, now=NOON
        )
        assert is_current(folk)

    def test_not_after_an_event_that_nobody_has_thought_of(self, folk: Dataset, people: People) -> None:
        from governance import ledger

        ledger.record(
            kind="provenance.something.new",
            subject_kind="dataset",
            subject_id=folk.public_id,
            actor=people.steward,
            organisation=people.house,
            now=NOON,
        )
        assert not is_current(folk)


def correct(folk: Dataset, people: People, **other: object) -> clearing.Corrected:
    said = Correction(rights=["master"], licence="CC-BY-NC-4.0", evidence="https://example.org/licence")
    return clearing.correct_statements(
        dataset=folk,
        entries=folk.entries.all(),
        correction=replace(said, **other),  # type: ignore[arg-type]
        reason="The label wrote to us.",
        by=people.steward,
        now=NOON,
    )


class TestCorrectStatements:
    def test_adds_and_overwrites_nothing(self, folk: Dataset, people: People) -> None:
        before = list(LicenceStatement.objects.order_by("id").values())
        done = correct(folk, people)
        assert list(LicenceStatement.objects.order_by("id").values())[: len(before)] == before
        added = LicenceStatement.objects.filter(source="steward", right="master", expression="CC-BY-NC-4.0")
        assert done.n_added >= 2
        assert "The label wrote to us." in added.order_by("-id")[0].quote

    def test_never_loosens_an_answer(self, folk: Dataset, people: People) -> None:
        correct(folk, people, licence="CC0-1.0", rights=["master", "composition"])
        run = services.keep_clearance(question=question(folk), now=NOON)
        assert run.counts["not_allowed"] == 1

    def test_said_twice_is_said_once(self, folk: Dataset, people: People) -> None:
        correct(folk, people)
        assert correct(folk, people).n_added == 0

    def test_refuses_a_licence_that_nobody_knows(self, folk: Dataset, people: People) -> None:
        with pytest.raises(ProvenanceError, match="no licence of the catalogue"):
            correct(folk, people, licence="Do what you like, mostly")

    def test_is_the_steward_s(self, folk: Dataset, people: People) -> None:
        with pytest.raises(NotAllowedError):
            clearing.correct_statements(
                dataset=folk,
                entries=folk.entries.all(),
                correction=Correction(rights=["master"], licence="CC0-1.0", evidence="x"),
                reason="I may not.",
                by=people.engineer,
                now=NOON,
            )


class TestLeaveOut:
    def test_leaves_it_out_of_the_next_version_and_stops_none(self, folk: Dataset, people: People) -> None:
        last = folk.entries.order_by("-external_id")[:1]
        left = DatasetEntry.objects.filter(pk__in=[row.pk for row in last])
        clearing.leave_out(dataset=folk, entries=left, reason="Asked to.", by=people.steward, now=NOON)
        services.approve_dataset(dataset=folk, by=people.officer, reason="Read.", accept=["all"], now=NOON)
        frozen = services.freeze_dataset(
            dataset=folk, use=question(folk).use(NOON), by=people.engineer, now=NOON
        )
        assert frozen.left_out == ((last[0].external_id, "left out: Asked to."),)
        assert frozen.version.n_recordings == 2
        assert frozen.version.n_left_out == 1

    def test_is_undone_by_taking_back(self, folk: Dataset, people: People) -> None:
        everything = folk.entries.all()
        clearing.leave_out(dataset=folk, entries=everything, reason="Wait.", by=people.steward, now=NOON)
        assert (
            clearing.leave_out(dataset=folk, entries=everything, reason="Twice.", by=people.steward, now=NOON)
            == 0
        )
        assert (
            clearing.take_back(dataset=folk, entries=everything, reason="Done.", by=people.steward, now=NOON)
            == 3
        )
        assert not Omission.objects.filter(taken_back_at=None).exists()

    def test_keeps_the_reason_out_of_the_ledger(self, folk: Dataset, people: People) -> None:
        clearing.leave_out(
            dataset=folk, entries=folk.entries.all(), reason="Ms Example asked.", by=people.steward, now=NOON
        )
        event = LedgerEvent.objects.get(kind="provenance.dataset.left_out")
        assert "Ms Example" not in str(event.body)
        assert event.body["recordings"] == 3


class TestNarrowed:
    @pytest.mark.parametrize(
        ("by", "n"),
        [
            (Narrowing(), 3),
            (Narrowing(answer="not_allowed"), 1),
            (Narrowing(answer="allowed", right="composition"), 2),
            (Narrowing(licence="CC-BY-NC-4.0"), 1),
            (Narrowing(holder="Cellar Records"), 1),
            (Narrowing(basis="public_domain"), 2),
            (Narrowing(basis="grant"), 0),
            (Narrowing(weak=True), 0),
            (Narrowing(left_out=True), 0),
        ],
        ids=str,
    )
    def test_leaves_what_the_answers_say(self, folk: Dataset, by: Narrowing, n: int) -> None:
        run = services.keep_clearance(question=question(folk), now=NOON)
        assert clearances.narrowed(question(folk).entries(), by, run).count() == n

    def test_leaves_nothing_without_answers(self, folk: Dataset) -> None:
        by = Narrowing(answer="allowed")
        assert clearances.narrowed(question(folk).entries(), by, None).count() == 0

    def test_finds_words_without_answers(self, folk: Dataset) -> None:
        entry = folk.entries.first()
        assert entry is not None
        by = Narrowing(words=entry.external_id)
        assert entry in clearances.narrowed(question(folk).entries(), by, None)


class TestSliceOf:
    @pytest.mark.parametrize("by", ["external_id", "title"])
    def test_walks_there_and_back(self, people: People, by: str) -> None:
        dataset = a_dataset(people.steward, people.house, n_recordings=7)
        dataset.entries.update(title="The same")
        entries = DatasetEntry.objects.filter(dataset=dataset)
        everything = list(entries.order_by(by, "id"))

        def walk(**mark: str) -> keyset.Slice[DatasetEntry]:
            return keyset.slice_of(entries, keyset.by(by), size=3, **mark)

        first = walk()
        second = walk(after=first.after)
        third = walk(after=second.after)
        assert [*first.rows, *second.rows, *third.rows] == everything
        assert (first.before, third.after) == ("", "")
        back = walk(before=third.before)
        assert list(back.rows) == list(second.rows)
        assert list(walk(before=back.before).rows) == list(first.rows)
        assert walk(before=back.before).before == ""

    def test_goes_on_where_a_row_was_that_is_deleted(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house, n_recordings=1)
        brought = {"format": "csv", "source_name": "c", "source_sha256": "0" * 64, "uploaded_at": NOON}
        Catalogue.objects.bulk_create(
            Catalogue(organisation=dataset.organisation, name=name, uploaded_by=people.officer, **brought)
            for name in "abcdef"
        )
        rows = Catalogue.objects.all()
        first = keyset.slice_of(rows, keyset.by("name"), size=3)
        rows.get(name="c").delete()
        assert [
            row.name for row in keyset.slice_of(rows, keyset.by("name"), size=3, after=first.after).rows
        ] == [*"def"]

    def test_tells_nobody_a_key(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house, n_recordings=3)
        mark = keyset.slice_of(dataset.entries.all(), keyset.by("title"), size=1).after
        said = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        entry = dataset.entries.order_by("title", "id")[0]
        assert said[1:] == [entry.title, str(entry.public_id)]

    @pytest.mark.parametrize("mark", ["x", "bm9uZQ", "WzEsMl0", "é", "W10"])
    def test_begins_anew_at_a_mark_that_nobody_wrote(self, folk: Dataset, mark: str) -> None:
        entries = DatasetEntry.objects.filter(dataset=folk)
        assert len(keyset.slice_of(entries, keyset.by("external_id"), after=mark).rows) == 3


class TestQuestionForOneModel:
    def test_is_another_question_and_asks_for_that_model(self, folk: Dataset) -> None:
        plain, scoped = question(folk), question(folk, model="tide")
        assert (plain.use(NOON).model, scoped.use(NOON).model) == ("", "tide")
        assert plain.key != scoped.key
        assert question(folk, model="").key == plain.key  # runs that are kept still answer it

    def test_goes_to_the_worker_whole(self, folk: Dataset, people: People) -> None:
        job = Job(
            subject_id=folk.public_id,
            arguments={
                "purpose": "ai_generative_training",
                "commercial": True,
                "territory": "",
                "day": None,
                "policy": "default",
                "version": None,
                "model": "tide",
            },
        )
        assert jobs.asked_by(job).model == "tide"
        del job.arguments["model"]  # queued before there was any
        assert jobs.asked_by(job).model == ""

    def test_is_asked_by_the_link_of_a_frozen_version(
        self, folk: Dataset, people: People, client: Client
    ) -> None:
        version = DatasetVersion.objects.create(
            dataset=folk,
            number=1,
            purpose="ai_generative_training",
            commercial=True,
            model="tide & co",
            policy_name="default",
            policy_sha256="0" * 64,
            review_id=folk.public_id,
            n_recordings=0,
            n_left_out=3,
            seconds=0.0,
            merkle_root="0" * 64,
            frozen_by=people.steward,
            frozen_at=NOON,
        )
        client.force_login(people.steward)
        address = reverse("provenance:version", args=[version.public_id])
        text = client.get(address).content.decode()
        asked = re.search(r'href="([^"]*)">every answer for this use', text)
        assert asked is not None
        page = client.get(unescape(asked[1])).content.decode()
        assert "by the model tide &amp; co alone" in page
        assert '<input type="hidden" name="model" value="tide &amp; co">' in page

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from governance import ledger
from governance.models import LedgerEvent
from tests.people import NOON, CommittingTestCase, People, found_people, ledger_unlocked


@pytest.fixture
def people(db: None) -> People:
    return found_people()


def a_line(people: People, kind: str = "test.deed.done", **body: Any) -> LedgerEvent:
    return ledger.record(
        kind=kind,
        subject_kind="test",
        subject_id=uuid4(),
        actor=people.officer,
        organisation=people.house,
        now=NOON,
        body=body,
    )


class TestAppendOnly:
    @pytest.mark.parametrize(
        "deed",
        [
            "UPDATE governance_ledgerevent SET kind = 'test.deed.undone'",
            "DELETE FROM governance_ledgerevent",
            "TRUNCATE governance_ledgerevent",
        ],
    )
    def test_refuses_to_change_a_line(self, people: People, deed: str) -> None:
        line = a_line(people)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(deed)
        line.refresh_from_db()
        assert line.kind == "test.deed.done"

    def test_refuses_the_same_sequence_twice(self, people: People) -> None:
        line = a_line(people)
        line.hash = "f" * 64
        with pytest.raises(IntegrityError), transaction.atomic():
            line.save(force_insert=True)


class TestRecord:
    def test_counts_from_one_and_follows_the_line_before(self, people: People) -> None:
        first, second = a_line(people), a_line(people)
        assert (first.sequence, second.sequence) == (1, 2)
        assert first.previous_hash == ledger.GENESIS
        assert second.previous_hash == first.hash
        assert ledger.head() == (2, second.hash)

    def test_goes_when_its_deed_is_undone(self, people: People) -> None:
        with transaction.atomic():
            a_line(people)
            transaction.set_rollback(True)
        assert ledger.head() == (0, ledger.GENESIS)


class TestVerify:
    def test_accepts_an_empty_ledger(self, people: People) -> None:
        assert ledger.verify() == ledger.Verification(0, ledger.GENESIS, None)

    def test_accepts_a_line_read_back_from_the_database(self, people: People) -> None:
        a_line(people, words="Für Elise", share=0.1, n=2**53 - 1, nothing=None, listed=[1, "a"])
        assert ledger.verify().ok

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ("kind = 'test.deed.undone'", "do not give its hash"),
            ("""body = '{"n": 7}'""", "do not give its hash"),
            ("at = at + interval '1 second'", "do not give its hash"),
            ("actor_id = subject_id", "do not give its hash"),
            ("organisation_id = subject_id", "do not give its hash"),
            ("previous_hash = hash", "does not follow"),
            ("sequence = 9", "is missing"),
        ],
    )
    def test_names_the_line_that_was_changed(self, people: People, change: str, problem: str) -> None:
        for n in range(4):
            a_line(people, n=n)
        with ledger_unlocked():
            connection.cursor().execute(f"UPDATE governance_ledgerevent SET {change} WHERE sequence = 3")  # noqa: S608
        found = ledger.verify()
        assert not found.ok
        assert problem in found.problem
        assert found.first_bad == (4 if "sequence" in change else 3)

    def test_names_the_line_after_one_that_was_taken_out(self, people: People) -> None:
        for n in range(4):
            a_line(people, n=n)
        with ledger_unlocked():
            connection.cursor().execute("DELETE FROM governance_ledgerevent WHERE sequence = 2")
        found = ledger.verify()
        assert found.first_bad == 3
        assert found.problem == "line 2 is missing"

    def test_names_the_line_after_one_that_was_forged_with_its_own_hash(self, people: People) -> None:
        for n in range(3):
            a_line(people, n=n)
        forged = LedgerEvent.objects.get(sequence=2)
        forged.body = {"n": 7}
        with ledger_unlocked():
            LedgerEvent.objects.filter(sequence=2).update(body=forged.body, hash=ledger.hash_of(forged))
        assert ledger.verify().first_bad == 3


class TestConcurrentAppends(CommittingTestCase):
    N_THREADS, N_LINES = 4, 10

    def test_stay_gapless_and_chained(self) -> None:
        people = found_people()
        start = threading.Barrier(self.N_THREADS)
        problems: list[BaseException] = []

        def write() -> None:
            try:
                start.wait()
                for _ in range(self.N_LINES):
                    with transaction.atomic():
                        a_line(people)
            except BaseException as error:  # noqa: BLE001 — reported below, in the test's own thread
                problems.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=write) for _ in range(self.N_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems
        found = ledger.verify()
        assert (found.n_events, found.first_bad) == (self.N_THREADS * self.N_LINES, None)


class TestCommitment:
    def test_hides_the_words_and_holds_them(self) -> None:
        assert ledger.commitment("copied", "salt") == ledger.commitment("copied", "salt")
        assert ledger.commitment("copied", "salt") != ledger.commitment("copied", "other")
        assert ledger.commitment("copied", "salt") != ledger.commitment("not copied", "salt")


class TestOutsideATransaction(CommittingTestCase):
    def test_is_refused(self) -> None:
        with pytest.raises(ledger.LedgerError, match="inside the transaction"):
            a_line(found_people())

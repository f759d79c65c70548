"""Claims: read from files, weighed in clearing, and their gaps and overlaps found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from governance import ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import LedgerEvent
from provenance import queries, services
from provenance.errors import ProvenanceError
from provenance.known import asker_of
from provenance.models import Conflict, ConflictStatus, Dataset, Party, RightsClaim
from provenance.services.claiming import ClaimsRegistered, register_claims, withdraw_claim
from provenance.services.parties import identify_party
from tests.catalogues import TRAINING, answers, approve, run, table
from tests.people import People, a_dataset

pytestmark = pytest.mark.django_db
DEAL = {
    "licensor": "Anna Lind",
    "licensee": "House",
    "right": "both",
    "recordings": "tune-000",
    "purposes": TRAINING,
}
CLAIM = {"party": "Anna Lind", "right": "both", "share": "50", "recordings": "tune-000", "source": "registry"}


@pytest.fixture
def closed(people: People) -> Dataset:
    """A dataset that no licence clears."""
    return a_dataset(people.steward, people.house, licence="LicenseRef-all-rights-reserved")


def claim(people: People, source: Path, **options: Any) -> ClaimsRegistered:
    given: dict[str, Any] = {"by": people.steward, "organisation": people.house, "now": timezone.now()}
    return register_claims(source=source, **{**given, **options})


def grant(people: People, source: Path) -> None:
    (outcome,) = services.register_grants(
        source=source, by=people.steward, organisation=people.house, now=timezone.now()
    )
    assert outcome.status == "registered", outcome.reasons


class TestRegisterClaims:
    def test_asks_every_claimant_for_a_grant(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        grant(people, table(tmp_path / "deals.csv", [DEAL]))
        assert answers(closed)["tune-000"] == "allowed"

        claim(people, table(tmp_path / "claims.csv", [CLAIM, {**CLAIM, "party": "Ben Ode"}]))

        assert answers(closed)["tune-000"] != "allowed"
        grant(people, table(tmp_path / "more.csv", [{**DEAL, "licensor": "Ben Ode"}]))
        assert answers(closed)["tune-000"] == "allowed"
        assert ledger.verify().ok

    def test_finds_the_share_that_nobody_claims(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        done = claim(people, table(tmp_path / "claims.csv", [CLAIM]))

        gaps = Conflict.objects.filter(kind="shares_gap", status=ConflictStatus.OPEN)
        assert (done.n_findings, gaps.count()) == (2, 2)
        assert "50 % is claimed by nobody" in gaps.first().summary  # type: ignore[union-attr]
        again = claim(people, table(tmp_path / "again.csv", [CLAIM]))
        assert (again.outcomes[0].status, again.n_findings, gaps.count()) == ("duplicate", 0, 2)

    def test_closes_a_finding_whose_cause_is_gone(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        claim(people, table(tmp_path / "claims.csv", [CLAIM]))

        done = claim(people, table(tmp_path / "rest.csv", [{**CLAIM, "party": "Ben Ode"}]))

        assert (done.n_findings, {one.status for one in Conflict.objects.all()}) == (0, {"superseded"})
        one = Conflict.objects.first()
        assert one is not None
        assert (one.resolved_by, "have changed" in one.reason) == (people.steward, True)
        event = LedgerEvent.objects.get(kind="provenance.conflicts.superseded")
        assert event.body["conflicts"] == 2
        assert ledger.verify().ok

    def test_opens_a_finding_again_whose_cause_came_back(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        claim(people, table(tmp_path / "claims.csv", [CLAIM]))
        claim(people, table(tmp_path / "rest.csv", [{**CLAIM, "party": "Ben Ode"}]))

        for rest in RightsClaim.objects.filter(party__name="Ben Ode"):
            withdraw_claim(claim=rest, by=people.steward, now=timezone.now())

        statuses = Conflict.objects.order_by("id").values_list("status", flat=True)
        assert list(statuses) == ["superseded", "superseded", "open", "open"]

    def test_leaves_what_a_person_closed_as_it_is(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        claim(people, table(tmp_path / "claims.csv", [{**CLAIM, "right": "master"}]))
        services.close_conflict(
            conflict=Conflict.objects.get(),
            status=ConflictStatus.RESOLVED,
            reason="The rest is in the public domain.",
            by=people.officer,
            now=timezone.now(),
        )
        rest = {**CLAIM, "right": "master", "party": "Ben Ode"}

        claim(people, table(tmp_path / "rest.csv", [rest]))
        withdraw_claim(
            claim=RightsClaim.objects.get(party__name="Ben Ode"), by=people.steward, now=timezone.now()
        )

        assert Conflict.objects.get().status == ConflictStatus.RESOLVED

    def test_finds_shares_that_overlap_in_one_country_only(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        rows = [
            {**CLAIM, "right": "master", "share": "100", "territory": "WORLD"},
            {**CLAIM, "right": "master", "share": "100", "territory": "FR", "party": "Ben Ode"},
        ]
        claim(people, table(tmp_path / "claims.csv", rows))

        (found,) = Conflict.objects.all()
        assert (found.kind, found.evidence_a["where"]) == ("shares_overlap", ["FR"])

    def test_finds_that_two_sources_name_other_holders(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        rows = [
            {**CLAIM, "share": "100", "right": "master"},
            {**CLAIM, "share": "100", "right": "master", "party": "Ben Ode", "source": "rights_holder"},
        ]
        claim(people, table(tmp_path / "claims.csv", rows))
        assert [found.kind for found in Conflict.objects.all()] == ["claims_disagree"]

    def test_says_of_its_findings_in_clearing(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        claim(people, table(tmp_path / "claims.csv", [CLAIM]))
        found = Conflict.objects.filter(evidence_a__right="master").get()
        ran = run("clear_dataset", closed.name, "--purpose", TRAINING)
        (line,) = [one for one in ran.lines if one.get("external_id") == "tune-000"]
        assert str(found.public_id) in " ".join(line["master"]["reasons"])

    def test_keeps_an_invalid_identifier_and_marks_it(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        row = {**CLAIM, "isni": "0000 0001 2345 6780", "ipi_base": "I-000000229-7"}
        (outcome,) = claim(people, table(tmp_path / "claims.csv", [row])).outcomes

        party = Party.objects.get(name="Anna Lind")
        assert party.isni == "0000 0001 2345 6780"
        assert len(outcome.notes) == 1
        assert outcome.notes[0].startswith("isni 0000 0001 2345 6780 is not valid, and is kept")
        assert party.ipi_base == "I-000000229-7"

    def test_takes_two_identifiers_for_two_parties(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        row = {**CLAIM, "isni": "0000000121032683"}
        claim(people, table(tmp_path / "claims.csv", [row]))
        other = {**row, "isni": "0000000114736829", "recordings": "tune-001"}
        (outcome,) = claim(people, table(tmp_path / "more.csv", [other])).outcomes
        assert outcome.status == "rejected"
        assert "another party" in outcome.reasons[0]

    def test_lets_no_source_say_two_things_at_once(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        rows = [CLAIM, {**CLAIM, "share": "60"}, {**CLAIM, "share": "60", "period": "2050-01-01/2051-01-01"}]
        done = claim(people, table(tmp_path / "claims.csv", [{**rows[2], **row} for row in rows]))
        assert [one.status for one in done.outcomes] == ["registered", "rejected", "rejected"]
        assert "withdraw that first" in done.outcomes[1].reasons[0]

    @pytest.mark.parametrize("spelled", ["ANNA LIND", "Anna  Lind", "Ａnna Lind"])
    def test_knows_a_party_in_another_spelling(
        self, people: People, closed: Dataset, tmp_path: Path, spelled: str
    ) -> None:
        """Halves claimed twice by one holder are no whole."""
        half = {**CLAIM, "share": "50"}
        claim(people, table(tmp_path / "claims.csv", [half]))
        again = claim(people, table(tmp_path / "again.csv", [{**half, "party": spelled}]))
        more = claim(people, table(tmp_path / "more.csv", [{**half, "party": spelled, "share": "60"}]))
        assert [one.status for one in again.outcomes] == ["duplicate"]
        assert "withdraw that first" in more.outcomes[0].reasons[0]

    def test_follows_holders_through_time(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        rows = [
            {**CLAIM, "share": "100", "period": "/2030-01-01"},
            {**CLAIM, "share": "100", "period": "2030-01-01/", "party": "Ben Ode"},
            {**CLAIM, "share": "100", "period": "2030-01-01/2031-01-01"},
        ]
        done = claim(people, table(tmp_path / "claims.csv", rows[:2]))
        assert [one.status for one in done.outcomes] == ["registered", "registered"]
        assert done.n_findings == 0
        assert claim(people, table(tmp_path / "more.csv", rows[2:])).n_findings > 0

    def test_rejects_what_can_not_be_meant(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        bad = {
            "party": "",
            "right": "mechanical",
            "shares": "1",
            "share": "0",
            "source": "hearsay",
            "isrc": "X",
        }
        (tmp_path / "claims.json").write_text(json.dumps([bad]))
        (outcome,) = claim(people, tmp_path / "claims.json").outcomes
        told = " ".join(outcome.reasons)
        for word in ("party is empty", "mechanical", "'shares'", "share is '0'", "hearsay", "'X'"):
            assert word in told
        assert not RightsClaim.objects.exists()

    def test_reads_the_json_that_the_api_takes(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        (tmp_path / "claims.json").write_text(json.dumps({"claims": [CLAIM]}))
        (outcome,) = claim(people, tmp_path / "claims.json").outcomes
        assert (outcome.status, outcome.reasons) == ("registered", ())

    def test_says_what_is_no_claim(self, people: People, tmp_path: Path) -> None:
        (tmp_path / "claims.json").write_text("[1]")
        with pytest.raises(ProvenanceError, match="no claim"):
            claim(people, tmp_path / "claims.json")

    def test_names_every_missing_column(self, people: People, tmp_path: Path) -> None:
        with pytest.raises(ProvenanceError, match="lacks the columns party, right"):
            claim(people, table(tmp_path / "claims.csv", [{"share": "1"}]))

    def test_keeps_nothing_of_a_dry_run(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        done = claim(people, table(tmp_path / "claims.csv", [CLAIM]), dry_run=True)
        assert (done.outcomes[0].status, done.n_findings) == ("registered", 2)
        assert not RightsClaim.objects.exists()
        assert not Conflict.objects.exists()

    def test_is_for_stewards(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        source = table(tmp_path / "claims.csv", [CLAIM])
        for person in (people.engineer, people.auditor, people.stranger):
            with pytest.raises(NotAllowedError):
                claim(people, source, by=person)

    def test_is_covered_by_no_approval_before_it(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        approve(closed, people.officer)
        claim(people, table(tmp_path / "claims.csv", [CLAIM]))
        closed.refresh_from_db()
        assert queries.approval_of(closed) is None


class TestTheCommands:
    def test_register_and_withdraw(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        source = table(tmp_path / "claims.csv", [CLAIM, {**CLAIM, "recordings": "nobody"}])
        ran = run("register_claims", source, "--as", "data_steward")
        assert ran.code == 1
        assert ran.summary == {"registered": 1, "duplicate": 0, "rejected": 1, "findings": 2}

        withdrawn = run("withdraw_claim", ran.lines[0]["claims"][0], "--as", "data_steward")
        assert withdrawn.code == 0
        assert RightsClaim.objects.filter(withdrawn_at=None).count() == 1

    def test_identify_a_party(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        grant(people, table(tmp_path / "deals.csv", [{**DEAL, "licensee": "House Records Ltd"}]))
        ran = run("identify_party", "House Records Ltd", "--as", "compliance_officer")
        assert ran.last == {
            "party": "House Records Ltd",
            "stands_for": "House",
            "licensees": ["House", "House Records Ltd"],
        }
        assert run("identify_party", "Nobody", "--as", "compliance_officer").code == 2


class TestWithdrawClaim:
    def test_asks_that_party_no_longer(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        grant(people, table(tmp_path / "deals.csv", [DEAL]))
        claim(people, table(tmp_path / "claims.csv", [{**CLAIM, "party": "Ben Ode", "right": "master"}]))
        assert answers(closed)["tune-000"] != "allowed"
        held = RightsClaim.objects.get()

        withdraw_claim(claim=held, by=people.steward, now=timezone.now())

        assert answers(closed)["tune-000"] == "allowed"
        with pytest.raises(ConflictError):
            withdraw_claim(claim=held, by=people.steward, now=timezone.now())


class TestIdentifyParty:
    """Whom a grant was given to counts once somebody said who that is."""

    def test_makes_grants_to_others_answer_for_them_only(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        grant(people, table(tmp_path / "deals.csv", [{**DEAL, "licensee": "Another House"}]))
        assert asker_of(people.house) == frozenset()
        assert answers(closed)["tune-000"] == "allowed"

        ours = Party.objects.create(organisation=people.house, name="House Records Ltd")
        identify_party(party=ours, organisation=people.house, by=people.officer, now=timezone.now())

        assert asker_of(people.house) == {"House", "House Records Ltd"}
        assert answers(closed)["tune-000"] != "allowed"
        grant(people, table(tmp_path / "ours.csv", [{**DEAL, "licensee": "House Records Ltd"}]))
        assert answers(closed)["tune-000"] == "allowed"

    def test_is_for_stewards_and_officers(self, people: People) -> None:
        ours = Party.objects.create(organisation=people.house, name="House Records Ltd")
        for person in (people.engineer, people.auditor, people.stranger):
            with pytest.raises(NotAllowedError):
                identify_party(party=ours, organisation=people.house, by=person, now=timezone.now())

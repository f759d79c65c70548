"""Clearance policies: proposed by one, adopted by another, holding from then on and never backwards."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import ledger
from governance import services as governance
from governance.errors import ConflictError, LinerNotesError, NotAllowedError
from governance.models import Decision, LedgerEvent, Policy, PolicyAdoption, Review
from provenance import queries, services
from provenance.errors import NotClearedError, ProvenanceError
from provenance.forms.policies import filled_in
from provenance.models import Dataset, DatasetVersion
from provenance.queries import previews
from provenance.rights.policy import DEFAULT, STRICT, ClearancePolicy, Override, policy_from_yaml
from tests.catalogues import approve, run, training
from tests.people import (
    People,
    a_dataset,
    an_entry,
    answers,
    client_of,
    statuses,
)

pytestmark = pytest.mark.django_db
API = "/api/v1/policies/"
CAREFUL = ClearancePolicy(
    "careful", readings=(("copyleft-training", "strict"),), describes="No training on copyleft."
)
LOOSE = ClearancePolicy("loose", readings=(("copyleft-training", "loose"),))


@pytest.fixture
def dataset(people: People) -> Dataset:
    """``folk``: two recordings under the GPL, one in the public domain."""
    found = a_dataset(people.steward, people.house, licence="GPL-2.0-only")
    an_entry(found.registrations.get(), row=7)
    return found


def propose(people: People, policy: ClearancePolicy = CAREFUL, **more: Any) -> tuple[Policy, Review]:
    given = {"by": people.steward, "reason": "Counsel's memo of March.", "now": timezone.now(), **more}
    return services.propose_policy(organisation=people.house, policy=policy, **given)


def decide(people: People, review: Review, decision: Decision = Decision.APPROVED, **more: Any) -> Review:
    given = {"by": people.officer, "reason": "Read, and agreed.", "now": timezone.now(), **more}
    return services.decide_policy(review=review, decision=decision, **given)


def adopt(people: People, policy: ClearancePolicy = CAREFUL, *, at: datetime | None = None) -> Policy:
    proposed, review = propose(people, policy, now=at or timezone.now())
    decide(people, review, now=at + timedelta(seconds=1) if at else timezone.now())
    return proposed


def counts(dataset: Dataset, *, at: datetime | None = None) -> dict[str, int]:
    """Return how many recordings get each answer for commercial generative training at an instant."""
    use = replace(training(), at=at or timezone.now())
    summary = queries.ClearanceSummary.empty()
    policy = queries.policy_of(dataset.organisation, at=use.at)
    for cleared in queries.clear_entries(queries.entries_of(dataset), use=use, policy=policy):
        summary.add(cleared)
    return {answer: n for answer, n in summary.counts.items() if n}


class TestProposePolicy:
    def test_changes_no_answer(self, people: People, dataset: Dataset) -> None:
        propose(people)
        assert counts(dataset) == {"constrained": 2, "allowed": 1}

    def test_is_in_the_ledger_without_a_word_of_the_reason(self, people: People) -> None:
        policy, review = propose(people)
        kinds = list(LedgerEvent.objects.filter(subject_id=policy.public_id).values_list("kind", flat=True))
        assert kinds == ["governance.policy.written", "governance.review.asked"]
        assert "memo" not in str(list(LedgerEvent.objects.values_list("body", flat=True)))
        assert review.why == "Counsel's memo of March."
        assert ledger.verify().ok

    def test_hashes_what_the_engine_hashes(self, people: People) -> None:
        policy, _ = propose(people)
        assert policy.sha256 == queries.policy_value(policy).sha256

    def test_twice_is_one_proposal(self, people: People) -> None:
        assert propose(people) == propose(people)
        assert Policy.objects.count() == Review.objects.count() == 1

    def test_counts_versions_of_a_name(self, people: People) -> None:
        adopt(people)
        changed, _ = propose(people, replace(CAREFUL, weak_evidence="unknown"))
        assert str(changed) == "careful@2"
        assert queries.policy_value(changed).version == 2

    def test_needs_a_reason(self, people: People) -> None:
        with pytest.raises(LinerNotesError, match="needs a reason"):
            propose(people, reason="  ")
        assert not Policy.objects.exists()

    @pytest.mark.parametrize("role", ["auditor", "engineer", "outsider", "stranger"])
    def test_is_for_stewards_and_officers(self, people: People, role: str) -> None:
        with pytest.raises(NotAllowedError, match="data steward or compliance officer"):
            propose(people, by=getattr(people, role))

    def test_refuses_a_shipped_name_for_something_else(self, people: People) -> None:
        with pytest.raises(ProvenanceError, match="name of a shipped policy"):
            propose(people, replace(CAREFUL, name="default"))

    def test_takes_a_shipped_policy_as_it_is(self, people: People) -> None:
        adopt(people, STRICT)
        assert queries.policy_of(people.house) == STRICT
        assert queries.policy_of(people.house).reference == "strict"
        adopt(people, DEFAULT)
        assert queries.policy_of(people.house).sha256 == DEFAULT.sha256
        adopt(people, STRICT)
        assert queries.policy_of(people.house) == STRICT

    def test_refuses_what_is_in_force(self, people: People) -> None:
        adopt(people)
        with pytest.raises(ConflictError, match="nothing would change"):
            propose(people)

    @pytest.mark.parametrize("name", ["", "Our Policy", "a@2", "x" * 81])
    def test_refuses_a_name_that_is_none(self, people: People, name: str) -> None:
        with pytest.raises(ProvenanceError, match="is no name"):
            propose(people, replace(CAREFUL, name=name))


class TestDecidePolicy:
    def test_puts_it_in_force_from_then_on(self, people: People, dataset: Dataset) -> None:
        before = timezone.now()
        adopt(people)
        assert counts(dataset, at=timezone.now() + timedelta(minutes=1)) == {"not_allowed": 2, "allowed": 1}
        assert counts(dataset, at=before) == {"constrained": 2, "allowed": 1}

    def test_records_what_it_replaces(self, people: People) -> None:
        first = adopt(people)
        second = adopt(people, STRICT)
        event = LedgerEvent.objects.get(kind="governance.policy.adopted", subject_id=second.public_id)
        assert event.body["sha256"] == STRICT.sha256
        assert event.body["replaces_sha256"] == first.sha256
        assert ledger.verify().ok

    def test_is_not_for_who_proposed(self, people: People) -> None:
        _, review = propose(people, by=people.officer)
        with pytest.raises(NotAllowedError, match="somebody else must decide"):
            decide(people, review)
        assert queries.policy_of(people.house) == DEFAULT

    @pytest.mark.parametrize("role", ["steward", "auditor", "engineer", "outsider", "stranger"])
    def test_is_for_officers(self, people: People, role: str) -> None:
        _, review = propose(people, by=people.steward)
        with pytest.raises(NotAllowedError):
            decide(people, review, by=getattr(people, role))

    def test_rejecting_changes_nothing(self, people: People) -> None:
        _, review = propose(people)
        decide(people, review, Decision.REJECTED)
        assert queries.policy_of(people.house) == DEFAULT
        assert not PolicyAdoption.objects.exists()

    def test_refuses_one_whose_preview_was_overtaken(self, people: People) -> None:
        _, review = propose(people)
        adopt(people, STRICT)
        with pytest.raises(ConflictError, match="no longer holds"):
            decide(people, review)
        assert decide(people, review, Decision.REJECTED).decision == Decision.REJECTED

    def test_through_the_review_is_the_same(self, people: People) -> None:
        policy, review = propose(people)
        client = Client()
        client.force_login(people.officer)
        address = reverse("governance:review", args=[review.public_id])
        assert "What it changes" in client.get(address).content.decode()
        client.post(address, {"decision": "approved", "reason": "Agreed."})
        assert queries.adoption_of(people.house).policy == policy  # type: ignore[union-attr]

    def test_is_kept_by_the_database(self, people: People) -> None:
        policy = adopt(people)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            PolicyAdoption.objects.all().delete()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Policy.objects.filter(pk=policy.pk).update(body={})


class TestPolicyOf:
    def test_walks_through_history(self, people: People) -> None:
        start = timezone.now() - timedelta(days=30)
        adopt(people, at=start)
        adopt(people, STRICT, at=start + timedelta(days=10))
        found = [
            queries.policy_of(people.house, at=start + timedelta(days=day)).reference for day in (-1, 1, 11)
        ]
        assert found == ["default", "careful@1", "strict"]

    def test_names_a_version_that_was_only_proposed(self, people: People) -> None:
        propose(people)
        assert queries.policy_of(people.house, "careful@1").reading_of("copyleft-training") == "strict"
        with pytest.raises(ProvenanceError, match="careful@1 names what was proposed last"):
            queries.policy_of(people.house, "careful")

    @pytest.mark.parametrize("name", ["careful@9", "careful@x", "nothing", "nothing@1"])
    def test_says_what_there_is(self, people: People, name: str) -> None:
        adopt(people)
        with pytest.raises(ProvenanceError, match="There is no policy"):
            queries.policy_of(people.house, name)


class TestFreezing:
    def freeze(self, people: People, dataset: Dataset, **more: Any) -> DatasetVersion:
        given = {"use": training(), "by": people.steward, "now": timezone.now(), "only_cleared": True, **more}
        return services.freeze_dataset(dataset=dataset, **given).version

    def test_names_the_version_and_keeps_it(self, people: People, dataset: Dataset) -> None:
        adopt(people)
        approve(dataset, people.officer, ["all"])
        version = self.freeze(people, dataset)
        adopt(people, LOOSE)
        assert (version.policy_name, version.n_recordings) == ("careful@1", 1)
        kept = queries.policy_of(people.house, version.policy_name)
        assert kept.sha256 == version.policy_sha256

    def test_refuses_a_looser_reading_than_holds(self, people: People, dataset: Dataset) -> None:
        adopt(people)
        approve(dataset, people.officer, ["all"])
        with pytest.raises(NotClearedError, match=r"default is looser than careful@1"):
            self.freeze(people, dataset, policy_name="default")
        assert self.freeze(people, dataset, policy_name="strict").policy_name == "strict"

    def test_refuses_a_day_that_was_read_more_loosely(self, people: People, dataset: Dataset) -> None:
        yesterday = timezone.now() - timedelta(days=1)
        adopt(people)
        approve(dataset, people.officer, ["all"])
        with pytest.raises(NotClearedError, match="looser"):
            self.freeze(people, dataset, use=replace(training(), at=yesterday))

    def test_refuses_a_proposal_that_loosens(self, people: People, dataset: Dataset) -> None:
        propose(people, LOOSE)
        approve(dataset, people.officer, ["all"])
        with pytest.raises(NotClearedError, match="looser"):
            self.freeze(people, dataset, policy_name="loose@1")


class TestPreview:
    def test_counts_both_ways_and_writes_nothing(self, people: People, dataset: Dataset) -> None:
        (one,) = previews.preview([dataset], before=DEFAULT, after=CAREFUL, use=training())
        assert one.before == {"not_allowed": 0, "unknown": 0, "constrained": 2, "allowed": 1}
        assert one.after == {"not_allowed": 2, "unknown": 0, "constrained": 0, "allowed": 1}
        assert dict(one.moves) == {("constrained", "not_allowed"): 2}
        assert not Policy.objects.exists()

    def test_counts_other_conditions_apart(self, dataset: Dataset) -> None:
        (one,) = previews.preview([dataset], before=DEFAULT, after=LOOSE, use=training())
        assert (one.n_changed, one.n_other_conditions) == (0, 2)

    def test_leaves_what_is_too_large(self, dataset: Dataset) -> None:
        (one,) = previews.preview([dataset], before=DEFAULT, after=CAREFUL, use=training(), at_most=2)
        assert (one.counted, one.n_recordings, one.as_json().get("before")) == (False, 3, None)

    def test_is_what_adopting_then_answers(self, people: People, dataset: Dataset) -> None:
        (one,) = previews.preview([dataset], before=DEFAULT, after=CAREFUL, use=training())
        adopt(people)
        later = timezone.now() + timedelta(minutes=1)
        assert counts(dataset, at=later) == {answer: n for answer, n in one.after.items() if n}


def a_file(folder: Path, policy: ClearancePolicy = CAREFUL) -> Path:
    path = folder / "careful.yaml"
    path.write_text(policy.as_yaml())
    return path


class TestCommands:
    def write(self, source: Path, *more: str, who: str = "data_steward") -> Any:
        return run("write_policy", "House", "--from", source, "--as", who, "--reason", "Memo.", *more)

    def test_propose_and_decide(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        written = self.write(a_file(tmp_path))
        assert written.code == 0
        assert written.lines[0]["preview"]["moves"] == [
            {"from": "constrained", "to": "not_allowed", "recordings": 2}
        ]
        assert (written.last["policy"], written.last["replaces"]) == ("careful@1", "default")
        assert written.last["readings_looser"] == 0 < written.last["readings_stricter"]

        decided = run("decide_policy", "careful", "--as", "compliance_officer", "--reason", "Agreed.")
        assert (decided.code, decided.last["decision"]) == (0, "approved")
        assert run("show_policy", "House").last["sha256"] == queries.policy_of(people.house).sha256
        cleared = run("clear_dataset", "folk", "--purpose", "ai_generative_training", "--commercial")
        assert cleared.last["summary"]["policy"]["name"] == "careful"
        assert cleared.last["summary"]["not_allowed"] == 2

    def test_reject_with_exit_code_1(self, people: People, tmp_path: Path) -> None:
        self.write(a_file(tmp_path))
        assert (
            run(
                "decide_policy", "careful@1", "--as", "compliance_officer", "--reason", "No.", "--reject"
            ).code
            == 1
        )

    def test_dry_run_writes_nothing(self, people: People, dataset: Dataset, tmp_path: Path) -> None:
        ran = self.write(a_file(tmp_path), "--dry-run")
        assert (ran.code, ran.last["review"]) == (0, None)
        assert not Policy.objects.exists()
        assert not LedgerEvent.objects.exists()

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("name: x\nwek_evidence: unknown\n", "line 2: wek_evidence: unknown field.*'weak_evidence'"),
            ("name: x\nreadings:\n  copyleft-trainin: strict\n", "line 3.*did you mean 'copyleft-training'"),
            ("name: x\nconditions: {atribution: refused}\n", "line 2.*did you mean 'attribution'"),
            (
                "name: x\noverrides:\n- {licence: MIT, axis: data_minig, value: unknown}\n",
                "line 3: overrides.0..axis: no axis 'data_minig', did you mean 'data_mining'",
            ),
            ("name: [x\n", "line 2: not YAML"),
            ("name: x\nname: y\n", "'name' stands twice"),
            ("- x\n", "one JSON object or YAML mapping"),
            ("", "one JSON object or YAML mapping"),
        ],
    )
    def test_say_in_one_sentence_what_is_wrong(
        self, people: People, tmp_path: Path, text: str, sentence: str
    ) -> None:
        path = tmp_path / "own.yaml"
        path.write_text(text)
        ran = self.write(path)
        assert (ran.code, ran.lines, ran.err.count("\n")) == (2, [], 1)
        assert ran.err.startswith("own.yaml"), ran.err
        assert re.search(sentence, ran.err), ran.err

    def test_name_the_nearest_organisation(self, people: People, tmp_path: Path) -> None:
        ran = run(
            "write_policy", "Huose", "--from", a_file(tmp_path), "--as", "data_steward", "--reason", "x"
        )
        assert (ran.code, "did you mean 'House'" in ran.err) == (2, True)

    def test_tell_a_missing_file(self, people: People, tmp_path: Path) -> None:
        ran = self.write(tmp_path / "none.yaml")
        assert (ran.code, "can't be read" in ran.err) == (2, True)

    def test_refuse_other_roles(self, people: People, tmp_path: Path) -> None:
        ran = self.write(a_file(tmp_path), who="ml_engineer")
        assert (ran.code, "may not propose a policy" in ran.err) == (2, True)

    def test_show_a_file_that_reads_back(self, people: People) -> None:
        adopt(people, STRICT)
        out = StringIO()
        call_command("show_policy", "House", "--policy", "default", stdout=out)
        assert policy_from_yaml(out.getvalue()) == DEFAULT


class TestApi:
    def test_answers_each_role(self, people: People) -> None:
        policy = adopt(people)
        reads = statuses(members=200, stranger=404)
        lists = statuses(members=200, stranger=200)
        assert answers(people, lambda client: client.get(f"{API}{policy.public_id}/")) == reads
        assert answers(people, lambda client: client.get(API)) == lists
        assert answers(people, lambda client: client.get(f"{API}current/")) == lists
        assert answers(people, lambda client: client.get(f"{API}current/?organisation=House")) == reads

    @pytest.mark.parametrize(("address", "done"), [("", 201), ("preview/", 200)])
    def test_lets_stewards_and_officers_propose(self, people: People, address: str, done: int) -> None:
        body = {"policy": CAREFUL.as_json(), "reason": "Memo.", "organisation": "House"}
        got = answers(people, lambda client: client.post(API + address, body, format="json"))
        assert got == statuses(
            members=403, stranger=404, compliance_officer=done, data_steward=done, nobody=401
        )

    def test_proposes_and_decides(self, people: People, dataset: Dataset) -> None:
        body = {"policy": CAREFUL.as_json(), "reason": "Memo."}
        made = client_of(people.steward).post(API, body, format="json").json()
        assert (made["state"], made["reference"]) == ("proposed", "careful@1")
        own = client_of(people.steward).post(
            f"/api/v1/reviews/{made['review']}/decide/",
            {"decision": "approved", "reason": "Mine."},
            format="json",
        )
        assert own.status_code == 403
        client = client_of(people.officer)
        decided = client.post(
            f"/api/v1/reviews/{made['review']}/decide/",
            {"decision": "approved", "reason": "Read."},
            format="json",
        )
        assert decided.status_code == 200
        assert client.get(f"{API}{made['id']}/").json()["state"] == "in_force"
        assert client.get(f"{API}current/").json()["reference"] == "careful@1"
        assert client.get(f"{API}current/?at=2020-01-01T00:00:00Z").json()["reference"] == "default"

    def test_previews(self, people: People, dataset: Dataset) -> None:
        answer = client_of(people.steward).post(
            f"{API}preview/", {"policy": CAREFUL.as_json()}, format="json"
        )
        (one,) = answer.json()["datasets"]
        assert (one["dataset"], one["changed"], one["after"]["not_allowed"]) == ("folk", 2, 2)
        assert {change["direction"] for change in answer.json()["readings"]} == {"stricter"}
        assert not Policy.objects.exists()

    def test_says_where_a_policy_is_wrong(self, people: People) -> None:
        body = {"policy": {"name": "x", "readings": {"copyleft": "strict"}}, "reason": "Memo."}
        answer = client_of(people.steward).post(API, body, format="json")
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("readings.copyleft: no question 'copyleft', did you mean")

    def test_shows_what_was_superseded_and_rejected(self, people: People) -> None:
        adopt(people)
        adopt(people, STRICT)
        decide(people, propose(people, LOOSE)[1], Decision.REJECTED)
        found = {
            one["reference"]: one["state"] for one in client_of(people.auditor).get(API).json()["results"]
        }
        assert found == {"careful@1": "superseded", "strict@1": "in_force", "loose@1": "rejected"}


def page_client(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestPages:
    def filled(self, **more: str) -> dict[str, str]:
        rows = {"override-TOTAL_FORMS": "1", "override-INITIAL_FORMS": "0", "override-0-of": ""}
        return {**filled_in(CAREFUL), **rows, "reason": "Memo.", **more}

    @pytest.mark.parametrize("person", ["officer", "auditor", "steward", "engineer", "outsider"])
    def test_open_for_every_role(self, people: People, person: str) -> None:
        policy = adopt(people)
        client = page_client(getattr(people, person))
        for address in (
            reverse("provenance:policies"),
            reverse("provenance:policies-file"),
            reverse("provenance:policy", args=[policy.public_id]),
            reverse("provenance:policy-file", args=[policy.public_id]),
        ):
            assert client.get(address).status_code == 200, address
        may = person in {"officer", "steward"}
        assert client.get(reverse("provenance:policy-propose")).status_code == (200 if may else 403)

    @pytest.mark.parametrize("n_rows", ["many", "²", "-1", ""])
    def test_add_a_row_to_whatever_number_is_sent(self, people: People, n_rows: str) -> None:
        words = self.filled(**{"do": "more", "override-TOTAL_FORMS": n_rows})
        answer = page_client(people.steward).post(reverse("provenance:policy-propose"), words)
        assert answer.status_code < 500

    def test_tell_a_stranger_nothing(self, people: People) -> None:
        policy = adopt(people)
        client = page_client(people.stranger)
        for name in ("provenance:policy", "provenance:policy-file"):
            assert client.get(reverse(name, args=[policy.public_id])).status_code == 404
        address = f"{reverse('provenance:policies')}?organisation={people.house.public_id}"
        assert client.get(address).status_code == 404

    def test_show_choices_beside_the_shipped_ones(self, people: People) -> None:
        adopt(people)
        text = page_client(people.auditor).get(reverse("provenance:policies")).content.decode()
        assert "Weights are works based on the recording and can't be kept under other terms." in unescape(
            text
        )
        assert "not the default" in text

    def test_preview_before_anything_is_written(self, people: People, dataset: Dataset) -> None:
        client = page_client(people.steward)
        words = self.filled(do="preview", reason="")
        answer = client.post(reverse("provenance:policy-propose"), words)
        assert answer.status_code == 200
        assert "2 of 3 answers change" in answer.content.decode()
        assert not Policy.objects.exists()

    def test_propose(self, people: People, dataset: Dataset) -> None:
        client = page_client(people.steward)
        answer = client.post(reverse("provenance:policy-propose"), self.filled(do="propose"))
        policy = Policy.objects.get()
        assert answer["Location"] == reverse("provenance:policy", args=[policy.public_id])
        assert queries.policy_value(policy) == replace(CAREFUL, version=1)
        assert "2 of 3 answers change" in client.get(answer["Location"]).content.decode()

    def test_need_a_reason_to_propose(self, people: People) -> None:
        words = self.filled(do="propose", reason=" ")
        answer = page_client(people.steward).post(reverse("provenance:policy-propose"), words)
        assert (answer.status_code, Policy.objects.count()) == (422, 0)
        assert "Say in a sentence why." in answer.content.decode()

    def test_take_an_override(self, people: People) -> None:
        row = {
            "override-0-of": "family:sampling",
            "override-0-axis": "ai_generative_training",
            "override-0-value": "not_allowed",
            "override-0-reason": "memo 12",
        }
        client = page_client(people.steward)
        client.post(reverse("provenance:policy-propose"), self.filled(do="propose", **row))
        (override,) = queries.policy_value(Policy.objects.get()).overrides
        assert override == Override(
            family="sampling", axis="ai_generative_training", value="not_allowed", reason="memo 12"
        )

    def test_say_what_is_wrong_with_an_override(self, people: People) -> None:
        row = {
            "override-0-of": "licence:MIT",
            "override-0-value": "constrained",
            "override-0-conditions": "credit",
        }
        answer = page_client(people.steward).post(
            reverse("provenance:policy-propose"), self.filled(do="propose", **row)
        )
        assert answer.status_code == 422
        assert "no condition &#x27;credit&#x27;" in answer.content.decode()

    def test_give_one_more_row(self, people: People) -> None:
        answer = page_client(people.steward).post(
            reverse("provenance:policy-propose"), self.filled(do="more")
        )
        assert 'name="override-1-of"' in answer.content.decode()

    def test_fill_in_a_file(self, people: People, tmp_path: Path) -> None:
        client = page_client(people.steward)
        with a_file(tmp_path, STRICT).open("rb") as opened:
            answer = client.post(reverse("provenance:policy-propose"), {"do": "load", "file": opened})
        assert 'value="strict"' in answer.content.decode()
        assert answer.status_code == 200
        broken = tmp_path / "broken.yaml"
        broken.write_text("name: x\nreadings: {copyleft: strict}\n")
        with broken.open("rb") as opened:
            answer = client.post(reverse("provenance:policy-propose"), {"do": "load", "file": opened})
        assert answer.status_code == 422
        assert "broken.yaml, line 2" in answer.content.decode()

    def test_tell_the_officer_what_waits(self, people: People) -> None:
        propose(people)
        assert "policy waits for your decision" in page_client(people.officer).get("/").content.decode()


class TestWritePolicyOfGovernance:
    def test_refuses_who_may_not(self, people: People) -> None:
        with pytest.raises(NotAllowedError):
            governance.write_policy(
                organisation=people.house,
                name="x",
                body=DEFAULT.as_json(),
                reason="x",
                by=people.engineer,
                now=timezone.now(),
            )


class TestLicencePages:
    def test_show_the_policys_reading_where_it_differs(self, people: People) -> None:
        adopt(people)
        client = page_client(people.auditor)
        text = client.get(reverse("provenance:licence", args=["GPL-2.0"])).content.decode()
        assert "copyleft-training, strict reading" in text
        assert "not reviewed by counsel" in text
        assert "the same" in text
        assert "shipped: constrained" in client.get(reverse("provenance:licence-list")).content.decode()

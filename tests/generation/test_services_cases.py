"""What a case does, from the filing to the answer that proves it."""

import json
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from generation import answers, queries, services
from generation.errors import GenerationError
from generation.models import CaseKind, CaseRecording, CaseState, GenerationState, Remedy
from generation.queries import impact, overviews
from generation.queries.answers import answer_payload, events_of
from generation.services.cases import UnclearCaseError, secret_hash
from governance import ledger, signing
from governance.errors import ConflictError, NotAllowedError
from governance.models import Decision, LedgerEvent
from provenance.models import Grant, IndexBuild, LicenceStatement, Recording, Reservation
from tests.audit import scene as rows
from tests.generation.case_scene import (
    NOW,
    CaseHouse,
    a_case_house,
    a_retrained,
    filed,
    opened,
)


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> CaseHouse:
    return a_case_house(shared_db)


@pytest.fixture
def house(standing_house: CaseHouse, db: None) -> CaseHouse:
    return deepcopy(standing_house)


def gate(house: CaseHouse) -> queries.Gate:
    """The gate as one asks for it and as many ask for it: they must say the same."""
    one = queries.gate_of(house.version, at=timezone.now())
    assert overviews.gates_of([house.version], at=timezone.now())[house.version.pk] == one
    return one


def decide(house: CaseHouse, case: Any, remedy: str, **changes: Any) -> Any:
    said = {"reason": "As agreed.", "by": house.officer, "now": timezone.now(), **changes}
    return services.decide_case(case=case, version=house.version, remedy=remedy, **said)


class TestFileCase:
    def test_gives_a_reference_a_day_and_a_secret_that_is_not_kept(self, house: CaseHouse) -> None:
        found = filed(house)
        case = found.case
        case.refresh_from_db()
        assert (str(case.state), case.channel, case.isrcs) == ("filed", "public", ["GBAAA2600000"])
        assert case.due_on == NOW.date() + timedelta(days=30)
        assert case.secret_sha256 == secret_hash(found.secret)
        assert found.secret not in json.dumps([str(value) for value in case.__dict__.values()])

    def test_writes_no_name_and_no_word_into_the_ledger(self, house: CaseHouse) -> None:
        case = filed(house, words="It is mine", holds="The master").case
        (event,) = events_of(case)
        assert event.kind == "generation.case.filed"
        said = json.dumps(event.body)
        assert not any(word in said for word in ("Cellar", "rights@", "mine", "master"))
        assert event.body["words_commitment"] == ledger.commitment("It is mine", case.salt)

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({"holder": "  "}, "who holds"),
            ({"contact": ""}, "how to reach"),
            ({"contact": "no way"}, "how to reach"),
            ({"isrcs": ()}, "at least one recording"),
            ({"isrcs": ("GB-1",)}, "no ISRC: GB-1"),
            ({"urls": ("ftp://x",)}, "no address"),
            ({"kind": "sue"}, "no kind"),
            ({"fingerprint": b"noise"}, "fingerprint can't be read"),
            ({"titles": ("x" * 501,)}, "500 characters"),
            ({"words": "x" * 10_001}, "10,000 characters"),
            ({"isrcs": tuple(f"GBAAA26{n:05}" for n in range(5001))}, "at most 5000"),
        ],
    )
    def test_says_what_is_wrong_and_keeps_nothing(
        self, house: CaseHouse, said: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(UnclearCaseError, match=why):
            filed(house, **said)
        assert not house.organisation.cases.exists()

    def test_names_everything_that_is_wrong_at_once(self, house: CaseHouse) -> None:
        with pytest.raises(UnclearCaseError, match=r"who holds.*how to reach.*at least one"):
            filed(house, holder="", contact="", isrcs=())

    def test_keeps_words_that_no_database_holds(self, house: CaseHouse) -> None:
        assert filed(house, words="a\0b").case.words == "a\ufffdb"

    def test_takes_no_other_houses_grant(self, house: CaseHouse, tmp_path: Path) -> None:
        other = a_case_house(tmp_path, name="Elsewhere Records")
        with pytest.raises(UnclearCaseError, match="no such grant"):
            filed(house, by=house.label, grant=other.grant)

    def test_takes_nothing_from_an_engineer(self, house: CaseHouse) -> None:
        with pytest.raises(NotAllowedError, match="file a case"):
            filed(house, by=house.scene.engineer)

    def test_takes_nothing_from_strangers_where_the_form_is_closed(self, house: CaseHouse) -> None:
        services.set_case_terms(
            organisation=house.organisation, days={}, public_form=False, by=house.officer, now=NOW
        )
        with pytest.raises(NotAllowedError, match="takes no cases"):
            filed(house)

    def test_counts_the_days_that_the_house_has_set(self, house: CaseHouse) -> None:
        services.set_case_terms(
            organisation=house.organisation, days={"opt_out": 5}, by=house.officer, now=NOW
        )
        assert filed(house).case.due_on == NOW.date() + timedelta(days=5)
        assert filed(house, kind=CaseKind.LEAK).case.due_on == NOW.date() + timedelta(days=14)

    def test_binds_nobody_yet(self, house: CaseHouse) -> None:
        filed(house)
        assert gate(house).is_open

    def test_ends_a_labels_own_grant_at_once(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label, kind=CaseKind.REVOKE, grant=house.grant, isrcs=()).case
        assert case.state == CaseState.OPEN
        assert {link.recording for link in case.subjects.all()} == set(house.granted)
        assert not Grant.objects.filter(revoked_at=None).exists()
        closed = gate(house)
        assert closed.n_not_cleared == 2
        assert any(case.reference in reason for reason in closed.reasons)

    def test_leaves_a_deal_that_cant_be_revoked_to_a_person(self, house: CaseHouse) -> None:
        Grant.objects.update(revocable=False)
        house.grant.refresh_from_db()
        case = filed(house, by=house.label, kind=CaseKind.REVOKE, grant=house.grant).case
        assert case.state == CaseState.FILED
        assert gate(house).is_open


class TestSuggestions:
    def test_find_recordings_by_isrc_title_and_grant(self, house: CaseHouse) -> None:
        case = filed(house, by=house.steward, titles=("song quay",), grant=house.grant).case
        found = {one.recording: one.because for one in queries.suggestions_for(case)}
        harbour, lighthouse, quay = house.recordings
        assert found == {
            harbour: ("named by the grant", "ISRC GBAAA2600000"),
            lighthouse: ("named by the grant",),
            quay: ("title “song quay”",),
        }

    def test_stay_in_the_house(self, house: CaseHouse, tmp_path: Path) -> None:
        a_case_house(tmp_path, name="Elsewhere Records")
        case = filed(house).case
        assert [one.recording for one in queries.suggestions_for(case)] == [house.recordings[0]]


class TestAcceptCase:
    def test_binds_every_model_trained_on_the_recordings(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:])  # in the public domain: an opt-out all the same
        assert case.state == CaseState.OPEN
        assert not gate(house).is_open
        assert f"case {case.reference} (opt out of training) about 1 recording waits" in " ".join(
            gate(house).reasons
        )

    def test_declares_the_opt_out_from_the_day_it_was_filed(self, house: CaseHouse) -> None:
        opened(house)
        held = Reservation.objects.get()
        assert held.declared_at == NOW
        assert [link.recording for link in held.subjects.all()] == [house.recordings[0]]

    def test_keeps_who_checked_whose_it_is_and_how(self, house: CaseHouse) -> None:
        case = opened(house)
        assert case.verified_by == house.steward
        assert "register of the label" in case.verified_how
        event = events_of(case)[-1]
        assert event.kind == "generation.case.opened"
        assert event.body["verified_commitment"] == ledger.commitment(case.verified_how, case.salt)

    def test_ends_a_grant_after_the_notice_that_it_asks_for(self, house: CaseHouse) -> None:
        Grant.objects.update(notice_days=20)
        house.grant.refresh_from_db()
        opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        assert {grant.revoked_from for grant in Grant.objects.all()} == {NOW + timedelta(days=20)}
        assert not gate(house).is_open  # the case itself closes it

    def test_ends_no_deal_against_its_terms(self, house: CaseHouse) -> None:
        Grant.objects.update(revocable=False)
        house.grant.refresh_from_db()
        with pytest.raises(UnclearCaseError, match="irrevocable"):
            opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        assert not Grant.objects.exclude(revoked_at=None).exists()

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"verified_how": " "}, "how that was checked"),
            ({"recordings": {}}, "at least one recording"),
            ({"kind": "revoke"}, "Name the grant"),
            ({"kind": "sue"}, "no kind"),
        ],
    )
    def test_says_what_is_missing(self, house: CaseHouse, changes: dict[str, Any], why: str) -> None:
        given = {"recordings": {house.recordings[0]: "ISRC"}, "verified_how": "By letter.", **changes}
        with pytest.raises(UnclearCaseError, match=why):
            services.accept_case(case=filed(house).case, by=house.steward, now=NOW, **given)
        assert not CaseRecording.objects.exists()

    def test_takes_a_steward_or_an_officer(self, house: CaseHouse) -> None:
        with pytest.raises(NotAllowedError):
            services.accept_case(
                case=filed(house).case,
                recordings={house.recordings[0]: "ISRC"},
                verified_how="It is me.",
                by=house.label,
                now=NOW,
            )

    def test_is_done_once(self, house: CaseHouse) -> None:
        case = opened(house)
        with pytest.raises(ConflictError, match="being decided"):
            services.accept_case(
                case=case, recordings={house.recordings[1]: ""}, verified_how="x", by=house.steward, now=NOW
            )


class TestLicencesOf:
    def test_says_of_what_a_deal_cleared_that_it_did(self, house: CaseHouse) -> None:
        counted = {name: n for name, _, n in overviews.licences_of(house.frozen)}
        assert counted["a deal with its holder"] == 2
        assert "no licence stated" not in counted


class TestRejectCase:
    def test_tells_the_holder_why_and_binds_nobody(self, house: CaseHouse) -> None:
        case = filed(house).case
        answer = services.reject_case(case=case, reason="Not yours.", by=house.steward, now=NOW)
        assert answer.payload["words"] == "Not yours."
        assert answer.payload["case"]["outcome"] == "rejected"
        assert gate(house).is_open

    def test_wants_a_reason(self, house: CaseHouse) -> None:
        with pytest.raises(UnclearCaseError, match="needs a reason"):
            services.reject_case(case=filed(house).case, reason=" ", by=house.steward, now=NOW)

    def test_is_not_done_by_whoever_filed_it(self, house: CaseHouse) -> None:
        case = filed(house, by=house.steward).case
        with pytest.raises(NotAllowedError, match="somebody else"):
            services.reject_case(case=case, reason="No.", by=house.steward, now=NOW)


class TestDecideCase:
    def test_keeps_the_gate_closed_until_retrained(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.RETRAIN)
        assert gate(house).reasons == (f"case {case.reference}: it is to be retrained without 1 recording",)

    def test_keeps_the_gate_closed_while_terms_are_negotiated(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.NEGOTIATE, until=timezone.now().date() + timedelta(days=9))
        assert "negotiated until" in gate(house).reasons[0]

    @pytest.mark.parametrize(
        ("kind", "remedy", "said"),
        [
            (CaseKind.LEAK, None, "a report that an output copies 1 recording waits for a decision"),
            (CaseKind.OPT_OUT, None, "a request to take out 1 recording waits for a decision"),
            (
                CaseKind.LEAK,
                Remedy.NEGOTIATE,
                "a report that an output copies 1 recording is not settled yet",
            ),
            (CaseKind.LEAK, Remedy.RETRAIN, "it is to be retrained without 1 recording"),
        ],
    )
    def test_tells_strangers_why_without_the_case_or_its_terms(
        self, house: CaseHouse, kind: CaseKind, remedy: Remedy | None, said: str
    ) -> None:
        case = opened(house, house.recordings[2:], kind=kind)
        if remedy is not None:
            until = timezone.now().date() + timedelta(days=9) if remedy == Remedy.NEGOTIATE else None
            decide(house, case, remedy, until=until)
        closed = gate(house)
        assert said in closed.in_public
        assert len(closed.in_public) == len(closed.reasons)
        assert case.reference not in " ".join(closed.in_public)

    def test_opens_the_gate_where_the_request_is_rejected(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.REJECT)
        assert gate(house).is_open

    def test_rejecting_gives_back_no_right(self, house: CaseHouse) -> None:
        case = opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        decide(house, case, Remedy.REJECT)
        assert gate(house).n_not_cleared == 2  # the grant is revoked all the same

    def test_opens_the_gate_where_the_output_is_blocked(self, house: CaseHouse) -> None:
        case = opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        assert not gate(house).is_open
        decide(house, case, Remedy.BLOCK)
        assert gate(house).is_open

    def test_closes_again_for_anything_that_was_not_known_then(
        self, house: CaseHouse, tmp_path: Path
    ) -> None:
        case = opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        decide(house, case, Remedy.BLOCK)
        LicenceStatement.objects.create(
            entry=house.recordings[0].entries.get(),
            right="master",
            source="rights_holder",
            expression="LicenseRef-all-rights-reserved",
            raw="All rights reserved",
        )
        assert gate(house).n_not_cleared == 1

    def test_blocks_only_where_the_index_covers_all(self, house: CaseHouse) -> None:
        case = opened(house)
        IndexBuild.objects.filter(pk=house.index.pk).update(n_recordings=2)
        with pytest.raises(ConflictError, match="covers 2 of 3"):
            decide(house, case, Remedy.BLOCK)

    def test_counts_the_newest(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.REJECT)
        decide(house, case, Remedy.RETRAIN)
        assert not gate(house).is_open
        assert case.decisions.count() == 2

    @pytest.mark.parametrize(
        ("remedy", "changes", "why"),
        [
            ("retrain", {"reason": " "}, "needs a reason"),
            ("burn", {}, "no remedy"),
            ("negotiate", {}, "until which day"),
            ("negotiate", {"until": date(2020, 1, 1)}, "until which day"),
            ("retrain", {"until": date(2999, 1, 1)}, "Only negotiating"),
        ],
    )
    def test_says_what_is_wrong(
        self, house: CaseHouse, remedy: str, changes: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(UnclearCaseError, match=why):
            decide(house, opened(house), remedy, **changes)

    def test_takes_an_officer_who_did_not_file_it(self, house: CaseHouse) -> None:
        case = filed(house, by=house.officer).case
        case = services.accept_case(
            case=case,
            recordings={house.recordings[0]: "ISRC"},
            verified_how="By letter.",
            by=house.steward,
            now=NOW,
        )
        with pytest.raises(NotAllowedError, match="somebody else must decide"):
            decide(house, case, Remedy.RETRAIN)
        with pytest.raises(NotAllowedError):
            decide(house, case, Remedy.RETRAIN, by=house.steward)

    def test_reaches_only_models_trained_on_the_recordings(self, house: CaseHouse) -> None:
        case = opened(house)
        other = rows.a_model(house.scene, rows.a_version(house.scene, ["Apart"], dataset="apart"), name="o")
        with pytest.raises(ConflictError, match="was not trained on"):
            services.decide_case(
                case=case, version=other, remedy="retrain", reason="x", by=house.officer, now=NOW
            )

    def test_is_never_edited_into_nonsense(self, house: CaseHouse) -> None:
        decision = decide(house, opened(house), Remedy.RETRAIN)
        with pytest.raises(IntegrityError), transaction.atomic():
            type(decision).objects.filter(pk=decision.pk).update(remedy="negotiate")

    def test_binds_a_model_that_is_trained_on_the_same_version_later(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.REJECT)
        services.answer_case(case=case, words="Done.", by=house.officer, now=NOW)
        later = rows.a_model(house.scene, house.frozen, name="later")
        assert "waits for a decision" in queries.gate_of(later, at=timezone.now()).reasons[0]


class TestBlockedReference:
    def test_blocks_an_output_that_a_check_would_only_review(self, house: CaseHouse) -> None:
        case = opened(house, house.recordings[2:], kind=CaseKind.LEAK)
        decide(house, case, Remedy.BLOCK)
        assert gate(house).is_open
        output = house.output_like(house.recordings[2], state=GenerationState.HELD)
        review = services.review_of_output(output, by=house.officer, now=NOW)
        with pytest.raises(ConflictError, match=rf"blocked for tide@1 \(case {case.reference}\)"):
            services.decide_generation(
                review=review, decision=Decision.APPROVED, reason="I like it.", by=house.officer, now=NOW
            )

    def test_lets_other_matches_be_decided(self, house: CaseHouse) -> None:
        decide(house, opened(house, house.recordings[2:], kind=CaseKind.LEAK), Remedy.BLOCK)
        output = house.output_like(house.recordings[1], state=GenerationState.HELD)
        review = services.review_of_output(output, by=house.officer, now=NOW)
        services.decide_generation(
            review=review, decision=Decision.APPROVED, reason="Fine.", by=house.officer, now=NOW
        )

    def test_is_none_once_the_request_is_rejected_for_the_model(self, house: CaseHouse) -> None:
        case = opened(house, kind=CaseKind.LEAK)
        decide(house, case, Remedy.REJECT)
        assert queries.standing_of([house.version])[house.version.pk].blocked == {}

    def test_of_another_model_is_none_of_this(self, house: CaseHouse) -> None:
        opened(house)
        other = rows.a_model(house.scene, rows.a_version(house.scene, ["Apart"], dataset="apart"), name="o")
        assert queries.standing_of([other]) == {}


class TestGraph:
    def test_counts_each_step_with_seconds_and_contracts(self, house: CaseHouse) -> None:
        house.output_like(house.recordings[0], state=GenerationState.RELEASED)
        house.output_like(house.recordings[2], state=GenerationState.HELD)
        graph = impact.graph_of(Recording.objects.filter(pk__in=[one.pk for one in house.granted]))
        (model,) = graph.models
        assert (graph.n_recordings, graph.seconds, model.n_recordings, model.seconds) == (2, 120.0, 2, 120.0)
        assert (model.n_outputs, model.n_released, model.n_matching, model.n_matching_released) == (
            2,
            1,
            1,
            1,
        )
        contracts = [(one.right, one.words, one.n_recordings) for one in graph.versions[0].contracts]
        words = f"grant {str(house.grant.public_id)[:8]} of Cellar Records"
        assert contracts[0] == ("master", words, 2)
        assert [one[0] for one in contracts] == ["master", "composition"]

    def test_counts_as_read_only_what_the_run_trained_on(self, house: CaseHouse) -> None:
        run = house.version.training_run
        run.trained_on, run.held_out = [house.recordings[0].sha256], [house.recordings[1].sha256]
        run.save(update_fields=["trained_on", "held_out"])
        (model,) = impact.graph_of(Recording.objects.filter(pk__in=[one.pk for one in house.granted])).models
        assert (model.n_recordings, model.seconds) == (1, 60.0)
        assert model.trained is not None
        assert (model.trained.n_held_out, model.trained.held_out_s) == (1, 60.0)

    def test_tells_the_holder_what_was_trained_on_apart_from_what_was_held_out(
        self, house: CaseHouse
    ) -> None:
        """And that contracts are of the dataset: their seconds are more than the model's."""
        run = house.version.training_run
        run.trained_on, run.held_out = [house.recordings[0].sha256], [house.recordings[1].sha256]
        run.save(update_fields=["trained_on", "held_out"])
        (said,) = answer_payload(opened(house, house.granted), number=1, now=NOW)["models"]
        told = {name: said[name] for name in ("recordings", "seconds", "held_out", "held_out_seconds")}
        assert told == {"recordings": 1, "seconds": 60.0, "held_out": 1, "held_out_seconds": 60.0}
        assert (said["dataset_version"]["recordings"], said["dataset_version"]["seconds"]) == (2, 120.0)
        assert {contract["seconds"] for contract in said["contracts"]} == {120.0}
        assert "contracts: what the dataset version holds" in said["counted"]

    def test_asks_as_often_for_many_as_for_one(self, house: CaseHouse) -> None:
        with CaptureQueriesContext(connection) as one:
            impact.graph_of(Recording.objects.filter(pk=house.recordings[0].pk))
        rows.a_model(house.scene, house.frozen, name="other")
        with CaptureQueriesContext(connection) as all_of_them:
            impact.graph_of(Recording.objects.filter(organisation=house.organisation))
        assert len(all_of_them) == len(one) <= 12

    def test_of_nothing_is_empty(self, house: CaseHouse) -> None:
        graph = impact.graph_of(Recording.objects.none())
        assert (graph.n_recordings, graph.versions, graph.models, graph.n_unknown) == (0, (), (), 0)
        assert impact.drawing_of(graph).boxes[0].title == "0 recordings"

    def test_tells_of_models_whose_music_nobody_knows(self, house: CaseHouse) -> None:
        rows.a_model(house.scene, None, name="found")
        assert impact.graph_of(Recording.objects.filter(pk=house.recordings[0].pk)).n_unknown == 1

    def test_is_drawn_in_five_columns_with_nothing_on_top_of_another(self, house: CaseHouse) -> None:
        for number in range(14):
            rows.a_model(house.scene, house.frozen, name=f"model-{number}")
        graph = impact.graph_of(Recording.objects.filter(organisation=house.organisation))
        drawing = impact.drawing_of(graph, closed=[house.version.pk])
        assert drawing.n_left_out == 15 - impact.MAX_ROWS
        assert len({(box.x, box.y) for box in drawing.boxes}) == len(drawing.boxes)
        assert all(box.y >= 0 and box.y + impact.BOX_HEIGHT <= drawing.height for box in drawing.boxes)
        assert all(box.right <= drawing.width for box in drawing.boxes)


class TestAnswerCase:
    def test_waits_until_every_model_is_decided(self, house: CaseHouse) -> None:
        case = opened(house)
        with pytest.raises(ConflictError, match="Decide first about tide@1"):
            services.answer_case(case=case, words="Done.", by=house.officer, now=NOW)

    def test_says_which_models_how_long_under_which_contract_and_what_was_decided(
        self, house: CaseHouse
    ) -> None:
        case = opened(house, kind=CaseKind.REVOKE, grant=house.grant)
        decide(house, case, Remedy.RETRAIN)
        answer = services.answer_case(case=case, words="We retrain.", by=house.officer, now=NOW)
        said = answer.payload
        (model,) = said["models"]
        assert (model["model"], model["seconds"], model["decision"]["remedy"]) == ("tide@1", 120.0, "retrain")
        assert {one["grant"] for one in model["contracts"]} == {str(house.grant.public_id)}
        assert {one["grant"] for one in said["rights"]} == {str(one.public_id) for one in Grant.objects.all()}
        kinds = [one["kind"] for one in said["ledger"]]
        assert kinds == [f"generation.case.{deed}" for deed in ("filed", "opened", "decided")]
        known = {event.sequence: event.hash for event in LedgerEvent.objects.all()}
        assert all(known[one["sequence"]] == one["hash"] for one in said["ledger"])
        assert events_of(case)[-1].body["answer_sha256"] == answer.sha256

    def test_names_no_person(self, house: CaseHouse) -> None:
        case = opened(house)
        decide(house, case, Remedy.RETRAIN)
        payload = answer_payload(case, number=1, now=NOW)
        said = json.dumps(payload)
        assert not any(user.username in said for user in house.scene.users.values())
        assert "rights@cellar.example" not in said

    def test_proves_a_retraining_by_the_manifest(self, house: CaseHouse) -> None:
        case = opened(house, house.granted)
        decide(house, case, Remedy.RETRAIN)
        a_retrained(house, house.recordings[2:])
        services.answer_case(case=case, words="Retrained.", by=house.officer, now=NOW)
        (proof,) = case.answers.get().payload["models"][0]["retrained"]
        assert (proof["model"], proof["recordings_found"], proof["recordings_checked"]) == ("tide@2", 0, 1)
        assert proof["manifest_stands"]
        assert queries.gate_of(house.version.model.versions.get(number=2), at=timezone.now()).is_open

    def test_proves_nothing_where_the_recording_came_back_under_another_file(self, house: CaseHouse) -> None:
        Recording.objects.filter(pk=house.recordings[0].pk).update(samples_sha256="5" * 64)
        case = opened(house)
        draft = rows.a_dataset(house.scene)
        copy = rows.a_recording(house.scene, draft, "Copy", samples_sha256="5" * 64)
        a_retrained(house, (copy,))
        (proof,) = queries.proofs_of(case, house.version)
        assert proof.n_found == 1

    def test_answers_an_inquiry_without_stopping_anything(self, house: CaseHouse) -> None:
        case = opened(house, kind=CaseKind.INQUIRY)
        assert gate(house).is_open
        answer = services.answer_case(case=case, words="It is in there.", by=house.officer, now=NOW)
        assert answer.payload["found"]["models"] == 1
        with pytest.raises(ConflictError, match="nothing to decide"):
            decide(house, case, Remedy.RETRAIN)

    def test_is_given_anew_after_a_further_decision(self, house: CaseHouse) -> None:
        case = opened(house)
        for remedy in (Remedy.RETRAIN, Remedy.BLOCK):
            decide(house, case, remedy)
            services.answer_case(case=case, words="See below.", by=house.officer, now=NOW)
        assert [one.number for one in case.answers.all()] == [2, 1]
        assert case.answers.all()[0].payload["models"][0]["decision"]["remedy"] == "block"


class TestSealedAnswer:
    @pytest.fixture
    def file(self, house: CaseHouse) -> bytes:
        case = opened(house, kind=CaseKind.INQUIRY)
        return services.sealed_answer(
            services.answer_case(case=case, words="Yes.", by=house.officer, now=NOW)
        )

    def test_verifies_with_the_issuers_key_alone(self, file: bytes, settings: Any) -> None:
        public = signing.load_public_key(settings.KEY_DIR / signing.PUBLIC_NAME)
        assert answers.verify(file, public).ok
        spelled_otherwise = json.dumps(json.loads(file)).encode()
        assert answers.verify(spelled_otherwise, public).ok

    def test_is_whole_but_of_nobody_without_a_key(self, file: bytes) -> None:
        found = answers.verify(file)
        assert (found.ok, found.problems, found.signer) == (False, (), "not established")

    def test_is_refused_under_another_key(self, file: bytes) -> None:
        found = answers.verify(file, signing.new_key().public)
        assert found.problems == ("it is signed with another key than the issuer's",)

    def test_shows_a_changed_word(self, file: bytes) -> None:
        changed = file.replace(b'"words": "Yes."', b'"words": "No."')
        assert changed != file
        assert len(answers.verify(changed).problems) == 2

    @pytest.mark.parametrize("file", [b"", b"[]", b"{}", b"\xff", b'{"format": "liner-notes/case-answer"}'])
    def test_says_what_is_no_answer(self, file: bytes) -> None:
        with pytest.raises(answers.AnswerFileError):
            answers.verify(file)


class TestSetCaseTerms:
    def test_refuses_more_than_a_year_and_unknown_kinds(self, house: CaseHouse) -> None:
        for days in ({"opt_out": 0}, {"opt_out": 366}, {"sue": 5}):
            with pytest.raises(GenerationError):
                services.set_case_terms(organisation=house.organisation, days=days, by=house.officer, now=NOW)

    def test_takes_an_officer(self, house: CaseHouse) -> None:
        with pytest.raises(NotAllowedError):
            services.set_case_terms(organisation=house.organisation, days={}, by=house.steward, now=NOW)

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance import ledger, services
from governance.errors import ConflictError, LinerNotesError, NotAllowedError
from governance.models import Decision, LedgerEvent, Member, Review
from tests.people import People, a_dataset, a_member, a_review


@pytest.fixture
def review(people: People) -> Review:
    return a_review(people.steward, people.house, a_dataset(people.steward, people.house))


def decide(
    review: Review, by: object, decision: Decision = Decision.APPROVED, reason: str = "Read it."
) -> Review:
    return services.decide_review(
        review=review,
        decision=decision,
        reason=reason,
        by=by,  # type: ignore[arg-type]
        now=timezone.now(),
        conditions=["attribution"],
    )


class TestAskReview:
    def test_puts_one_question_once(self, people: People, review: Review) -> None:
        n_events, _ = ledger.head()
        again = a_review(people.engineer, people.house, people.house.datasets.get())
        assert again.pk == review.pk
        assert again.asked_by == people.steward
        assert ledger.head()[0] == n_events

    def test_may_ask_again_after_an_answer(self, people: People, review: Review) -> None:
        decide(review, people.officer)
        assert a_review(people.steward, people.house, people.house.datasets.get()).pk != review.pk

    def test_has_one_open_question_in_the_database_too(self, review: Review) -> None:
        review.pk = None
        review.public_id = type(review)._meta.get_field("public_id").get_default()
        with pytest.raises(IntegrityError, match="review_one_open_question"), transaction.atomic():
            review.save(force_insert=True)


class TestDecideReview:
    def test_records_the_answer_its_reason_and_its_maker(self, people: People, review: Review) -> None:
        decided = decide(review, people.officer)
        assert decided.decision == Decision.APPROVED
        assert decided.decided_by == people.officer
        assert decided.reason == "Read it."
        assert decided.conditions == ["attribution"]

    def test_keeps_the_words_out_of_the_ledger(self, people: People, review: Review) -> None:
        decided = decide(review, people.officer, reason="Mrs Miller told me.")
        event = LedgerEvent.objects.latest("sequence")
        assert event.kind == "governance.review.approved"
        assert "Miller" not in str(event.body)
        assert event.body["reason_commitment"] == ledger.commitment(decided.reason, decided.salt)

    @pytest.mark.parametrize("role", ["label_auditor", "data_steward", "ml_engineer", "external_auditor"])
    def test_is_for_compliance_officers_alone(self, people: People, review: Review, role: str) -> None:
        with pytest.raises(NotAllowedError):
            decide(review, people.by_role()[role])

    def test_is_not_for_the_officer_of_another_organisation(self, people: People, review: Review) -> None:
        with pytest.raises(NotAllowedError):
            decide(review, people.stranger)

    def test_is_not_for_an_officer_whose_time_is_over(self, people: People, review: Review) -> None:
        Member.objects.filter(user=people.officer).update(valid_until=timezone.now())
        with pytest.raises(NotAllowedError):
            decide(review, people.officer)

    def test_is_not_for_who_asked_even_as_an_officer(self, people: People, review: Review) -> None:
        Member.objects.create(user=people.steward, organisation=people.house, role="compliance_officer")
        with pytest.raises(NotAllowedError, match="somebody else"):
            decide(review, people.steward)
        review.refresh_from_db()
        assert review.decision == Decision.PENDING

    def test_is_not_for_the_system_user(self, review: Review) -> None:
        with pytest.raises(NotAllowedError):
            decide(review, services.system_user())

    def test_is_not_for_the_system_user_even_as_a_member(self, people: People, review: Review) -> None:
        Member.objects.create(
            user=services.system_user(), organisation=people.house, role="compliance_officer"
        )
        with pytest.raises(NotAllowedError):
            decide(review, services.system_user())

    @pytest.mark.parametrize("reason", ["", "   "])
    def test_needs_a_reason(self, people: People, review: Review, reason: str) -> None:
        with pytest.raises(LinerNotesError, match="reason"):
            decide(review, people.officer, reason=reason)

    def test_is_no_answer_to_wait(self, people: People, review: Review) -> None:
        with pytest.raises(LinerNotesError):
            decide(review, people.officer, Decision.PENDING)

    def test_happens_once(self, people: People, review: Review) -> None:
        decide(review, people.officer)
        second = a_member("second", people.house, "compliance_officer")
        with pytest.raises(ConflictError):
            decide(review, second, Decision.REJECTED)
        review.refresh_from_db()
        assert (review.decision, review.decided_by) == (Decision.APPROVED, people.officer)


class TestTheDatabase:
    """What holds even for somebody who goes around the services."""

    def test_refuses_a_decision_by_who_asked(self, people: People, review: Review) -> None:
        rows = Review.objects.filter(pk=review.pk)
        with pytest.raises(IntegrityError, match="review_not_by_who_asked"), transaction.atomic():
            rows.update(
                decision="approved", decided_by=people.steward, decided_at=timezone.now(), reason="Mine."
            )

    @pytest.mark.parametrize("missing", ["decided_by", "decided_at", "reason"])
    def test_refuses_half_a_decision(self, people: People, review: Review, missing: str) -> None:
        whole = {"decided_by": people.officer, "decided_at": timezone.now(), "reason": "Read it."}
        half = {**whole, missing: "" if missing == "reason" else None}
        rows = Review.objects.filter(pk=review.pk)
        constraint = "review_decided_by_someone_for_a_reason"
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            rows.update(decision="approved", **half)

    def test_refuses_a_decider_on_an_open_question(self, people: People, review: Review) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Review.objects.filter(pk=review.pk).update(decided_by=people.officer)

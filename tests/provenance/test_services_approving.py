"""Approving: by somebody else, of what the dataset holds now, with conditions by name."""

from __future__ import annotations

import pytest
from django.utils import timezone

from governance import services as governance
from governance.errors import LinerNotesError, NotAllowedError
from governance.models import Decision, Member, Review
from provenance import queries, services
from provenance.errors import EmptyDatasetError, ProtectedCollectionError, ProvenanceError
from provenance.models import Dataset, DatasetKind
from tests.catalogues import approve
from tests.people import NOON, People, a_dataset, an_entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(people: People) -> Dataset:
    return a_dataset(people.steward, people.house, licence="CC-BY-4.0")


class TestApproveDataset:
    def test_records_who_why_and_under_which_conditions(self, people: People, draft: Dataset) -> None:
        conditions = sorted(queries.conditions_in(draft, at=timezone.now()))
        approve(draft, people.officer, accept=["all"])

        approval = queries.approval_of(draft)
        assert approval is not None
        assert (approval.decided_by, approval.reason) == (people.officer, "Its licences were read.")
        assert approval.conditions == conditions
        assert "attribution" in conditions

    def test_is_not_for_who_registered_it_even_as_an_officer(self, people: People, draft: Dataset) -> None:
        Member.objects.create(
            user=people.steward, organisation=people.house, role="compliance_officer", valid_from=NOON
        )

        with pytest.raises(NotAllowedError, match="somebody else must approve it"):
            approve(draft, people.steward)
        assert queries.approval_of(draft) is None

    def test_is_not_for_the_system_user(self, draft: Dataset) -> None:
        with pytest.raises(NotAllowedError):
            approve(draft, governance.system_user())

    @pytest.mark.parametrize("role", ["steward", "engineer", "auditor", "outsider", "stranger"])
    def test_is_for_compliance_officers_of_the_house(self, people: People, draft: Dataset, role: str) -> None:
        with pytest.raises(NotAllowedError):
            approve(draft, getattr(people, role))

    def test_holds_for_what_was_there_and_not_for_what_came_later(
        self, people: People, draft: Dataset
    ) -> None:
        approve(draft, people.officer)
        assert queries.approval_of(draft) is not None

        an_entry(draft.registrations.get(), row=9)
        Dataset.objects.filter(pk=draft.pk).update(changed_at=timezone.now())
        draft.refresh_from_db()

        assert queries.approval_of(draft) is None

    def test_may_be_given_anew_with_other_conditions(self, people: People, draft: Dataset) -> None:
        approve(draft, people.officer)
        approve(draft, people.officer, accept=["attribution"])

        approval = queries.approval_of(draft)
        assert approval is not None
        assert approval.conditions == ["attribution"]
        assert Review.objects.count() == 2

    def test_is_over_when_the_last_word_is_no(self, people: People, draft: Dataset) -> None:
        approve(draft, people.officer)
        services.approve_dataset(
            dataset=draft,
            by=people.officer,
            reason="The label called.",
            accept=[],
            now=timezone.now(),
            decision=Decision.REJECTED,
        )

        assert queries.approval_of(draft) is None

    def test_knows_no_condition_by_a_wrong_name(self, people: People, draft: Dataset) -> None:
        with pytest.raises(ProvenanceError, match="no condition atribution"):
            approve(draft, people.officer, accept=["atribution"])
        assert queries.approval_of(draft) is None

    def test_needs_a_reason(self, people: People, draft: Dataset) -> None:
        with pytest.raises(LinerNotesError, match="needs a reason"):
            services.approve_dataset(
                dataset=draft, by=people.officer, reason="  ", accept=[], now=timezone.now()
            )

    def test_is_not_for_a_protected_collection(self, people: People) -> None:
        label = a_dataset(people.steward, people.house, name="label", kind=DatasetKind.PROTECTED)
        with pytest.raises(ProtectedCollectionError):
            approve(label, people.officer)

    def test_is_not_for_nothing(self, people: People) -> None:
        with pytest.raises(EmptyDatasetError):
            approve(a_dataset(people.steward, people.house, n_recordings=0), people.officer)

"""The clearance matrix as the API has it: the page's question and filters, and its keyset pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from governance import access as house
from governance import keyset
from governance.api import NOT_HERE, NOT_YOURS, QUEUED, HouseView, queued, validated
from governance.paging import MARKS, require_marks
from provenance import access, queries
from provenance.models import Dataset, Omission
from provenance.queries import clearances
from provenance.queries.clearances import Narrowing, Question
from provenance.serializers.matrices import (
    SORTS,
    MatrixQuerySerializer,
    MatrixQuestionSerializer,
    MatrixSerializer,
    row_json,
)
from provenance.services import clearing


@extend_schema(tags=["datasets"])
class MatrixView(HouseView):
    @extend_schema(
        operation_id="dataset_matrix",
        parameters=[MatrixQuerySerializer],
        responses={200: MatrixSerializer, 403: NOT_YOURS, 404: NOT_HERE},
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Every recording's answers to one question, narrowed and a page at a time, for those who read it whole.

        Of a large dataset a list is narrowed by answers only once these are worked out (POST): till then it is empty.
        """
        dataset = self._dataset(public_id)
        asked = validated(MatrixQuerySerializer, request.query_params)
        now = timezone.now()
        question, narrowing = _question(dataset, asked), Narrowing.asked_by(asked)
        run = clearing.answers_to(question, now=now).run
        entries = clearances.narrowed(question.entries(), narrowing, run)
        order, marks = keyset.by(SORTS[asked["sort"]]), {name: asked[name] for name in MARKS}
        require_marks(entries.model, order, of=request.path, **marks)
        cut = keyset.slice_of(entries, order, size=asked["limit"], of=request.path, **marks)
        rows = clearances.answered_slice(cut.rows, use=question.use(now), policy=question.policy)
        omitted = Omission.objects.filter(entry__in=[row.entry.pk for row in rows], taken_back_at=None)
        left_out = set(omitted.values_list("entry_id", flat=True))
        job = None if run else clearances.job_for(question)
        n_found = clearances.n_like(entries, narrowing, run)
        return Response(
            {
                "question": _said(question, asked),
                "worked_out": run is not None,
                "job": job.public_id if job else None,
                "counts": run.counts if run else None,
                "n_found": int(n_found) if n_found.isdecimal() else None,
                "after": cut.after or None,
                "before": cut.before or None,
                "results": [row_json(row, left_out=row.entry.pk in left_out) for row in rows],
            }
        )

    @extend_schema(
        operation_id="dataset_matrix_work_out",
        request=MatrixQuestionSerializer,
        responses={202: QUEUED, 403: NOT_YOURS, 404: NOT_HERE},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Have a worker answer one question for every recording; whoever asks it again follows the same job."""
        dataset = self._dataset(public_id)
        asked = validated(MatrixQuestionSerializer, request.data)
        job = clearing.work_out(
            question=_question(dataset, asked),
            policy_name=asked["policy"],
            by=self.person,
            now=timezone.now(),
        )
        return queued(job)

    def _dataset(self, public_id: str) -> Dataset:
        dataset = access.dataset_for_reading(self.caller, public_id)
        house.require(self.person, dataset.organisation, house.READS_WHOLE, "read every answer of a dataset")
        return dataset


def _question(dataset: Dataset, asked: dict[str, Any]) -> Question:
    version = None
    if asked["version"] is not None:
        version = queries.dataset_named(f"{dataset.name}@{asked['version']}", [dataset.organisation])[1]
    question = Question(
        dataset=dataset,
        version=version,
        purpose=asked["purpose"],
        commercial=asked["commercial"],
        territory=asked["territory"],
        day=asked["at"],
        policy=queries.policy_of(
            dataset.organisation, asked["policy"], at=clearances.instant_of(asked["at"])
        ),
    )
    return question


def _said(question: Question, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "purpose": question.purpose,
        "commercial": question.commercial,
        "territory": question.territory,
        "at": question.day,
        "policy": question.policy.reference,
        "version": asked["version"],
    }

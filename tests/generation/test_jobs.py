"""What a worker is asked that it can't do."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from generation import jobs
from generation.errors import GenerationError, StoppedError
from governance.jobs import JobStopped


class TestTrain:
    def test_says_that_a_draft_is_not_trained_on(self) -> None:
        job: Any = SimpleNamespace(arguments={"dataset": "folk"}, organisation=None)

        with (
            mock.patch("provenance.queries.dataset_named", return_value=(None, None)),
            pytest.raises(GenerationError, match="folk is a draft"),
        ):
            jobs.train(job, lambda n_done, n_total, message: None)

    def test_lets_a_training_write_down_what_it_learned_before_it_stops(self) -> None:
        job: Any = SimpleNamespace(
            arguments={"name": "tide", "dataset": "folk@1", "architecture": "symbolic"},
            organisation=None,
            asked_by=None,
            asked_at=None,
            n_attempts=1,
        )
        n_told = 0

        def stopping(n_done: int, n_total: int, message: str) -> None:
            raise JobStopped

        def train_model(**given: Any) -> None:
            nonlocal n_told
            assert not given["should_stop"]()
            given["tell"](0.1, "step 1")
            n_told += 1
            assert given["should_stop"]()
            raise StoppedError("Training was stopped at step 1.")

        with (
            mock.patch("provenance.queries.dataset_named", return_value=(None, object())),
            mock.patch("generation.services.unfinished_run", return_value=None),
            mock.patch("generation.services.train_model", train_model),
            pytest.raises(JobStopped),
        ):
            jobs.train(job, stopping)
        assert n_told == 1

    @pytest.mark.parametrize(
        ("n_attempts", "begun", "resumes"), [(1, True, False), (2, True, True), (2, False, False)]
    )
    def test_goes_on_where_a_dead_worker_was(self, n_attempts: int, begun: bool, resumes: bool) -> None:
        job: Any = SimpleNamespace(
            arguments={"name": "tide", "dataset": "folk@1", "architecture": "symbolic"},
            organisation=None,
            asked_by=None,
            asked_at=None,
            n_attempts=n_attempts,
        )
        with (
            mock.patch("provenance.queries.dataset_named", return_value=(None, object())),
            mock.patch("generation.services.unfinished_run", return_value=object() if begun else None),
            mock.patch("generation.services.train_model") as train_model,
        ):
            jobs.train(job, lambda n_done, n_total, message: None)
        assert train_model.call_args.kwargs["resume"] is resumes

"""What a worker is asked that it can't do."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from generation import jobs
from generation.errors import GenerationError


class TestTrain:
    def test_says_that_a_draft_is_not_trained_on(self) -> None:
        job: Any = SimpleNamespace(arguments={"dataset": "folk"}, organisation=None)

        with (
            mock.patch("provenance.queries.dataset_named", return_value=(None, None)),
            pytest.raises(GenerationError, match="folk is a draft"),
        ):
            jobs.train(job, lambda n_done, n_total, message: None)

"""A handful at a time."""

from __future__ import annotations

from itertools import chain, count, islice

import pytest

from lib.batches import batches


class TestBatches:
    @pytest.mark.parametrize("n", [0, 1, 3, 4, 7])
    def test_lose_nothing_and_keep_the_order(self, n: int) -> None:
        made = list(batches(range(n), 3))
        assert list(chain.from_iterable(made)) == list(range(n))
        assert [len(batch) for batch in made[:-1]] == [3] * max(0, len(made) - 1)

    def test_read_no_further_than_they_are_asked(self) -> None:
        assert list(islice(batches(count(), 2), 2)) == [[0, 1], [2, 3]]

    def test_of_nothing_are_refused(self) -> None:
        with pytest.raises(ValueError, match="holds nothing"):
            list(batches([1], 0))

"""What a policy would change before it is adopted: each dataset's answers under the one that holds and under it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from provenance.known import rights_of
from provenance.models import Dataset, DatasetEntry
from provenance.queries.datasets import entries_of
from provenance.rights import values
from provenance.rights.clearance import clear
from provenance.rights.policy import ClearancePolicy

SHOWN = 5  # recordings that are named as examples


@dataclass
class DatasetPreview:
    """How one dataset answers one question before and after; ``counted`` is False where it is too large to be asked."""

    dataset: Dataset
    n_recordings: int
    counted: bool = True
    before: dict[str, int] = field(default_factory=lambda: dict.fromkeys(values.ANSWERS, 0))
    after: dict[str, int] = field(default_factory=lambda: dict.fromkeys(values.ANSWERS, 0))
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    n_other_conditions: int = 0
    examples: list[tuple[DatasetEntry, str, str]] = field(default_factory=list)

    def add(self, entry: DatasetEntry, before: values.Clearance, after: values.Clearance) -> None:
        self.before[before.answer] += 1
        self.after[after.answer] += 1
        if before.answer != after.answer:
            self.moves[before.answer, after.answer] += 1
            if len(self.examples) < SHOWN:
                self.examples.append((entry, before.answer, after.answer))
        elif before.conditions != after.conditions:
            self.n_other_conditions += 1

    @property
    def n_changed(self) -> int:
        """How many recordings get another answer; other conditions of the same answer are counted apart."""
        return self.moves.total()

    @property
    def rows(self) -> list[tuple[str, int, int, int]]:
        """(answer, before, after, difference), loosest first."""
        return [
            (answer, self.before[answer], self.after[answer], self.after[answer] - self.before[answer])
            for answer in reversed(values.ANSWERS)
        ]

    def as_json(self) -> dict[str, Any]:
        line: dict[str, Any] = {
            "dataset": self.dataset.name,
            "id": str(self.dataset.public_id),
            "recordings": self.n_recordings,
            "counted": self.counted,
        }
        if not self.counted:
            return line
        moves = sorted(self.moves.items(), key=lambda move: (-move[1], move[0]))
        return {
            **line,
            "before": self.before,
            "after": self.after,
            "changed": self.n_changed,
            "other_conditions": self.n_other_conditions,
            "moves": [{"from": old, "to": new, "recordings": n} for (old, new), n in moves],
            "examples": [
                {"external_id": entry.external_id, "from": old, "to": new}
                for entry, old, new in self.examples
            ],
        }


def preview(
    datasets: Iterable[Dataset],
    *,
    before: ClearancePolicy,
    after: ClearancePolicy,
    use: values.Use,
    at_most: int | None = None,
) -> list[DatasetPreview]:
    """Answer one question for every recording twice; of more than ``at_most`` recordings a dataset is left uncounted."""
    found = []
    for dataset in datasets:
        entries = entries_of(dataset)
        n_recordings = entries.count()
        one = DatasetPreview(dataset, n_recordings, counted=at_most is None or n_recordings <= at_most)
        if one.counted:
            _count(one, entries, before, after, use)
        found.append(one)
    return found


def _count(
    one: DatasetPreview,
    entries: QuerySet[DatasetEntry],
    before: ClearancePolicy,
    after: ClearancePolicy,
    use: values.Use,
) -> None:
    for entry, rights in rights_of(entries):
        one.add(entry, clear(rights, use, before), clear(rights, use, after))

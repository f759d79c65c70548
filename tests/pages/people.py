"""The people of the pages' tests, with a dataset registered from synthesised sound as a worker would register it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from governance.models import User
from provenance import queries, services
from provenance.models import Dataset, DatasetKind, DatasetVersion, Grant, Recording, Registration
from provenance.services.registering import Registered
from tests import signals
from tests.people import People, an_entry, found_people

ROWS = [
    ("meadow", "Meadow & Brook", "CC0-1.0"),
    ("harbour", "Harbour Lights", "CC-BY-SA-4.0"),
    ("cellar", "Cellar Door", "CC-BY-NC-4.0"),
]


@dataclass(frozen=True)
class Shelf:
    """``folk`` holds three sounds with three licences, registered by the steward; one is under a grant."""

    people: People
    dataset: Dataset
    grant: Grant

    @property
    def recording(self) -> Recording:
        return Recording.objects.get(entries__external_id="meadow")


def a_shelf(folder: Path) -> Shelf:
    people = found_people()
    now = timezone.now()
    dataset = register(people.steward, people, folder, now).dataset
    grant = a_grant(people.steward, people, folder, now)
    return Shelf(people, dataset, grant)


def register(steward: User, people: People, folder: Path, now: datetime) -> Registered:
    return services.register(
        name="folk",
        kind=DatasetKind.TRAINING,
        source=write_source(folder),
        format="csv",
        root=folder,
        by=steward,
        organisation=people.house,
        now=now,
    )


def write_source(folder: Path) -> Path:
    """Write three tunes, and the table that names them; its last row names a file that is not there."""
    source = folder / "folk.csv"
    with source.open("w", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["path", "external_id", "title", "artist", "licence", "licence_scope", "mood"])
        for seed, (name, title, licence) in enumerate(ROWS):
            signals.write(folder / f"{name}.wav", signals.music(6.0, seed=seed))
            table.writerow([f"{name}.wav", name, title, "The Synthesists", licence, "all", "calm"])
        table.writerow(["missing.wav", "missing", "Nowhere", "Nobody", "CC0-1.0", "all", ""])
    return source


def a_grant(steward: User, people: People, folder: Path, now: datetime) -> Grant:
    deals = folder / "deals.csv"
    deals.write_text(
        "licensor,licensee,right,recordings,purposes\n"
        "Cellar Records,House,master,cellar,ai_generative_training\n"
    )
    outcomes = services.register_grants(source=deals, by=steward, organisation=people.house, now=now)
    return outcomes[0].grants[0]


def a_frozen(shelf: Shelf, accept: Sequence[str] = ("all",)) -> DatasetVersion:
    """Return the version frozen from what is cleared, approved by the officer, with every condition unless told."""
    now = timezone.now()
    services.approve_dataset(
        dataset=shelf.dataset, by=shelf.people.officer, reason="Read.", accept=list(accept), now=now
    )
    use = queries.use_for(purpose="ai_generative_training", commercial=True, territory="", at=now)
    return services.freeze_dataset(
        dataset=shelf.dataset, use=use, by=shelf.people.engineer, now=now, only_cleared=True
    ).version


def more_entries(dataset: Dataset, n: int) -> None:
    registration = Registration.objects.filter(dataset=dataset).latest("id")
    for row in range(100, 100 + n):
        an_entry(registration, row=row)

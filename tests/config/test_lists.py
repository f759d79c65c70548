"""Every list in the API: read on behind a mark, whatever came or went meanwhile."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import yaml
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from generation.models import (
    Case,
    Check,
    Generation,
    GenerativeModel,
    Match,
    ModelVersion,
    Publication,
)
from governance import ledger
from governance.models import Job, Policy, Review
from provenance.models import (
    Catalogue,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
    Conflict,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    EvidenceDocument,
    ExceptionMemo,
    Grant,
    GrantRecording,
    Party,
    Recording,
    RecordingKind,
    Reservation,
    ReservationRecording,
    RightsClaim,
    VersionEntry,
)
from tests.people import People, a_dataset, a_recording, client_of

pytestmark = pytest.mark.django_db
API = "/api/v1"
THEN = datetime(2026, 3, 2, tzinfo=UTC)
DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.yaml"
NO_HASH = "0" * 64


@dataclass(frozen=True)
class Scene:
    """What lists hang on: ``frozen`` has room for leaves, and ``weights`` are of its ``model``."""

    people: People
    dataset: Dataset
    recording: Recording
    frozen: DatasetVersion
    model: GenerativeModel
    weights: ModelVersion
    catalogue: Catalogue


@pytest.fixture(scope="module")
def standing_scene(founded_people: People) -> Scene:
    people = founded_people
    dataset = a_dataset(people.steward, people.house)
    (frozen,) = versions_of(people, dataset, [1])
    (model,) = models_of(people, ["fiddler"])
    (weights,) = weights_of(people, model, [1])
    (catalogue,) = catalogues_of(people, ["Spring"])
    return Scene(people, dataset, Recording.objects.order_by("id")[0], frozen, model, weights, catalogue)


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def people(scene: Scene) -> People:
    return scene.people


def at(number: int) -> datetime:
    """Return one of two instants: most rows of a list share theirs with others."""
    return THEN + timedelta(hours=number % 2)


def versions_of(people: People, dataset: Dataset, numbers: Iterable[int]) -> list[DatasetVersion]:
    frozen = {
        "purpose": "data_mining",
        "commercial": True,
        "policy_name": "default",
        "policy_sha256": NO_HASH,
    }
    held = {"review_id": dataset.public_id, "n_recordings": 1000, "seconds": 1.0, "merkle_root": NO_HASH}
    return DatasetVersion.objects.bulk_create(
        DatasetVersion(
            dataset=dataset, number=one, frozen_by=people.steward, frozen_at=THEN, **frozen, **held
        )
        for one in numbers
    )


def models_of(people: People, names: Iterable[str]) -> list[GenerativeModel]:
    made = {"architecture": "symbolic", "created_by": people.engineer, "created_at": THEN}
    return GenerativeModel.objects.bulk_create(
        GenerativeModel(organisation=people.house, name=name, **made) for name in names
    )


def weights_of(people: People, model: GenerativeModel, numbers: Iterable[int]) -> list[ModelVersion]:
    kept = {"checkpoint": "nowhere", "weights_sha256": NO_HASH, "n_parameters": 1000, "config": {}}
    return ModelVersion.objects.bulk_create(
        ModelVersion(model=model, number=one, registered_by=people.engineer, registered_at=at(one), **kept)
        for one in numbers
    )


def catalogues_of(people: People, names: Iterable[str]) -> list[Catalogue]:
    brought = {"source_name": "c.csv", "source_sha256": NO_HASH, "format": "csv"}
    return Catalogue.objects.bulk_create(
        Catalogue(
            organisation=people.house, name=name, uploaded_by=people.officer, uploaded_at=at(n), **brought
        )
        for n, name in enumerate(names)
    )


def names(n: int) -> list[str]:
    return [str(uuid4()) for _ in range(n)]


def numbers_after(rows: Any, n: int, field: str = "number") -> range:
    last = rows.order_by(f"-{field}").values_list(field, flat=True).first()
    first = 1 if last is None else last + 1
    return range(first, first + n)


def recordings(scene: Scene, n: int) -> list[Recording]:
    given = {"kind": RecordingKind.AUDIO, "audio": "a.wav", "seconds": 10.0, "registered_at": THEN}
    return Recording.objects.bulk_create(
        Recording(
            organisation=scene.people.house,
            sha256=sha256(name.encode()).hexdigest(),
            title=name[0],
            **given,
        )
        for name in names(n)
    )


def datasets(scene: Scene, n: int) -> None:
    made = {"created_by": scene.people.steward, "created_at": THEN, "changed_at": THEN}
    Dataset.objects.bulk_create(
        Dataset(organisation=scene.people.house, name=name, **made) for name in names(n)
    )


def entries(scene: Scene, n: int) -> None:
    brought = {"dataset": scene.dataset, "registration": scene.dataset.registrations.get()}
    DatasetEntry.objects.bulk_create(
        DatasetEntry(recording=one, external_id=str(one.public_id), row=1, **brought)
        for one in recordings(scene, n)
    )


def frozen_versions(scene: Scene, n: int) -> None:
    versions_of(scene.people, scene.dataset, numbers_after(scene.dataset.versions, n))


def leaves(scene: Scene, n: int) -> None:
    places = numbers_after(scene.frozen.entries, n, "position")
    VersionEntry.objects.bulk_create(
        VersionEntry(
            version=scene.frozen,
            position=place,
            recording=one,
            external_id=one.title,
            manifest={},
            leaf_hash=NO_HASH,
        )
        for place, one in zip(places, recordings(scene, n), strict=True)
    )


def jobs(scene: Scene, n: int) -> None:
    asked = {"organisation": scene.people.house, "kind": "test", "asked_by": scene.people.steward}
    Job.objects.bulk_create(Job(asked_at=at(one), **asked) for one in range(n))


def reviews(scene: Scene, n: int) -> None:
    asked = {"organisation": scene.people.house, "asked_by": scene.people.steward}
    about = {"question": "dataset.approval", "subject_kind": "dataset", "subject_name": "folk"}
    Review.objects.bulk_create(
        Review(subject_id=uuid4(), asked_at=at(one), **asked, **about) for one in range(n)
    )


def events(scene: Scene, n: int) -> None:
    done = {"kind": "test.done", "subject_kind": "dataset", "subject_id": scene.dataset.public_id}
    by = {"actor": scene.people.steward, "organisation": scene.people.house, "now": THEN}
    for _ in range(n):
        ledger.record(**done, **by)  # type: ignore[arg-type]


def policies(scene: Scene, n: int) -> None:
    made = {"created_by": scene.people.steward, "body": {}, "sha256": NO_HASH}
    Policy.objects.bulk_create(
        Policy(organisation=scene.people.house, name=name, created_at=at(one), **made)
        for one, name in enumerate(names(n))
    )


def models(scene: Scene, n: int) -> None:
    models_of(scene.people, names(n))


def weights(scene: Scene, n: int) -> None:
    weights_of(scene.people, scene.model, numbers_after(scene.model.versions, n))


def public_weights(scene: Scene, n: int) -> None:
    opened = {"published_by": scene.people.officer, "published_at": THEN, "reason": "Asked for."}
    made = weights_of(scene.people, scene.model, numbers_after(scene.model.versions, n))
    Publication.objects.bulk_create(Publication(model_version=one, **opened) for one in made)


def outputs(scene: Scene, n: int) -> None:
    made = {"model_version": scene.weights, "seed": 1, "seconds": 1.0, "audio": "none.wav", "elapsed_s": 1.0}
    by = {"made_by": scene.people.engineer, "sha256": NO_HASH}
    Generation.objects.bulk_create(Generation(made_at=at(one), **made, **by) for one in range(n))


def checks_of(scene: Scene, n: int) -> list[Check]:
    made = {
        "verdict": "review",
        "policy": {},
        "covers_all": True,
        "elapsed_s": 0.1,
        "file_name": "brought.wav",
    }
    return Check.objects.bulk_create(
        Check(organisation=scene.people.house, checked_at=at(one), **made) for one in range(n)
    )


def checks(scene: Scene, n: int) -> None:
    checks_of(scene, n)


def matches(scene: Scene, n: int) -> None:
    where = {"query_start_s": 0.0, "query_end_s": 1.0, "reference_start_s": 0.0, "reference_end_s": 1.0}
    Match.objects.bulk_create(
        Match(
            check_made=made,
            recording=scene.recording,
            kind="recording",
            rank=1,
            accepted=True,
            score=1 / 3 if one % 2 else 1.0,
            **where,
        )
        for one, made in enumerate(checks_of(scene, n))
    )


def cases(scene: Scene, n: int) -> None:
    filed = {"kind": "inquiry", "channel": "public", "holder": "Cellar", "filed_at": THEN, "salt": "s"}
    Case.objects.bulk_create(
        Case(
            organisation=scene.people.house,
            reference=name[:20],
            secret_sha256=NO_HASH,
            due_on=date(2026, 4, 1 + one % 2),
            **filed,
        )
        for one, name in enumerate(names(n))
    )


def conflicts(scene: Scene, n: int) -> None:
    sides = {
        "recording_a": scene.recording,
        "recording_b": scene.recording,
        "evidence_a": {},
        "evidence_b": {},
    }
    Conflict.objects.bulk_create(
        Conflict(organisation=scene.people.house, kind="shares_gap", key=name, found_at=at(one), **sides)
        for one, name in enumerate(names(n))
    )


def claims(scene: Scene, n: int) -> None:
    parties = Party.objects.bulk_create(
        Party(organisation=scene.people.house, name=name) for name in names(n)
    )
    said = {"recording": scene.recording, "right": "master", "source": "registry"}
    RightsClaim.objects.bulk_create(
        RightsClaim(party=party, recorded_at=at(one), **said) for one, party in enumerate(parties)
    )


def grants(scene: Scene, n: int) -> None:
    label = Party.objects.create(organisation=scene.people.house, name=str(uuid4()))
    given = {"licensor": label, "licensee": label, "right": "master", "purposes": ["data_mining"]}
    by = {"organisation": scene.people.house, "registered_by": scene.people.steward}
    Grant.objects.bulk_create(
        Grant(registered_at=at(one), key=name, **given, **by) for one, name in enumerate(names(n))
    )


def opt_outs(scene: Scene, n: int) -> None:
    said = {"source": "declared", "recorded_at": THEN, "recorded_by": scene.people.steward}
    Reservation.objects.bulk_create(
        Reservation(organisation=scene.people.house, key=name, declared_at=at(one), **said)
        for one, name in enumerate(names(n))
    )


def memos(scene: Scene, n: int) -> None:
    said = {"provision": "Article 3", "purposes": ["data_mining"], "signed_by": "Dr Ada Counsel"}
    kept = {"lawful_access": "Subscription", "recorded_by": scene.people.officer}
    ExceptionMemo.objects.bulk_create(
        ExceptionMemo(organisation=scene.people.house, recorded_at=at(one), **said, **kept)
        for one in range(n)
    )


def evidence(scene: Scene, n: int) -> None:
    kept = {"kind": "web_page", "sha256": NO_HASH, "size_bytes": 1, "received_from": scene.people.steward}
    EvidenceDocument.objects.bulk_create(
        EvidenceDocument(organisation=scene.people.house, url=name, received_at=at(one), **kept)
        for one, name in enumerate(names(n))
    )


def catalogues(scene: Scene, n: int) -> None:
    catalogues_of(scene.people, names(n))


def a_run(scene: Scene, number: int, **sides: Any) -> CatalogueRun:
    counted = {"n_rows": 1, "n_found": 1, "n_probable": 0, "n_recordings": 1}
    return CatalogueRun(asked_by=scene.people.officer, run_at=at(number), **counted, **sides)


def questions(scene: Scene, n: int) -> None:
    CatalogueRun.objects.bulk_create(
        a_run(scene, one, catalogue=brought, dataset=scene.dataset)
        for one, brought in enumerate(catalogues_of(scene.people, names(n)))
    )


def runs(scene: Scene, n: int) -> None:
    datasets(scene, n)
    unasked = Dataset.objects.exclude(catalogue_runs__catalogue=scene.catalogue)
    CatalogueRun.objects.bulk_create(
        a_run(scene, one, catalogue=scene.catalogue, dataset=dataset)
        for one, dataset in enumerate(unasked.order_by("id")[:n])
    )


def catalogue_matches(scene: Scene, n: int) -> None:
    """Answer rows twice: of three answers the middle one shares its row with the first."""
    if not scene.catalogue.runs.exists():
        runs(scene, 2)
    asked = scene.catalogue.runs.order_by("id")[:2]
    listed = CatalogueRow.objects.bulk_create(
        CatalogueRow(catalogue=scene.catalogue, row=row, external_id=f"row {row}")
        for row in numbers_after(scene.catalogue.rows, -(-n // 2), "row")
    )
    CatalogueMatch.objects.bulk_create(
        CatalogueMatch(run=run, row=row, answer="not_found") for run in asked for row in listed
    )


class Listed(NamedTuple):
    """``by``: what a row says that it is sorted by. ``model``: whose rows may leave the list again."""

    fill: Callable[[Scene, int], object]
    by: str
    descending: bool = False
    model: type[Model] | None = None


LISTS: dict[str, Listed] = {
    "cases/": Listed(cases, "due_on", model=Case),
    "catalogue-questions/": Listed(questions, "run_at", True, CatalogueRun),
    "catalogues/": Listed(catalogues, "uploaded_at", True, Catalogue),
    "catalogues/{catalogue}/matches/": Listed(catalogue_matches, "row"),
    "catalogues/{catalogue}/runs/": Listed(runs, "run_at", True, CatalogueRun),
    "checks/": Listed(checks, "checked_at", True, Check),
    "claims/": Listed(claims, "recorded_at", True, RightsClaim),
    "conflicts/": Listed(conflicts, "found_at", True, Conflict),
    "dataset-versions/{frozen}/entries/": Listed(leaves, "position"),
    "datasets/": Listed(datasets, "name", model=Dataset),
    "datasets/{dataset}/conflicts/": Listed(conflicts, "found_at", True, Conflict),
    "datasets/{dataset}/entries/": Listed(entries, "external_id", model=DatasetEntry),
    "datasets/{dataset}/versions/": Listed(frozen_versions, "number"),
    "evidence/": Listed(evidence, "received_at", True, EvidenceDocument),
    "generations/": Listed(outputs, "made_at", True, Generation),
    "grants/": Listed(grants, "registered_at", True, Grant),
    "jobs/": Listed(jobs, "asked_at", True, Job),
    "ledger/events/": Listed(events, "sequence"),
    "memos/": Listed(memos, "recorded_at", True, ExceptionMemo),
    "models/": Listed(models, "name", model=GenerativeModel),
    "models/{model}/versions/": Listed(weights, "number", model=ModelVersion),
    "policies/": Listed(policies, "created_at", True),
    "public/models/": Listed(public_weights, "registered_at", True),
    "recordings/": Listed(recordings, "title"),
    "recordings/{recording}/matches/": Listed(matches, "score", True),
    "reservations/": Listed(opt_outs, "declared_at", True, Reservation),
    "reviews/": Listed(reviews, "asked_at", True, Review),
}


def address_of(name: str, scene: Scene) -> str:
    hung_on = {part: getattr(scene, part).public_id for part in ("dataset", "recording", "frozen", "model")}
    return f"{API}/{name.format(**hung_on, catalogue=scene.catalogue.public_id)}"


def walked(client: Any, address: str | None) -> list[Any]:
    """Return the rows of every page from an address on."""
    seen = []
    while address:
        page = client.get(address).data
        seen += rows_of(page)
        address = page["next"]
    return seen


def rows_of(page: Any) -> list[Any]:
    return json.loads(json.dumps(page["results"], default=str))  # type: ignore[no-any-return]


class TestLists:
    def test_are_all_read_by_marks(self) -> None:
        described = yaml.safe_load(DESCRIPTION.read_text())["paths"]
        said = {
            path: {one["name"] for one in deeds["get"].get("parameters", [])}
            for path, deeds in described.items()
            if "get" in deeds
        }
        lists = {path for path, asked in said.items() if "offset" in asked}
        assert all({"after", "before"} <= said[path] for path in lists)
        shapes = {path.removeprefix(f"{API}/").replace("{public_id}", "{}") for path in lists}
        assert shapes == {re.sub(r"{\w+}", "{}", name) for name in LISTS}


@pytest.mark.parametrize("name", LISTS)
class TestAList:
    def test_gives_every_row_once_in_order_there_and_back(self, scene: Scene, name: str) -> None:
        listed, address, client = LISTS[name], address_of(name, scene), client_of(scene.people.officer)
        listed.fill(scene, 8)
        seen = walked(client, f"{address}?limit=3")
        assert len({json.dumps(row) for row in seen}) == len(seen) >= 8
        assert [row[listed.by] for row in seen] == sorted(
            (row[listed.by] for row in seen), reverse=listed.descending
        )
        counted_off = client.get(f"{address}?limit=500&offset=0").data
        assert (seen, len(seen)) == (rows_of(counted_off), counted_off["count"])
        second = client.get(client.get(f"{address}?limit=3").data["next"]).data
        assert rows_of(second) == seen[3:6]
        assert rows_of(client.get(second["previous"]).data) == seen[:3]

    def test_goes_on_where_it_was_though_rows_come_and_go(self, scene: Scene, name: str) -> None:
        listed, address, client = LISTS[name], address_of(name, scene), client_of(scene.people.officer)
        listed.fill(scene, 6)
        whole = rows_of(client.get(address).data)
        first = client.get(f"{address}?limit=2").data
        if listed.model is not None:
            for gone in (whole.pop(3), whole.pop(0)):
                listed.model._default_manager.filter(public_id=gone["id"]).delete()
        listed.fill(scene, 2)
        seen = [*rows_of(first), *walked(client, first["next"])]
        assert [row for row in seen if row in whole] == whole
        assert len({json.dumps(row) for row in seen}) == len(seen)

    def test_costs_as_many_queries_at_any_length(self, scene: Scene, name: str) -> None:
        listed, address, client = LISTS[name], address_of(name, scene), client_of(scene.people.officer)
        counts = []
        for _ in range(2):
            listed.fill(scene, 5)
            following = client.get(f"{address}?limit=1").data["next"]
            for asked_for in (f"{address}?limit=500", following.replace("limit=1", "limit=500")):
                with CaptureQueriesContext(connection) as asked:
                    client.get(asked_for)
                counts.append(len(asked))
        assert counts[:2] == counts[2:]

    def test_refuses_to_go_on_at_no_place_of_its_own(self, scene: Scene, name: str) -> None:
        address, client = address_of(name, scene), client_of(scene.people.officer)
        other = "jobs/" if name != "jobs/" else "reviews/"
        LISTS[other].fill(scene, 2)
        foreign = client.get(f"{API}/{other}?limit=1").data["next"].partition("?")[2]
        nested = base64.urlsafe_b64encode(b"[" * 4000).decode()
        for wrong in (foreign, "before=nonsense", f"after={nested}", "after=1&before=1", "after=1&offset=3"):
            answer: Any = client.get(f"{address}?{wrong}")
            assert (answer.status_code, answer.data["code"]) == (400, "invalid")
            assert {"after", "before"} & set(answer.data["fields"])


class TestConflicts:
    def test_go_on_behind_one_that_was_closed_meanwhile(self, scene: Scene) -> None:
        conflicts(scene, 4)
        client = client_of(scene.people.officer)
        page = client.get(f"{API}/conflicts/?status=open&limit=2").data
        closed = {"resolved_by": scene.people.officer, "resolved_at": THEN, "reason": "Read."}
        last = page["results"][-1]["id"]
        Conflict.objects.filter(public_id=last).update(status=ConflictStatus.DISMISSED, **closed)

        rest = client.get(page["next"]).data["results"]

        newest_first = Conflict.objects.order_by("-found_at", "-pk").values_list("public_id", flat=True)
        assert [row["id"] for row in rest] == [str(one) for one in newest_first[2:]]


class TestRecordings:
    @pytest.fixture(params=["grant", "reservation"])
    def bound(self, request: Any, scene: Scene) -> tuple[str, Callable[[str], None]]:
        """What asks for the recordings of a grant, or of an opt-out, and how one more comes in."""
        grants(scene, 1)
        opt_outs(scene, 1)
        grant, held = Grant.objects.get(), Reservation.objects.get()

        def bind(title: str) -> None:
            recording = a_recording(scene.people.house, title=title)
            if request.param == "grant":
                GrantRecording.objects.create(grant=grant, recording=recording)
            else:
                ReservationRecording.objects.create(reservation=held, recording=recording)

        for title in "bbdfh":
            bind(title)
        about = grant if request.param == "grant" else held
        return f"{API}/recordings/?{request.param}={about.public_id}", bind

    def test_of_a_grant_or_an_opt_out_come_once_though_others_come_in(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        address, bind = bound
        client = client_of(people.officer)
        first = client.get(f"{address}&limit=2").data
        bind("a")  # before where the reader is: by offset, she would read a row twice
        rest = walked(client, first["next"])
        titles = dict(Recording.objects.values_list("public_id", "title"))
        ids = [row["id"] for row in [*first["results"], *rest]]
        assert [titles[UUID(one)] for one in ids] == [*"bbdfh"]

    def test_of_a_grant_or_an_opt_out_cost_as_many_queries_however_many(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        address, bind = bound
        client, counts = client_of(people.officer), []
        for _ in range(2):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(address).status_code == 200
            counts.append(len(asked))
            bind("z")
        assert counts[0] == counts[1]

    def test_of_a_grant_are_nobody_elses(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        assert client_of(people.stranger).get(bound[0]).data["count"] == 0

"""PROV-JSON of odd registers, read back by the reader that others use: as many of each as went in."""

import json
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.exports.facts import ModelFacts
from audit.exports.prov import lineage
from audit.queries import TrainingRecording
from generation.models import Generation, GenerativeModel, ModelVersion, TrainingRun
from governance.models import Organisation
from provenance.models import Dataset, DatasetVersion, Recording, VersionEntry
from tests.audit.scene import NOW

prov = pytest.importorskip("prov.model")

ODD = 'Ω “Sång” \' " : id:x prov:type _:b0 {"$": 1} 日本語 🎵 \\ / @ # % <b> \n\t'
NAMES = st.text(max_size=12) | st.sampled_from(["", ODD, "prov:Collection", "id:1", "_:a", "$", "-"])


def facts_of(
    name: str,
    provider: str,
    titles: list[str] | None,
    *,
    with_run: bool = True,
    is_over: bool = True,
    sha256: str = "",
) -> ModelFacts:
    """A model as rows that no database holds; None for titles = of unknown origin."""
    organisation = Organisation(name=provider)
    trained_on = None
    recordings: list[TrainingRecording] = []
    if titles is not None:
        dataset = Dataset(organisation=organisation, name=name)
        trained_on = DatasetVersion(dataset=dataset, number=1, merkle_root=sha256)
        for title in titles:
            recording = Recording(organisation=organisation, title=title, sha256=sha256)
            leaf = VersionEntry(
                version=trained_on,
                recording=recording,
                external_id=title,
                manifest={"master": {"licence": title}},
            )
            recordings.append(TrainingRecording(leaf, None))
    model = GenerativeModel(organisation=organisation, name=name)
    version = ModelVersion(model=model, number=1, dataset_version=trained_on, weights_sha256=sha256)
    run = None
    if with_run and trained_on is not None:
        finished_at = NOW + timedelta(hours=1) if is_over else None
        run = TrainingRun(model=model, seed=2**62, n_steps=0, started_at=NOW, finished_at=finished_at)
    told: Any = SimpleNamespace(
        version=version, run=run, trained_on=trained_on, recordings=recordings, provider=provider
    )
    facts: ModelFacts = told
    return facts


def outputs_of(facts: ModelFacts, n: int) -> list[Generation]:
    return [
        Generation(model_version=facts.version, seed=-seed, state="held", made_at=NOW) for seed in range(n)
    ]


def read_back(said: dict[str, Any]) -> Any:
    return prov.ProvDocument.deserialize(content=json.dumps(said, ensure_ascii=False), format="json")


def records(document: Any) -> Counter[str]:
    return Counter(type(record).__name__ for record in document.get_records())


class TestLineage:
    @example(ODD, ODD, [ODD, ODD, ""], True, False, 2)
    @example("", "", [], False, False, 0)  # nothing is named, an empty version, no training run
    @given(
        name=NAMES,
        provider=NAMES,
        titles=st.none() | st.lists(NAMES, max_size=3),
        with_run=st.booleans(),
        is_over=st.booleans(),
        n_outputs=st.integers(0, 3),
    )
    def test_is_read_back_with_the_same_counts(
        self,
        name: str,
        provider: str,
        titles: list[str] | None,
        with_run: bool,
        is_over: bool,
        n_outputs: int,
    ) -> None:
        facts = facts_of(name, provider, titles, with_run=with_run, is_over=is_over)
        n_sets, n_recordings, n_runs = int(titles is not None), len(titles or []), int(facts.run is not None)
        document = read_back(lineage(facts, outputs_of(facts, n_outputs)))
        assert records(document) == +Counter(
            ProvEntity=1 + n_sets + n_recordings + n_outputs,
            ProvActivity=n_runs,
            ProvAgent=1,
            ProvAttribution=1,
            ProvMembership=n_recordings,
            ProvDerivation=n_sets + n_outputs,
            ProvGeneration=n_runs + n_outputs,
            ProvUsage=n_runs,
            ProvAssociation=n_runs,
        )
        assert records(prov.ProvDocument.deserialize(content=document.serialize())) == records(document)

    @given(NAMES)
    def test_keeps_every_name_as_it_is_written(self, name: str) -> None:
        facts = facts_of("tide", name, [name or "-"])
        labels = [
            str(label)
            for record in read_back(lineage(facts, [])).get_records()
            for label in record.get_attribute("prov:label")
        ]
        assert Counter(labels) == +Counter(["tide@1", "tide@1", name or "-", *([name] if name else [])])

    def test_says_of_everything_what_it_is_by_a_name_and_not_by_a_text(self) -> None:
        facts = facts_of("tide", "Rivermouth", ["a"])
        document = read_back(lineage(facts, outputs_of(facts, 1)))
        kinds = [kind for one in document.get_records() for kind in one.get_attribute("prov:type")]
        assert sorted(map(str, kinds)) == [
            *("ln:ModelVersion", "ln:Output", "ln:Recording", "ln:TrainingRun"),
            *("prov:Collection", "prov:Organization"),
        ]
        assert {type(kind).__name__ for kind in kinds} == {"QualifiedName"}

    def test_dates_the_making_of_an_output(self) -> None:
        facts = facts_of("tide", "Rivermouth", None)
        (made,) = read_back(lineage(facts, outputs_of(facts, 1))).get_records(prov.ProvGeneration)
        assert made.get_attribute("prov:time") == {NOW}

    def test_tells_two_models_of_one_name_apart(self) -> None:
        one, other = facts_of("tide", "House", ["a"]), facts_of("tide", "House", ["a"])
        both = read_back(lineage(one, []))
        both.update(read_back(lineage(other, [])))
        names = {record.identifier.uri for record in both.get_records(prov.ProvEntity)}
        assert len(names) == 6
        assert all(UUID(name.removeprefix("urn:uuid:")) for name in names)

    def test_says_nothing_of_what_is_not_on_record(self) -> None:
        said = lineage(facts_of("tide", "", ["a"], is_over=False), [])
        told = [
            value
            for kind in ("entity", "activity", "agent")
            for one in said[kind].values()
            for value in one.values()
        ]
        assert "" not in told
        assert None not in told

"""Where a model and its outputs came from, as PROV-JSON (W3C member submission, 24 April 2013).

Everything goes by its UUID, so that two models of one name are two, and a name may hold what it likes. What is not on
record is left out: an empty text would be a statement.
"""

from collections.abc import Iterable
from typing import Any

from audit.exports.facts import ModelFacts
from generation.models import Generation, ModelVersion, TrainingRun
from provenance.models import DatasetVersion

PREFIX = {
    "ln": "https://w3id.org/liner-notes/vocabulary#",
    "id": "urn:uuid:",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def prov(facts: ModelFacts) -> dict[str, Any]:
    """State the lineage: recordings, frozen version, training run, model version, outputs."""
    return lineage(facts, Generation.objects.filter(model_version=facts.version).order_by("id"))


def lineage(facts: ModelFacts, outputs: Iterable[Generation]) -> dict[str, Any]:
    """State the lineage of a model and of these of its outputs, from rows that were read."""
    graph = _Graph()
    model, provider = f"id:{facts.version.public_id}", f"id:{facts.version.model.organisation.public_id}"
    graph.add("agent", provider, "prov:Organization", {"prov:label": facts.provider})
    graph.add("entity", model, "ln:ModelVersion", _of_model(facts.version))
    graph.relate("wasAttributedTo", {"prov:entity": model, "prov:agent": provider})
    if facts.trained_on is not None:
        trained_on = f"id:{facts.trained_on.public_id}"
        graph.add("entity", trained_on, "prov:Collection", _of_dataset(facts.trained_on))
        graph.relate("wasDerivedFrom", {"prov:generatedEntity": model, "prov:usedEntity": trained_on})
        for one in facts.recordings:
            recording = f"id:{one.leaf.recording.public_id}"
            about: dict[str, Any] = {
                "prov:label": one.title,
                "ln:sha256": one.leaf.recording.sha256,
                "ln:licence": one.licence,
            }
            graph.add("entity", recording, "ln:Recording", about)
            graph.relate("hadMember", {"prov:collection": trained_on, "prov:entity": recording})
        if facts.run is not None:
            run = f"id:{facts.run.public_id}"
            graph.add("activity", run, "ln:TrainingRun", _of_run(facts.run))
            graph.relate("used", {"prov:activity": run, "prov:entity": trained_on})
            graph.relate("wasGeneratedBy", {"prov:entity": model, "prov:activity": run})
            graph.relate("wasAssociatedWith", {"prov:activity": run, "prov:agent": provider})
    for made in outputs:
        output = f"id:{made.public_id}"
        about = {"ln:sha256": made.sha256, "ln:seed": _long(made.seed), "ln:state": made.state}
        graph.add("entity", output, "ln:Output", about)
        graph.relate("wasGeneratedBy", {"prov:entity": output, "prov:time": made.made_at.isoformat()})
        graph.relate("wasDerivedFrom", {"prov:generatedEntity": output, "prov:usedEntity": model})
    return graph.said


def _of_model(version: ModelVersion) -> dict[str, Any]:
    return {"prov:label": str(version), "ln:weightsSha256": version.weights_sha256}


def _of_dataset(version: DatasetVersion) -> dict[str, Any]:
    return {
        "prov:label": str(version),
        "ln:merkleRoot": version.merkle_root,
        "ln:purpose": version.purpose,
        "ln:model": version.model,
    }


def _of_run(run: TrainingRun) -> dict[str, Any]:
    return {
        "prov:startTime": run.started_at.isoformat(),
        "prov:endTime": run.finished_at.isoformat() if run.finished_at else "",
        "ln:seed": _long(run.seed),
        "ln:steps": run.n_steps,
    }


def _long(value: int) -> dict[str, str]:
    """Return 64 bits as a typed text: as a number, a reader with doubles would take it for a neighbour."""
    return {"$": str(value), "type": "xsd:long"}


class _Graph:
    """A document on its way: elements by their names, relations numbered by kind."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, Any]] = {"prefix": PREFIX, "entity": {}, "activity": {}, "agent": {}}

    def add(self, kind: str, name: str, type: str, about: dict[str, Any]) -> None:
        known = {key: value for key, value in about.items() if value not in ("", None)}
        self.said[kind][name] = {"prov:type": {"$": type, "type": "prov:QUALIFIED_NAME"}, **known}

    def relate(self, kind: str, ends: dict[str, str]) -> None:
        relations = self.said.setdefault(kind, {})
        relations[f"_:{kind}{len(relations)}"] = ends

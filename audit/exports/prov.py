"""Where a model and its outputs came from, as PROV-JSON (W3C member submission, 24 April 2013)."""

from typing import Any

from audit.exports.facts import ModelFacts
from generation.models import Generation

PREFIX = {
    "ln": "https://w3id.org/liner-notes/vocabulary#",
    "id": "urn:uuid:",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def prov(facts: ModelFacts) -> dict[str, Any]:
    """State the lineage: recordings, frozen version, training run, model version, outputs."""
    version, run, trained_on = facts.version, facts.run, facts.trained_on
    model_id, provider = f"id:{version.public_id}", f"id:{version.model.organisation.public_id}"
    entities: dict[str, Any] = {
        model_id: {
            "prov:type": "ln:ModelVersion",
            "prov:label": str(version),
            "ln:weightsSha256": version.weights_sha256,
        }
    }
    activities: dict[str, Any] = {}
    said: dict[str, dict[str, Any]] = {
        "wasGeneratedBy": {},
        "used": {},
        "wasDerivedFrom": {},
        "hadMember": {},
        "wasAttributedTo": {"_:a1": {"prov:entity": model_id, "prov:agent": provider}},
    }
    if trained_on is not None:
        set_id = f"id:{trained_on.public_id}"
        entities[set_id] = {
            "prov:type": {"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"},
            "prov:label": str(trained_on),
            "ln:merkleRoot": trained_on.merkle_root,
        }
        said["wasDerivedFrom"]["_:d0"] = {"prov:generatedEntity": model_id, "prov:usedEntity": set_id}
        for position, one in enumerate(facts.recordings):
            recording = one.leaf.recording
            entities[f"id:{recording.public_id}"] = {
                "prov:type": "ln:Recording",
                "prov:label": one.title,
                "ln:sha256": recording.sha256 or "",
                "ln:licence": one.licence,
            }
            said["hadMember"][f"_:m{position}"] = {
                "prov:collection": set_id,
                "prov:entity": f"id:{recording.public_id}",
            }
        if run is not None:
            run_id = f"id:{run.public_id}"
            activities[run_id] = {
                "prov:type": "ln:TrainingRun",
                "prov:startTime": run.started_at.isoformat(),
                **({"prov:endTime": run.finished_at.isoformat()} if run.finished_at else {}),
                "ln:seed": run.seed,
                "ln:steps": run.n_steps,
            }
            said["used"]["_:u0"] = {"prov:activity": run_id, "prov:entity": set_id}
            said["wasGeneratedBy"]["_:g0"] = {"prov:entity": model_id, "prov:activity": run_id}
    for position, made in enumerate(Generation.objects.filter(model_version=version).order_by("id"), start=1):
        entities[f"id:{made.public_id}"] = {
            "prov:type": "ln:Output",
            "ln:sha256": made.sha256,
            "ln:seed": made.seed,
            "ln:state": made.state,
            "prov:generatedAtTime": made.made_at.isoformat(),
        }
        said["wasDerivedFrom"][f"_:d{position}"] = {
            "prov:generatedEntity": f"id:{made.public_id}",
            "prov:usedEntity": model_id,
        }
    return {
        "prefix": PREFIX,
        "entity": entities,
        "activity": activities,
        "agent": {provider: {"prov:type": "prov:Organization", "prov:label": facts.provider}},
        **{relation: rows for relation, rows in said.items() if rows},
    }

"""A model as a CycloneDX 1.6 machine-learning bill of materials: the model, its card, its dataset."""

from typing import Any

from audit.exports.facts import ModelFacts
from provenance.models import DatasetVersion
from provenance.rights.values import WORLD

SPEC_VERSION = "1.6"


def cyclonedx(facts: ModelFacts, *, software_version: str) -> dict[str, Any]:
    """List what the model is made of; the recordings stay in the manifest that the Merkle root names."""
    version = facts.version
    model_ref = f"urn:uuid:{version.public_id}"
    components: list[dict[str, Any]] = []
    dataset_refs = []
    if facts.trained_on is not None:
        components.append(_dataset(facts))
        dataset_refs.append({"ref": f"urn:uuid:{facts.trained_on.public_id}"})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{version.public_id}",
        "version": 1,
        "metadata": {
            "timestamp": facts.at.isoformat(),
            "tools": {
                "components": [{"type": "application", "name": "Liner Notes", "version": software_version}]
            },
            "component": {
                "type": "machine-learning-model",
                "bom-ref": model_ref,
                "name": version.model.name,
                "version": str(version.number),
                "description": version.model.summary,
                "publisher": facts.provider,
                "hashes": [{"alg": "SHA-256", "content": version.weights_sha256}],
                "modelCard": _card(facts, dataset_refs),
            },
        },
        "components": components,
        "dependencies": [
            {"ref": model_ref, "dependsOn": [one["ref"] for one in dataset_refs]},
            *({"ref": one["ref"]} for one in dataset_refs),
        ],
    }


def _card(facts: ModelFacts, dataset_refs: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "modelParameters": {
            "approach": {"type": "self-supervised"},
            "task": "music generation",
            "architectureFamily": facts.version.model.architecture,
            "modelArchitecture": facts.version.model.architecture,
            "datasets": dataset_refs,
            "outputs": [{"format": "audio/wav"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": _metrics(facts)},
        "considerations": {
            "technicalLimitations": [
                "Only likeness in sound is searched.",
                facts.false_alarms,
                "Outputs carry no watermark.",
            ],
            "ethicalConsiderations": _memorisation_risk(facts),
        },
    }


def _metrics(facts: ModelFacts) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = [
        {"type": f"{name}, nats a step", "value": f"{value:.6f}"}
        for name, value in sorted(facts.losses.items())
    ]
    if facts.memorisation is not None:
        flagged = facts.memorisation.figures["flagged"]
        metrics.append(
            {
                "type": "outputs flagged as like training music, share",
                "value": f"{flagged['rate']:.6f}",
                "confidenceInterval": {
                    "lowerBound": f"{flagged['low']:.6f}",
                    "upperBound": f"{flagged['high']:.6f}",
                },
            }
        )
    return metrics


def _memorisation_risk(facts: ModelFacts) -> list[dict[str, str]]:
    if facts.memorisation is None:
        return [{"name": "Training music in outputs", "mitigationStrategy": "Not measured yet."}]
    flagged = facts.memorisation.figures["flagged"]
    return [
        {
            "name": f"Training music in outputs: {flagged['hits']} of {flagged['of']} flagged",
            "mitigationStrategy": "Every output is checked before release; what is flagged waits for a person.",
        }
    ]


def _use(trained_on: DatasetVersion) -> list[dict[str, str]]:
    """Return what the version was frozen for; the model only where it was cleared for no other."""
    said = {
        "purpose": trained_on.purpose,
        "commercial": "true" if trained_on.commercial else "false",
        "territory": trained_on.territory or WORLD,
        **({"model": trained_on.model} if trained_on.model else {}),
    }
    return [{"name": f"liner-notes:{name}", "value": value} for name, value in said.items()]


def _dataset(facts: ModelFacts) -> dict[str, Any]:
    trained_on = facts.trained_on
    if trained_on is None:
        raise ValueError("a model of unknown origin has no dataset")
    return {
        "type": "data",
        "bom-ref": f"urn:uuid:{trained_on.public_id}",
        "name": trained_on.dataset.name,
        "version": str(trained_on.number),
        "licenses": [
            {"license": {"name": f"{licence} ({n} recordings)"}} for licence, (n, _) in facts.licences.items()
        ],
        "data": [
            {
                "type": "dataset",
                "name": str(trained_on),
                "contents": {
                    "properties": [
                        {"name": "liner-notes:merkle-root", "value": trained_on.merkle_root},
                        {"name": "liner-notes:recordings", "value": str(trained_on.n_recordings)},
                        {"name": "liner-notes:seconds", "value": f"{trained_on.seconds:.3f}"},
                        *_use(trained_on),
                    ]
                },
                "classification": "audio",
                "governance": {"owners": [{"organization": {"name": facts.provider}}]},
            }
        ],
    }

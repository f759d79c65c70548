"""A model as a MusGO project file: thirteen categories of openness, each with its class, link and note."""

from collections.abc import Mapping

import yaml

from audit.exports.facts import ModelFacts
from audit.frameworks import loader
from audit.models import FeatureAnswer

ESSENTIAL = {"met": "open", "partly": "partial", "not_met": "closed"}
DESIRABLE = {"met": "yes", "partly": "no", "not_met": "no"}


def musgo(facts: ModelFacts, answers: Mapping[str, FeatureAnswer]) -> str:
    """Write the file. A category that nobody has assessed says so; it is not counted as closed."""
    framework = loader.load("musgo")
    categories = {}
    for feature in framework.features:
        answer = answers.get(feature.id)
        classes = ESSENTIAL if feature.requirement == "Essential" else DESIRABLE
        conformance = answer.conformance if answer else "not_assessed"
        evidence = answer.evidence if answer else []
        categories[feature.name.lower().replace(" ", "_").replace("-", "_")] = {
            "class": classes.get(conformance, "not assessed"),
            "link": next((one["value"] for one in evidence if one["kind"] == "attestation"), ""),
            "notes": answer.reason if answer else "Not assessed.",
        }
    document = {
        "system": {"name": str(facts.version), "notes": framework.reading.strip()},
        "organization": {"name": facts.provider},
        "categories": categories,
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)

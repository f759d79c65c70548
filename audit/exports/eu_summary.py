"""The public summary of training content that Article 53(1)(d) of the EU AI Act asks providers of general models for.

A narrow music generator may be no general-purpose model: the summary is then voluntary, in the template's order.
"""

from typing import Any

from audit.exports.facts import ModelFacts

NOT_STATED = "Not stated: for the provider to fill in."
SMALL_HOURS, LARGE_HOURS = 10_000, 1_000_000
"""Bands of the template for audio, in hours."""


def eu_summary(facts: ModelFacts) -> dict[str, Any]:
    """Fill in what the register knows; what only the provider can say is marked as not stated."""
    return {
        "template": "Public summary of training content, Article 53(1)(d) of Regulation (EU) 2024/1689",
        "status": "Voluntary, in the template's order, unless the provider holds the model to be general-purpose.",
        "last_update": facts.at.date().isoformat(),
        "1_general_information": {
            "1.1_provider": {
                "name": facts.provider,
                "contact": NOT_STATED,
                "authorised_representative": NOT_STATED,
            },
            "1.2_model": {
                "name": str(facts.version),
                "weights_sha256": facts.version.weights_sha256,
                "builds_on": "No other model." if facts.run else NOT_STATED,
                "placed_on_eu_market": NOT_STATED,
            },
            "1.3_training_data": _extent(facts),
        },
        "2_data_sources": {
            "2.1_public_datasets": _public(facts),
            "2.2_private_third_party": _licensed(facts),
            "2.3_crawled": NOT_STATED,
            "2.4_user_data": NOT_STATED
            if facts.run is None
            else "None: a training run reads a frozen dataset version and nothing else.",
            "2.5_synthetic": NOT_STATED,
            "2.6_other": NOT_STATED,
        },
        "3_data_processing": {
            "3.1_rights_reservations": _reservations(facts),
            "3.2_illegal_content": NOT_STATED,
            "3.3_other": _processing(facts),
        },
    }


def _extent(facts: ModelFacts) -> dict[str, Any]:
    if facts.trained_on is None:
        return {"audio": "Not known."}
    hours = facts.trained_on.seconds / 3600
    band = (
        "less than 10 000 hours"
        if hours < SMALL_HOURS
        else "10 000 to 1 million hours"
        if hours < LARGE_HOURS
        else "more than 1 million hours"
    )
    acquired = [one.entry.acquired_on for one in facts.recordings if one.entry and one.entry.acquired_on]
    languages = sorted(
        {one.leaf.recording.language for one in facts.recordings if one.leaf.recording.language}
    )
    origins = sorted({one.leaf.recording.country for one in facts.recordings if one.leaf.recording.country})
    return {
        "audio": {
            "size": band,
            "hours": round(hours, 4),
            "recordings": facts.trained_on.n_recordings,
            "content": "musical recordings",
        },
        "latest_acquisition": max(acquired).strftime("%m/%Y") if acquired else "Not known.",
        "continuous_training": "No: a version's weights do not change.",
        "languages": languages or "Not known.",
        "origins": origins or "Not known.",
    }


def _public(facts: ModelFacts) -> Any:
    urls = sorted({one.entry.source_url for one in facts.recordings if one.entry and one.entry.source_url})
    if facts.trained_on is None:
        return "Not known."
    return {
        "dataset": str(facts.trained_on),
        "licences": {licence: n for licence, (n, _) in facts.licences.items()},
        "sources": urls[:200],
        "n_sources": len(urls),
    }


def _licensed(facts: ModelFacts) -> Any:
    if facts.trained_on is None:
        return "Not known."
    bases = [(one.leaf.manifest.get("master") or {}).get("basis") for one in facts.recordings]
    return {
        "licensed_by_rightsholders": "grant" in bases,
        "recordings_under_grants": bases.count("grant"),
        "recordings_under_other_licences": len(bases) - bases.count("grant"),
        "modality": "audio",
    }


def _reservations(facts: ModelFacts) -> Any:
    if facts.trained_on is None:
        return "Not known."
    return {
        "measures": "Every recording was cleared for this purpose by a licence, a grant or the public domain before "
        "the version was frozen; the stricter of two sources that disagree holds.",
        "no_longer_cleared_today": facts.gate.n_not_cleared,
        "code_of_practice_signatory": NOT_STATED,
    }


def _processing(facts: ModelFacts) -> Any:
    if facts.run is None:
        return NOT_STATED
    return {
        "architecture": facts.version.model.architecture,
        "recordings_trained_on": len(facts.run.trained_on),
        "recordings_held_out": len(facts.run.held_out),
        "merkle_root": facts.trained_on.merkle_root if facts.trained_on else None,
    }

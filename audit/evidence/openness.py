"""MusGO: what the rows say about openness. What is public outside this installation, only people can attest."""

from audit.evidence.facts import Facts, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer


@collector("musgo", "2")
def training_data(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    return Answer(
        "partly",
        f"Licences, evidence and hashes of all {version.n_recordings} recordings are described and exported; that the "
        "data can be had is for a person to attest.",
        [row("dataset_version", version.public_id, "recordings described", version.n_recordings)],
    )


@collector("musgo", "3")
def weights(facts: Facts) -> Answer:
    return Answer(
        "not_met",
        "No public place of the weights is on record: attest one where there is.",
        [row("model_version", facts.version.public_id, "weights, sha256", facts.version.weights_sha256)],
    )


@collector("musgo", "5")
def training_procedure(facts: Facts) -> Answer:
    run = facts.run
    if run is None:
        return Answer("not_met", "The model was trained elsewhere; how is not on record.")
    known = {
        "configuration": bool(run.config),
        "seed": True,
        "steps": True,
        "hardware": bool(run.hardware),
        "duration": run.seconds is not None,
    }
    missing = [name for name, is_known in known.items() if not is_known]
    evidence = [
        row("training_run", run.public_id, "seed", run.seed),
        row("training_run", run.public_id, "steps", run.n_steps),
        row("training_run", run.public_id, "hardware", run.hardware or run.device),
        row("training_run", run.public_id, "duration, s", run.seconds),
    ]
    if missing:
        return Answer("partly", f"Not on record: {', '.join(missing)}.", evidence)
    return Answer(
        "met", "Configuration, seed, steps, hardware and duration are on record and exported.", evidence
    )


@collector("musgo", "6")
def evaluation_procedure(facts: Facts) -> Answer:
    if not facts.campaigns:
        return Answer("not_met", "There is no evaluation on record.")
    evidence = [
        row("campaign", campaign.public_id, f"{kind}, method", str(campaign.settings["method"]))
        for kind, campaign in sorted(facts.campaigns.items())
    ]
    return Answer(
        "met",
        f"{len(evidence)} campaigns name their method, settings and the rows they were computed from.",
        evidence,
    )


@collector("musgo", "9")
def model_card(facts: Facts) -> Answer:
    return Answer(
        "met",
        "A model card is written from the rows whenever it is asked for (export model-card).",
        [row("model_version", facts.version.public_id, "model card of", str(facts.version))],
    )


@collector("musgo", "10")
def datasheet(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    return Answer(
        "met",
        "A dataset card is written from the rows whenever it is asked for (export dataset-card).",
        [row("dataset_version", version.public_id, "dataset card of", str(version))],
    )

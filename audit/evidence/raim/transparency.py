"""RAIM 4: transparency."""

from audit import queries
from audit.evidence.facts import Facts, outputs_row, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from generation.architectures import registry


@collector("raim", "4-01")
def system_documentation(facts: Facts) -> Answer:
    run = facts.run
    if run is None:
        return Answer(
            "not_met", "The model was registered with its weights; how it was trained is not on record."
        )
    evidence = [
        row("training_run", run.public_id, "architecture", registry.title(facts.version.model.architecture)),
        row("training_run", run.public_id, "seed", run.seed),
        row("training_run", run.public_id, "steps", run.n_steps),
        row("dataset_version", run.dataset_version.public_id, "trained on", str(run.dataset_version)),
        row("model_version", facts.version.public_id, "weights, sha256", facts.version.weights_sha256),
    ]
    return Answer(
        "partly",
        "Architecture, configuration, seed, dataset version and training record are stored and exported; how the "
        "design came about is for its makers to document.",
        evidence,
    )


@collector("raim", "4-02")
def evaluation_documentation(facts: Facts) -> Answer:
    if not facts.campaigns:
        return Answer("not_met", "No campaign is on record, so no figure can be traced.")
    evidence = [
        row(
            "campaign",
            campaign.public_id,
            f"{kind}, method version",
            str(campaign.settings["method_version"]),
        )
        for kind, campaign in sorted(facts.campaigns.items())
    ]
    missing = sorted(
        {"memorisation", "fairness", "quality", "robustness", "membership"} - facts.campaigns.keys()
    )
    if missing:
        return Answer(
            "partly",
            f"Each campaign names its method, settings and rows; not measured: {', '.join(missing)}.",
            evidence,
        )
    return Answer("met", "Every campaign names its method and version, its settings and its rows.", evidence)


@collector("raim", "4-03")
def watermarking(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    return Answer(
        "not_met",
        f"No output carries a watermark or signed metadata. All {len(facts.outputs)} are registered by the hash of "
        "their file only, which any re-encoding changes.",
        [outputs_row(facts, "outputs registered by hash", len(facts.outputs))],
    )


@collector("raim", "4-05")
def data_explainability(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    if not facts.checks:
        return Answer("not_met", "No output was related to training music.")
    return Answer(
        "partly",
        f"{len(facts.checks)} of {len(facts.outputs)} outputs were held against the training music and list what is "
        "nearest in sound, with times; composition was not searched. Likeness is not proof of influence.",
        [row("check", facts.checks[-1].public_id, "outputs held against training music", len(facts.checks))],
    )


@collector("raim", "4-06")
def artificial_awareness(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    return Answer(
        "not_met",
        "No file that was released says that a machine made it; what the pages say is for a person to attest.",
        [outputs_row(facts, "outputs released without such a mark", len(facts.released))],
    )


@collector("raim", "4-08")
def limitations(facts: Facts) -> Answer | None:
    campaign = facts.campaigns.get(queries.MEMORISATION)
    if campaign is None:
        return None
    return Answer(
        "partly",
        "Report and model card state the limits with the measured figures; that people meet them before use is not "
        "on record.",
        [row("campaign", campaign.public_id, "outputs behind the figures", campaign.figures["outputs"]["n"])],
    )

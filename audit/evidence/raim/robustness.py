"""RAIM 2: robustness and safety."""

from audit import queries
from audit.evidence.facts import Facts, outputs_row, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from lib.figures import counted

MIN_OUTPUTS = 100
"""Outputs below which a low rate says little: with 100 and none flagged the true rate may still be 3.7 %."""
MIN_REMADE = 2
"""Outputs that must have been made again: one alone may have come out the same by being silent."""


@collector("raim", "2-01")
def leakage(facts: Facts) -> Answer:
    campaign = facts.campaigns.get(queries.MEMORISATION)
    if campaign is None:
        why = "was counted in a campaign" if facts.checks else "was checked"
        return Answer("not_met", f"No output {why}: that training music stays inside is not shown.")
    figures = campaign.figures
    outputs, flagged, confirmed = figures["outputs"], figures["flagged"], figures["confirmed"]
    control, index = figures["control"], figures["index"]
    evidence = [
        row("campaign", campaign.public_id, "outputs checked", outputs["n"]),
        row("campaign", campaign.public_id, "outputs flagged", flagged["hits"]),
        row("campaign", campaign.public_id, "flagged, confirmed by correlation", confirmed["hits"]),
        row("campaign", campaign.public_id, "flagged outputs released", outputs["released_flagged"]),
    ]
    if index is None or not outputs["covers_all"]:
        return Answer(
            "not_met",
            "The outputs could not be held against the whole training set, so leakage can't be ruled out.",
            evidence,
        )
    evidence.append(
        row(
            "index",
            index["id"],
            "training recordings covered",
            f"{index['recordings']} of {index['expected']}",
        )
    )
    said = (
        f"{flagged['hits']} of {outputs['n']} outputs hold stretches like training recordings (95 % interval "
        f"{flagged['low']:.0%} to {flagged['high']:.0%}); correlation confirmed {confirmed['hits']} of them."
    )
    if outputs["verdicts"]["unverifiable"]:
        return Answer(
            "not_met",
            f"{said} {outputs['verdicts']['unverifiable']} outputs could not be verified.",
            evidence,
        )
    if outputs["released_flagged"]:
        return Answer(
            "not_met", f"{said} {outputs['released_flagged']} flagged outputs were released.", evidence
        )
    gaps = ["every flagged output was held back"] if flagged["hits"] else []
    if not outputs["calibrated"]:
        gaps.append("the check is not calibrated")
    if outputs["n"] < MIN_OUTPUTS:
        gaps.append(f"fewer than {MIN_OUTPUTS} outputs were checked")
    if control is None:
        gaps.append("no control model was run")
    else:
        evidence.append(
            row(
                "model_version",
                control["model_version"],
                f"flagged outputs of the control model {control['model']}",
                f"{control['hits']} of {control['of']}",
            )
        )
        said += f" Of a model trained on other music, {control['hits']} of {control['of']} are flagged."
    if confirmed["hits"]:
        return Answer(
            "not_met",
            f"{said} The model gives training music back; none of the flagged outputs was released.",
            evidence,
        )
    if not gaps and control is not None and control["p_no_more_than_control"] >= 0.05:
        return Answer("met", said, evidence)
    return Answer(
        "partly", f"{said} Why not more: {'; '.join(gaps) or 'more than in the control'}.", evidence
    )


@collector("raim", "2-03")
def model_evaluation(facts: Facts) -> Answer:
    held_out = facts.losses.get("held_out_loss")
    baselines = {
        name.removesuffix("_baseline_loss"): loss
        for name, loss in facts.losses.items()
        if name.endswith("_baseline_loss") and loss is not None
    }
    if held_out is None:
        return Answer(
            "not_met", "No loss on held-out music is on record, nor any metric that others publish."
        )
    if facts.run is None:
        return Answer(
            "not_met",
            f"The checkpoint came with a held-out loss of {held_out:.3f} nats a step; it was not measured here, and "
            "neither was any metric that others publish.",
            [row("model_version", facts.version.public_id, "held-out loss, as its maker states", held_out)],
        )
    source = ("training_run", facts.run.public_id)
    evidence = [row(*source, "held-out loss, nats a step", held_out)]
    evidence += [row(*source, f"held-out loss of {name}", loss) for name, loss in sorted(baselines.items())]
    compared = ", ".join(f"{name} {loss:.3f}" for name, loss in sorted(baselines.items()))
    beside = f"beside {compared}" if compared else "with no baseline beside it"
    return Answer(
        "partly",
        f"Loss on held-out music is {held_out:.3f} nats a step, {beside}; no metric that others publish was computed.",
        evidence,
    )


@collector("raim", "2-04")
def music_evaluation(facts: Facts) -> Answer:
    campaign = facts.campaigns.get("quality")
    if campaign is None:
        return Answer(
            "not_met", "No musical measure of the outputs is on record: run audit_model --campaign quality."
        )
    sound = campaign.figures["sound"]
    return Answer(
        "partly",
        f"Loudness, silence and brightness of {sound['outputs']['n']} outputs stand beside the same measures of "
        f"{sound['training']['n']} training recordings; pitch, rhythm and structure are not measured.",
        [
            row("campaign", campaign.public_id, "outputs measured", sound["outputs"]["n"]),
            row("campaign", campaign.public_id, "training recordings measured", sound["training"]["n"]),
        ],
    )


@collector("raim", "2-06")
def model_availability(facts: Facts) -> Answer:
    return Answer(
        "not_met",
        "The checkpoint is kept here, and no public place of it is on record: attest one where there is.",
        [row("model_version", facts.version.public_id, "weights, sha256", facts.version.weights_sha256)],
    )


@collector("raim", "2-07")
def data_availability(facts: Facts) -> Answer:
    if facts.trained_on is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    n_sourced = sum(bool(one.entry and one.entry.source_url) for one in facts.recordings)
    evidence = [
        row("dataset_version", facts.trained_on.public_id, "recordings with a recorded source", n_sourced)
    ]
    if not n_sourced:
        return Answer("not_met", "No recording has a public source on record.", evidence)
    return Answer(
        "partly",
        f"{n_sourced} of {len(facts.recordings)} recordings have an address on record; whether they still answer was "
        "not tried.",
        evidence,
    )


@collector("raim", "2-08")
def prompt_to_gen(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    incomplete = [output for output in facts.outputs if not output.is_complete]
    evidence = [
        outputs_row(
            facts, "outputs with seed, settings and weights stored", len(facts.outputs) - len(incomplete)
        )
    ]
    if incomplete:
        return Answer(
            "not_met",
            f"{counted(len(incomplete), 'output lacks', 'outputs lack')} what is needed to be made again.",
            evidence,
        )
    tried = [
        (campaign, campaign.figures["made_again"])
        for campaign in facts.campaigns.values()
        if campaign.figures.get("made_again", {}).get("tried")
    ]
    if not tried:
        return Answer(
            "partly",
            "Weights, seed, length and prompt of every output are stored; making one again has not been tried.",
            evidence,
        )
    campaign, again = max(tried, key=lambda pair: (pair[0].finished_at or pair[0].started_at, pair[0].pk))
    evidence.append(
        row(
            "campaign",
            campaign.public_id,
            "outputs made again, same bytes",
            f"{again['same']} of {again['tried']}",
        )
    )
    if again["same"] < again["tried"]:
        return Answer(
            "not_met",
            f"{again['tried'] - again['same']} of {again['tried']} outputs made again differ.",
            evidence,
        )
    return Answer(
        "met" if again["tried"] >= MIN_REMADE else "partly",
        f"{again['tried']} of {len(facts.outputs)} outputs were made again, and gave the same bytes.",
        evidence,
    )

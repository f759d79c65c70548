"""RAIM 6: societal and environmental wellbeing."""

from audit import queries
from audit.evidence.facts import Facts, outputs_row, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from lib.figures import counted


@collector("raim", "6-01")
def training_footprint(facts: Facts) -> Answer:
    run = facts.run
    if run is None or run.seconds is None:
        return Answer(
            "not_met", "No training is on record here: the model came from elsewhere without figures."
        )
    evidence = [
        row("training_run", run.public_id, "hardware", run.hardware or run.device),
        row("training_run", run.public_id, "duration, s", run.seconds),
    ]
    if run.energy_wh is None:
        return Answer("partly", "Hardware and duration are on record; energy is not.", evidence)
    evidence.append(row("training_run", run.public_id, "energy, Wh (estimate)", run.energy_wh))
    return Answer(
        "partly",
        f"Hardware and duration are on record; {run.energy_wh:g} Wh is an estimate ({run.energy_method}).",
        evidence,
    )


@collector("raim", "6-02")
def generation_footprint(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    mean_s = sum(output.elapsed_s for output in facts.outputs) / len(facts.outputs)
    return Answer(
        "partly",
        f"The time each output took is on record, {mean_s:.1f} s on average; its energy is not metered.",
        [outputs_row(facts, "outputs with a recorded duration", len(facts.outputs))],
    )


@collector("raim", "6-05")
def ip_validation(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    unchecked = [output for output in facts.released if not output.has_check]
    evidence = [
        outputs_row(facts, "outputs checked", sum(output.has_check for output in facts.outputs)),
        outputs_row(facts, "outputs released", len(facts.released)),
    ]
    if unchecked:
        return Answer(
            "not_met",
            f"{counted(len(unchecked), 'output was', 'outputs were')} released without a check.",
            evidence,
        )
    return Answer(
        "partly",
        f"Every output is checked before release, for likeness in sound only. {queries.false_alarms_said(facts.checks)}",
        evidence,
    )

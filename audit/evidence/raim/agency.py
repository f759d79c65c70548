"""RAIM 1: human agency and oversight."""

from audit.evidence.facts import Facts, outputs_row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from audit.reports.wording import counted


@collector("raim", "1-01")
def personalisation(facts: Facts) -> Answer | None:
    if not facts.n_with_prompt_audio:
        return None
    return Answer(
        "partly",
        f"{counted(facts.n_with_prompt_audio, 'output was', 'outputs were')} made from music of the user's; that "
        "they follow it has not been tested.",
        [outputs_row(facts, "outputs made from a user's audio", facts.n_with_prompt_audio)],
    )


@collector("raim", "1-03")
def controllability(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    n_steered = facts.n_with_prompt + facts.n_with_prompt_audio
    said = (
        f"{counted(n_steered, 'output was', 'outputs were')} steered by a prompt; whether it is followed was not tested."
        if n_steered
        else "Seed and length of an output can be chosen; no output on record was steered by a musical control."
    )
    return Answer("partly", said, [outputs_row(facts, "outputs with a prompt", n_steered)])


@collector("raim", "1-04")
def red_button(facts: Facts) -> Answer | None:
    if not facts.n_stopped:
        return None
    return Answer(
        "partly",
        f"{counted(facts.n_stopped, 'running generation was', 'running generations were')} stopped by a person; "
        "that playback can be stopped is for a person to attest.",
        [outputs_row(facts, "generations stopped", facts.n_stopped)],
    )


@collector("raim", "1-06")
def deception_avoidance(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    unchecked = [output for output in facts.released if not output.has_check]
    evidence = [
        outputs_row(
            facts, "outputs with a stored verdict", sum(output.has_check for output in facts.outputs)
        ),
        outputs_row(facts, "outputs released", len(facts.released)),
    ]
    if unchecked:
        return Answer(
            "not_met",
            f"{counted(len(unchecked), 'output was', 'outputs were')} released unchecked.",
            evidence,
        )
    return Answer(
        "partly",
        "Every output has a stored verdict; released files carry no statement on the rights in them.",
        evidence,
    )

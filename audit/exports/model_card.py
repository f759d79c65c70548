"""A model as a card: Markdown with the metadata block that model hubs read."""

from typing import Any

import yaml

from audit.exports.facts import ModelFacts
from generation.architectures import registry
from lib.figures import counted

LIMIT_OF_LIKENESS = "Likeness is not infringement, and no match is not legal advice."


def model_card(facts: ModelFacts) -> str:
    """Write what the model is, what it was trained on, whether it copies, and how one knows."""
    version = facts.version
    parts = [
        f"---\n{yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True)}---",
        f"# {version}",
        version.model.summary or "No summary was given.",
        "## What it is",
        _bullets(
            {
                "Provider": facts.provider,
                "Architecture": registry.title(version.model.architecture),
                "Parameters": f"{version.n_parameters:,}",
                "Weights (sha256)": f"`{version.weights_sha256}`",
                "Release": _release(facts),
            }
        ),
        "## What it was trained on",
        _training(facts),
        "## Does it copy",
        _copying(facts),
        "## Rights in its outputs",
        _rights(facts),
        "## How well it learned",
        _learning(facts),
        "## What it cost",
        _cost(facts),
        "## Limits",
        _limits(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(facts: ModelFacts) -> dict[str, Any]:
    return {
        "model_name": str(facts.version),
        "tags": ["music", "music-generation", facts.version.model.architecture],
        "datasets": [str(facts.trained_on)] if facts.trained_on else [],
        "license": "other",
        "license_name": "not-stated",
    }


def _bullets(said: dict[str, str]) -> str:
    return "\n".join(f"- **{name}**: {value}" for name, value in said.items())


def _release(facts: ModelFacts) -> str:
    decided = (
        "nobody has decided yet" if facts.decision is None else facts.decision.get_decision_display().lower()
    )
    closed = f"; its gate is closed: {'; '.join(facts.gate.reasons)}" if facts.gate.reasons else ""
    return f"{decided}{closed}"


def _training(facts: ModelFacts) -> str:
    trained_on = facts.trained_on
    if trained_on is None:
        if facts.gate.origin:
            return f"Registered without its music; {facts.gate.origin}. Each release of an output needs a person."
        return "Nobody could say what it was trained on. Each release of an output needs a person."
    rows = [f"| {licence} | {n} | {seconds / 60:.1f} |" for licence, (n, seconds) in facts.licences.items()]
    return "\n".join(
        [
            f"{counted(trained_on.n_recordings, 'recording')}, {trained_on.seconds / 60:.1f} minutes: {trained_on}, "
            f"frozen {trained_on.frozen_at.date().isoformat()}, Merkle root `{trained_on.merkle_root}`, cleared for "
            f"{trained_on.purpose.replace('_', ' ')}{' (commercial)' if trained_on.commercial else ''}"
            f"{f', for {trained_on.model} alone,' if trained_on.model else ''} under the policy "
            f"{trained_on.policy_name}.",
            "",
            "| Licence | Recordings | Minutes |",
            "|---|---:|---:|",
            *rows,
        ]
    )


def _copying(facts: ModelFacts) -> str:
    if facts.memorisation is None:
        return (
            f"Not measured in a campaign. Verdicts of {sum(facts.verdicts.values())} checked outputs: "
            + ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in facts.verdicts.items())
        )
    figures = facts.memorisation.figures
    flagged, control = figures["flagged"], figures["control"]
    said = [
        f"{flagged['hits']} of {flagged['of']} outputs were flagged (95 % interval {flagged['low']:.1%} to "
        f"{flagged['high']:.1%}); correlation confirmed {figures['confirmed']['hits']}.",
        f"The same check on {control['model']}, trained on other music: {control['hits']} of {control['of']}."
        if control
        else "No model trained on other music was checked beside it.",
    ]
    if facts.robustness is not None:
        found = ", ".join(
            f"{one['alteration']} {one['found']} of {one['planted']}"
            for one in facts.robustness.figures["planted"]
        )
        said.append(f"Planted copies that the check found: {found}.")
    return " ".join([*said, LIMIT_OF_LIKENESS])


def _rights(facts: ModelFacts) -> str:
    if facts.trained_on is None:
        return "Unknown, as the training music is."
    if not facts.conditions:
        return "The training licences lay no condition on outputs under the policy they were cleared by."
    promised = "\n".join(f"- **{name}**: {promise}" for name, promise in facts.conditions.items())
    return f"The training licences' conditions were accepted in a recorded review:\n\n{promised}"


def _learning(facts: ModelFacts) -> str:
    if not facts.losses:
        return "No losses are on record."
    rows = [f"| {name.replace('_', ' ')} | {value:.4f} |" for name, value in sorted(facts.losses.items())]
    return "\n".join(["| Loss, nats a step | |", "|---|---:|", *rows])


def _cost(facts: ModelFacts) -> str:
    run = facts.run
    if run is None or run.seconds is None:
        return "It was trained elsewhere; nothing is on record."
    energy = (
        f"{run.energy_wh:g} Wh ({run.energy_method})" if run.energy_wh is not None else "energy not known"
    )
    return f"{run.seconds:.0f} s on {run.hardware or run.device}; {energy}."


def _limits(facts: ModelFacts) -> str:
    said = [
        "Only likeness in sound is searched; the same melody in another key or timbre may not be found.",
        facts.false_alarms,
        "Outputs carry no watermark.",
    ]
    return "\n".join(f"- {one}" for one in said)

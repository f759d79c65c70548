"""RAIM 3: privacy and data governance."""

from audit import queries
from audit.evidence.facts import Facts, outputs_row, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from audit.reports.wording import counted


@collector("raim", "3-01")
def prompt_leakage(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    return Answer(
        "partly",
        "Prompts are kept with their output, can be read by members of the organisation only, and enter no training "
        "set (a run reads a frozen version alone) and no report; erasing one is not settled.",
        [outputs_row(facts, "outputs with a stored prompt", facts.n_with_prompt + facts.n_with_prompt_audio)],
    )


@collector("raim", "3-02")
def metadata_integrity(facts: Facts) -> Answer:
    if facts.trained_on is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    unnamed = [one for one in facts.recordings if not _names_a_maker(one)]
    version = facts.trained_on.public_id
    evidence = [
        row("dataset_version", version, "recordings that name a maker", len(facts.recordings) - len(unnamed)),
        *[
            row("conflict", found.public_id, "open conflict", found.summary)
            for found in facts.open_conflicts[:20]
        ],
    ]
    if not unnamed and not facts.open_conflicts:
        return Answer(
            "met",
            f"All {len(facts.recordings)} recordings name their makers, and no conflict between sources is open.",
            evidence,
        )
    gaps = [f"{len(unnamed)} of {len(facts.recordings)} recordings name no maker"] if unnamed else []
    if facts.open_conflicts:
        gaps.append(f"{counted(len(facts.open_conflicts), 'conflict is', 'conflicts are')} open")
    return Answer("partly", f"{'; '.join(gaps)}. The report lists the conflicts.", evidence)


def _names_a_maker(one: queries.TrainingRecording) -> bool:
    if one.artist:
        return True
    return one.entry is not None and any(statement.holders for statement in one.entry.statements.all())


@collector("raim", "3-04")
def prompt_governance(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    return Answer(
        "partly",
        "Roles limit who reads prompts and outputs; no retention period is set, and reading is not recorded.",
        [
            row("organisation", facts.organisation.public_id, "outputs kept", len(facts.outputs)),
            outputs_row(
                facts, "outputs with a stored prompt", facts.n_with_prompt + facts.n_with_prompt_audio
            ),
        ],
    )


@collector("raim", "3-05")
def reuse_of_music(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    evidence = [row("dataset_version", version.public_id, "recordings", version.n_recordings)]
    if version.purpose != "ai_generative_training":
        return Answer("not_met", f"The version was frozen for {version.purpose}.", evidence)
    if facts.not_cleared:
        evidence.append(
            row("dataset_version", version.public_id, "no longer cleared", len(facts.not_cleared)),
        )
        names = ", ".join(one.external_id for one in facts.not_cleared[:3])
        return Answer(
            "not_met",
            f"{counted(len(facts.not_cleared), 'recording is', 'recordings are')} not cleared today: {names}.",
            evidence,
        )
    constrained = [one for one in facts.recordings if one.leaf.manifest.get("answer") == "constrained"]
    if constrained:
        evidence.append(
            row("dataset_version", version.public_id, "cleared under conditions", len(constrained)),
        )
        evidence.append(
            row("review", version.review_id, "conditions accepted", ", ".join(version.conditions_accepted))
        )
        return Answer(
            "partly",
            f"All {version.n_recordings} recordings are cleared, {len(constrained)} of them under conditions that a "
            "reviewer accepted in a recorded decision.",
            evidence,
        )
    return Answer("met", f"All {version.n_recordings} recordings are cleared without conditions.", evidence)


@collector("raim", "3-06")
def rights_in_outputs(facts: Facts) -> Answer | None:
    if not facts.outputs:
        return None
    conditions = facts.trained_on.conditions_accepted if facts.trained_on else []
    said = "No statement on the rights in an output goes with the released files."
    if conditions:
        said += f" The training licences' conditions ({', '.join(conditions)}) stand in this report only."
    return Answer("not_met", said, [outputs_row(facts, "outputs released", len(facts.released))])

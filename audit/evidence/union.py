"""The EU's public summary of training content: which of its fields the rows can fill."""

from audit.evidence.facts import Facts, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from lib.figures import counted


@collector("eu_art53", "1.2")
def model(facts: Facts) -> Answer:
    return Answer(
        "partly",
        "Name, version and weights are on record; since when it is on the market is for the provider to attest.",
        [row("model_version", facts.version.public_id, "model", str(facts.version))],
    )


@collector("eu_art53", "1.3")
def extent(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    n_dated = sum(bool(one.entry and one.entry.acquired_on) for one in facts.recordings)
    evidence = [
        row("dataset_version", version.public_id, "recordings", version.n_recordings),
        row("dataset_version", version.public_id, "seconds", round(version.seconds, 3)),
        row("dataset_version", version.public_id, "recordings with a date of acquisition", n_dated),
    ]
    if n_dated == len(facts.recordings):
        return Answer(
            "met", "Size and kind come from the frozen version; every acquisition date is known.", evidence
        )
    return Answer("partly", f"Size and kind are known, and {n_dated} acquisition dates.", evidence)


@collector("eu_art53", "2.1")
def public_datasets(facts: Facts) -> Answer | None:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    n_sourced = sum(bool(one.entry and one.entry.source_url) for one in facts.recordings)
    if not n_sourced:
        return None
    return Answer(
        "partly",
        f"{n_sourced} of {len(facts.recordings)} recordings name the address they came from.",
        [row("dataset_version", version.public_id, "recordings with a source", n_sourced)],
    )


@collector("eu_art53", "2.2")
def third_parties(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    bases = [(one.leaf.manifest.get("master") or {}).get("basis") for one in facts.recordings]
    n_grants, n_groundless = bases.count("grant"), bases.count(None)
    evidence = [
        row("dataset_version", version.public_id, "recordings under grants", n_grants),
        row("dataset_version", version.public_id, "recordings under other licences", len(bases) - n_grants),
    ]
    if n_groundless:
        return Answer(
            "partly",
            f"{counted(n_groundless, 'recording has', 'recordings have')} no known ground.",
            evidence,
        )
    return Answer(
        "met",
        f"{counted(n_grants, 'recording is', 'recordings are')} under grants, the others under public licences.",
        evidence,
    )


@collector("eu_art53", "3.1")
def reservations(facts: Facts) -> Answer | None:
    if facts.trained_on is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    return None


@collector("eu_art53", "3.3")
def processing(facts: Facts) -> Answer | None:
    run = facts.run
    if run is None:
        return Answer("not_met", "The model was trained elsewhere; nothing is told of the processing.")
    return Answer(
        "partly",
        f"{len(run.trained_on)} recordings were trained on and {len(run.held_out)} held out, with the run's "
        "configuration; the steps' versions are not exported one by one.",
        [row("training_run", run.public_id, "recordings trained on", len(run.trained_on))],
    )

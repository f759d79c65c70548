"""RAIM 5: diversity, fairness and non-discrimination."""

from audit.evidence.facts import Facts, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer

MOSTLY_UNKNOWN = 0.5
"""Share of the music, by duration, above which a statistic counts as unknown."""


@collector("raim", "5-01")
def corpus_statistics(facts: Facts) -> Answer:
    from audit.campaigns.fairness import corpus_shares

    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    shares = corpus_shares(facts.recordings)
    evidence = [
        row(
            "dataset_version",
            version.public_id,
            f"{name}, unknown share of the seconds",
            part["unknown_share"],
        )
        for name, part in shares.items()
    ]
    main = {name: shares[name]["unknown_share"] for name in ("genre", "period", "origin")}
    words = "By seconds of music, unknown are: " + ", ".join(
        f"{name} {part['unknown_share']:.0%}" for name, part in shares.items()
    )
    if all(part <= MOSTLY_UNKNOWN for part in main.values()):
        return Answer("met", f"{words}.", evidence)
    if any(part < 1.0 for part in main.values()):
        return Answer("partly", f"{words}.", evidence)
    return Answer("not_met", f"{words}: nothing describes this music.", evidence)

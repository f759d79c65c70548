"""RAIM 7: accountability."""

from audit.evidence.facts import Facts, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from audit.reports.wording import counted


@collector("raim", "7-01")
def audit_access(facts: Facts) -> Answer:
    used = [member for member in facts.auditors if member.user.last_login is not None]
    evidence = [
        row(
            "organisation", facts.organisation.public_id, "outside auditors with access", len(facts.auditors)
        ),
        row("organisation", facts.organisation.public_id, "of these signed in at least once", len(used)),
    ]
    said = (
        f"{counted(len(used), 'outside auditor has', 'outside auditors have')} signed in; the outcome of an audit is "
        "not on record."
        if used
        else "Read-only, time-limited access can be given at any time, and no outside auditor has used it yet."
    )
    return Answer("partly", said, evidence)


@collector("raim", "7-04")
def redress(facts: Facts) -> Answer:
    return Answer(
        "not_met",
        "Revoking a grant closes the models that rest on it, and a person can refuse an output; whoever is harmed "
        "from outside can't file a claim here.",
        [
            row("organisation", facts.organisation.public_id, "grants revoked", facts.n_grants_revoked),
            row("organisation", facts.organisation.public_id, "claims filed", 0),
        ],
    )

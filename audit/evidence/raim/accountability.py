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
    organisation = facts.organisation.public_id
    evidence = [
        row("organisation", organisation, "claims filed", facts.n_cases),
        row("organisation", organisation, "claims not answered yet", facts.n_cases_open),
        row("organisation", organisation, "of these past their day", facts.n_cases_late),
        row("organisation", organisation, "grants revoked", facts.n_grants_revoked),
    ]
    who = "anybody, without an account" if facts.strangers_may_file else "labels, and by members for others"
    said = (
        f"A claim can be filed by {who}; an opened revocation, opt-out or leak holds back the models that it is "
        "about, and a revoked grant closes those that rest on it;"
    )
    if not facts.n_cases:
        return Answer("partly", f"{said} none was filed yet.", evidence)
    filed = counted(facts.n_cases, "was filed", "were filed")
    if facts.n_cases_open:
        late = f", {facts.n_cases_late} of them past the day" if facts.n_cases_late else ""
        return Answer("partly", f"{said} {filed}, {facts.n_cases_open} not answered yet{late}.", evidence)
    return Answer("met", f"{said} {filed}, and each has its dated answer.", evidence)

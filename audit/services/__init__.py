"""What people and the API ask of the audit: campaigns, attestations, assessments, reports."""

from audit.services.assessing import assess, attest
from audit.services.campaigning import run_campaign, run_memorisation_campaign
from audit.services.exporting import KINDS as EXPORTS
from audit.services.exporting import export
from audit.services.reporting import issue_report, verify_report

__all__ = [
    "EXPORTS",
    "assess",
    "attest",
    "export",
    "issue_report",
    "run_campaign",
    "run_memorisation_campaign",
    "verify_report",
]

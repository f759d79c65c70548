"""What the audit's commands share."""

from audit.frameworks.loader import FrameworkError
from audit.reports.bundle import ReportFolderError
from audit.reports.snapshot import SnapshotError
from generation import queries as generation
from generation.architectures.base import ArchitectureError
from generation.models import ModelVersion
from governance import access
from governance.commands import ContractCommand
from governance.signing import KeyFileError
from provenance.audio import AudioError


class AuditCommand(ContractCommand):
    acts_for_a_person = True
    engine_errors = (
        FrameworkError,
        ReportFolderError,
        SnapshotError,
        KeyFileError,
        ArchitectureError,
        AudioError,
    )

    def model_named(self, reference: str) -> ModelVersion:
        return generation.model_version_named(reference, access.organisations_of(self.user))

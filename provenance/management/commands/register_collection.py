from provenance.management.commands.register_dataset import Command as RegisterDataset
from provenance.models import DatasetKind


class Command(RegisterDataset):
    help = "Register a protected collection: checked against, never trained on."
    kind = DatasetKind.PROTECTED

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

from governance import access as house
from governance.commands import DONE
from lib.figures import counted
from provenance import access, queries
from provenance.commands import DatasetCommand, instant
from provenance.errors import ProvenanceError, UnknownDatasetError
from provenance.models import EvidenceKind
from provenance.rights import terms
from provenance.services.evidence import KEEPS_EVIDENCE, Subjects, keep_evidence, link_evidence


class Command(DatasetCommand):
    help = "Keep a licence text or a page as it was, under its hash, for what rests on it."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--kind", required=True, choices=EvidenceKind.values)
        parser.add_argument("--url", default="", help="the address it was read from")
        parser.add_argument("--fetched-at", default="", metavar="ISO", help="when it was read there")
        parser.add_argument(
            "--for",
            dest="subjects",
            action="append",
            required=True,
            metavar="LICENCE|RECORDING|DATASET",
            help="a licence of the catalogue, a recording's id, or a dataset's name; may be repeated",
        )
        parser.add_argument("--confidential", action="store_true")

    def perform(self, **options: Any) -> int:
        path, now = Path(options["file"]), timezone.now()
        subjects = self._subjects(options["subjects"])
        about = [one.organisation for one in subjects.recordings]
        about += [one.organisation for one in subjects.datasets]
        organisation = about[0] if about else self.organisation
        house.require(self.user, organisation, KEEPS_EVIDENCE, "attach evidence")
        fetched_at = instant(options["fetched_at"]) if options["fetched_at"] else None
        if fetched_at is not None and fetched_at > now:
            raise ProvenanceError("A page can't have been read in the future.")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProvenanceError(f"{path} can't be read: {error.strerror}.") from error
        document = keep_evidence(
            organisation=organisation,
            kind=options["kind"],
            name=path.name,
            content=content,
            by=self.user,
            now=now,
            url=options["url"],
            fetched_at=fetched_at,
            confidential=options["confidential"],
        )
        linked = link_evidence(document=document, subjects=subjects, by=self.user, now=now)
        line = {
            "evidence": str(document.public_id),
            "sha256": document.sha256,
            "kind": document.kind,
            "url": document.url,
            "fetched_at": document.fetched_at.isoformat() if document.fetched_at else None,
            "subjects": linked.n_subjects,
            "statements": linked.n_statements,
        }
        self.show(
            line,
            words=f"kept: {document.name} ({document.sha256[:12]}), {counted(linked.n_statements, 'statement')}",
        )
        return DONE

    def _subjects(self, names: list[str]) -> Subjects:
        licences, recordings, datasets = [], [], []
        for name in names:
            if name in terms.catalogue():
                licences.append(name)
            elif _is_uuid(name):
                recordings.append(access.recording_for_reading(self.user, name))
            else:
                datasets.append(self._dataset(name))
        return Subjects(licences, recordings, datasets)

    def _dataset(self, name: str) -> Any:
        try:
            return queries.dataset_named(name, house.organisations_of(self.user))[0]
        except UnknownDatasetError as error:
            raise UnknownDatasetError(f"{name!r} is no licence of the catalogue, and {error}") from error


def _is_uuid(written: str) -> bool:
    try:
        UUID(written)
    except ValueError:
        return False
    return True

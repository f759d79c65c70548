"""Evidence: kept once by its hash, opened on the record by those who may."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from governance import ledger
from governance.errors import NotAllowedError, NotFoundError
from governance.models import LedgerEvent
from provenance.errors import AudioMissingError, EvidenceAlteredError, ProvenanceError
from provenance.models import EvidenceDocument
from provenance.services import evidence
from provenance.services.evidence import keep_evidence, open_evidence
from tests.people import People

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def kept(people: People, content: bytes = b"We agree.", **options: Any) -> EvidenceDocument:
    given: dict[str, Any] = {"kind": "agreement", "name": "deal.pdf", "by": people.steward, "now": NOW}
    return keep_evidence(organisation=people.house, content=content, **{**given, **options})


class TestKeepEvidence:
    def test_keeps_the_bytes_by_their_hash(self, people: People) -> None:
        document = kept(people)

        assert document.sha256 in document.file
        assert default_storage.open(document.file).read() == b"We agree."
        assert (document.size_bytes, document.received_from) == (9, people.steward)
        assert LedgerEvent.objects.get().kind == "provenance.evidence.kept"
        assert ledger.verify().ok

    def test_keeps_one_document_once(self, people: People) -> None:
        assert kept(people) == kept(people, name="copy.pdf")
        assert LedgerEvent.objects.count() == 1

    def test_becomes_confidential_and_stays_so(self, people: People) -> None:
        assert not kept(people).confidential
        assert kept(people, confidential=True).confidential
        assert kept(people, confidential=False).confidential
        assert [event.kind for event in LedgerEvent.objects.order_by("sequence")] == [
            "provenance.evidence.kept",
            "provenance.evidence.made_confidential",
        ]

    def test_refuses_what_is_empty_or_too_large(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(evidence, "MAX_BYTES", 4)
        for content in (b"", b"12345"):
            with pytest.raises(ProvenanceError):
                kept(people, content)
        assert not EvidenceDocument.objects.exists()

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "a.b/c", "x" * 900, "no suffix"])
    def test_keeps_under_the_hash_whatever_the_name(self, people: People, name: str) -> None:
        document = kept(people, name=name)

        assert document.file.startswith("evidence/")
        assert ".." not in document.file
        assert open_evidence(document=document, by=people.steward, now=NOW) == b"We agree."


class TestOpenEvidence:
    def test_records_who_read_it(self, people: People) -> None:
        document = kept(people)

        assert open_evidence(document=document, by=people.engineer, now=NOW) == b"We agree."

        event = LedgerEvent.objects.latest("sequence")
        assert (event.kind, event.actor_id) == ("provenance.evidence.opened", people.engineer.public_id)

    def test_shows_a_confidential_document_to_those_who_read_agreements(self, people: People) -> None:
        document = kept(people, confidential=True)
        readers = [user for user in people if _may_open(document, user)]

        assert readers == [people.officer, people.steward, people.outsider]

    def test_is_unknown_to_a_stranger(self, people: People) -> None:
        with pytest.raises(NotFoundError):
            open_evidence(document=kept(people), by=people.stranger, now=NOW)

    def test_notices_what_was_altered_or_lost(self, people: People) -> None:
        document = kept(people)
        Path(default_storage.path(document.file)).write_bytes(b"We do not agree.")
        with pytest.raises(EvidenceAlteredError):
            open_evidence(document=document, by=people.steward, now=NOW)

        default_storage.delete(document.file)
        with pytest.raises(AudioMissingError):
            open_evidence(document=document, by=people.steward, now=NOW)


def _may_open(document: EvidenceDocument, user: Any) -> bool:
    try:
        open_evidence(document=document, by=user, now=NOW)
    except NotAllowedError:
        return False
    return True

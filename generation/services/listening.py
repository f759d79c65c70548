"""Comparing the sound that came with a case with what is here."""

from datetime import datetime
from typing import Any

from generation.models import Case
from governance import services as governance
from governance.models import Job, User
from provenance import audio, storage
from provenance import services as provenance
from provenance.models import Dataset, Recording
from provenance.services import indexing as provenance_indexing
from provenance.similarity import chromaprint

LISTEN = "generation.listen_to_case"
SOUND_ROOM = "cases"


def queue_listening(case: Case, *, now: datetime) -> Job | None:
    """Have a worker compare a case's sound with what is here; None where there is none."""
    if not case.sound and not case.fingerprint:
        return None
    return governance.queue_job(
        kind=LISTEN,
        organisation=case.organisation,
        asked_by=governance.system_user(),
        now=now,
        subject_kind="case",
        subject_id=case.public_id,
        subject_name=case.reference,
        arguments={"case": str(case.public_id)},
    )


def listen_to_case(*, case: Case, by: User, now: datetime) -> list[dict[str, Any]]:
    """Compare what a holder sent with every dataset of the house, and keep what it resembles as suggestions.

    A sound that can't be decoded is kept, with why: a person can still listen to it.
    """
    from provenance.similarity import recording as likeness

    items, seconds, heard = None, None, []
    problem = ""
    if case.fingerprint:
        items = chromaprint.unpack(bytes(case.fingerprint))
    elif case.sound:
        try:
            with storage.local_file(case.sound) as path:
                survey = audio.survey(path)
            items, seconds = survey.items, survey.seconds
            heard += _same_samples(case, survey.samples_sha256)
        except audio.DecoderMissingError:
            raise
        except audio.AudioError as error:
            problem = f"The sound can't be read: {error}"[:500]
    found: dict[str, dict[str, Any]] = {str(one["recording"]): one for one in heard}
    for dataset in Dataset.objects.filter(organisation=case.organisation).order_by("id"):
        if items is None or not provenance_indexing.has_fingerprints(dataset):
            continue
        _, index = provenance.current_index(dataset=dataset, version=None, by=by, now=now)
        for match in likeness.check(items, index, query_seconds=seconds).matches:
            if match.accepted and match.key not in found:
                stretch = f"{match.query_end_s - match.query_start_s:.0f} s of the sound that was sent"
                found[match.key] = {
                    "recording": match.key,
                    "score": round(match.score, 4),
                    "because": stretch,
                }
    suggested = list(found.values())
    case.heard, case.heard_problem = suggested, problem
    case.save(update_fields=["heard", "heard_problem"])
    return suggested


def _same_samples(case: Case, samples_sha256: str) -> list[dict[str, Any]]:
    same = Recording.objects.filter(organisation=case.organisation, samples_sha256=samples_sha256)
    return [
        {"recording": str(public_id), "score": 1.0, "because": "the very same samples"}
        for public_id in same.values_list("public_id", flat=True)
        if samples_sha256
    ]

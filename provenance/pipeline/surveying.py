"""Surveying audio, a few rows ahead of the writing, and refusing what the database can't hold."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

from governance.models import Organisation
from provenance import audio
from provenance.intake.record import IntakeRecord
from provenance.models import Recording
from provenance.pipeline.contradictions import contradict, extent, statement_subject
from provenance.similarity import fingerprint, kinds
from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.kinds import Beside, Kind

N_DECODERS = 2  # each is a child process beside this one
MAX_NAME_CHARS = 1000


@dataclass(frozen=True)
class Surveyed:
    """A source's row and what its audio turned out to be. ``sha256`` without ``survey``: it is known already.

    ``survey`` has no levels: the prints were made of them, and thousands of rows wait here.
    """

    record: IntakeRecord
    sha256: str | None = None
    survey: audio.Survey | None = None
    prints: tuple[tuple[Kind | Beside, bytes], ...] = ()
    problem: str = ""


def file_sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def survey_records(
    records: Iterable[IntakeRecord], *, organisation: Organisation, seconds_before: float = 0.0
) -> Iterator[Surveyed]:
    """Yield each row with its audio surveyed, in the source's order, a few rows ahead of the reader.

    Second prints are made as long as the dataset, which lasts ``seconds_before`` already, is small enough for an index
    that holds them.
    """
    seconds = seconds_before
    with ThreadPoolExecutor(N_DECODERS) as decoders:
        ahead: deque[Future[Surveyed] | Surveyed] = deque()
        for record in records:
            if record.audio is None:  # a thread would take longer than there is to do
                ahead.append(_survey(record, "", ()))
            else:
                prints = kinds.prints_for(seconds)
                ahead.append(
                    decoders.submit(_survey, record, _is_known(record, organisation, prints), prints)
                )
            while ahead and (isinstance(ahead[0], Surveyed) or len(ahead) > 4 * N_DECODERS):
                done = _awaited(ahead.popleft())
                seconds += done.survey.seconds if done.survey else 0.0
                yield done
        while ahead:
            yield _awaited(ahead.popleft())


def _awaited(one: Future[Surveyed] | Surveyed) -> Surveyed:
    return one if isinstance(one, Surveyed) else one.result()


def _is_known(record: IntakeRecord, organisation: Organisation, prints: Sequence[Kind | Beside]) -> str:
    """Return the file's hash when the same bytes are registered already with every print, else nothing."""
    if record.audio is None or record.problems or not record.audio.is_file():
        return ""
    sha256 = file_sha256(record.audio)
    known = Recording.objects.filter(organisation=organisation, sha256=sha256)
    for kept in prints:
        if not kept.lacking():
            known = known.filter(
                fingerprints__method=kept.method,
                fingerprints__method_version=kept.method_version,
                fingerprints__model_sha256=kept.model_sha256,
            )
    return sha256 if known.exists() else ""


def _survey(record: IntakeRecord, known_sha256: str, wanted: Sequence[Kind | Beside]) -> Surveyed:
    if not record.problems and (problem := _unkeepable(record)):
        return Surveyed(record, problem=problem)
    if not record.problems and record.fingerprint is not None:
        try:
            fingerprint.AudioFingerprint.unpack(record.fingerprint)
        except FingerprintError as error:
            return Surveyed(record, problem=f"{error.reason} (fingerprint_audio writes such files)")
    if record.problems or record.audio is None:
        return Surveyed(record)
    if known_sha256:
        return Surveyed(record, sha256=known_sha256)
    try:
        survey = audio.survey(record.audio)
    except audio.DecoderMissingError:
        raise
    except audio.AudioError as error:
        return Surveyed(record, problem=error.reason)
    except OSError as error:
        return Surveyed(record, problem=f"{record.audio.name} can't be read: {error.strerror or error}")
    prints = tuple((kept, made) for kept in wanted if (made := kept.print_of(survey)) is not None)
    return Surveyed(record, sha256=survey.file_sha256, survey=survey.without_levels(), prints=prints)


def _unkeepable(record: IntakeRecord) -> str:
    """Say what of a row the database can't hold: then the row is rejected, and not its whole chunk."""
    if len(record.external_id) > MAX_NAME_CHARS:
        return f"external_id has {len(record.external_id)} characters: {MAX_NAME_CHARS} are kept at most"
    for one, other in combinations(record.statements, 2):
        if statement_subject(0, one) == statement_subject(0, other) and contradict(one, other):
            said = one.expression or "no licence"
            return f"the row says {said} ({one.right}) {extent(one)} and {extent(other)}: say it once"
    for name, words in _words_of(record):
        if "\0" in words:
            return f"{name} holds a NUL character: save the source again without it"
        try:
            words.encode()
        except UnicodeEncodeError:
            return f"{name} is not UTF-8: rename the file or save the source again as UTF-8"
    return ""


def _words_of(record: IntakeRecord) -> Iterator[tuple[str, str]]:
    for entry in fields(record):
        value = getattr(record, entry.name)
        if isinstance(value, str):
            yield entry.name, value
    for composer in record.composers:
        yield "composers", composer
    for one in record.claims or ():
        yield "claims", one.claim.party + one.claim.role + one.evidence
    for identifier in record.identifiers:
        yield identifier.scheme, identifier.written
    for name, ids in record.party_ids.items():
        yield "party", "".join((name, *ids.values()))
    for column, cell in record.unknown.items():
        yield column, column + cell
    for statement in record.statements:
        said = (
            statement.expression,
            statement.raw,
            statement.evidence,
            statement.quote,
            statement.licence_url,
        )
        yield "licence", "".join((*said, *statement.holders))

"""Comparing what came with a case, its sound and the titles that it names, with what is here."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from generation.models import Case
from governance import services as governance
from governance.models import Job, User
from provenance import audio, storage
from provenance import services as provenance
from provenance.matching import engine
from provenance.matching.engine import Described
from provenance.models import Dataset, Recording
from provenance.rights import names
from provenance.services import indexing as provenance_indexing
from provenance.services.matching import held_in
from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.fingerprint import AudioFingerprint

LISTEN = "generation.listen_to_case"
SOUND_ROOM = "cases"
DASHES = (" - ", " – ", " — ")  # between an artist and a title, in whichever order
TITLE_ALONE = 0.5  # how likely a recording is meant of which nothing but the title agrees
KEPT = 200  # suggestions of one case: who is shown more reads none


def queue_listening(case: Case, *, now: datetime) -> Job | None:
    """Have a worker compare a case's sound and titles with what is here; None where there are none."""
    if not (case.sound or case.fingerprint or case.titles):
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
    """Compare what a holder sent and named with every dataset of the house; what it may be is kept as suggestions.

    A sound that can't be decoded is kept, with why: a person can still listen to it.
    """
    from provenance.similarity import cascade

    sound, seconds, levels, heard = None, None, None, []
    problem = ""
    if case.fingerprint:
        try:
            sound = AudioFingerprint.unpack(bytes(case.fingerprint))
        except FingerprintError as error:
            problem = f"The fingerprint can't be read: {error.reason}"[:500]
    elif case.sound:
        try:
            with storage.local_file(case.sound) as path:
                survey = audio.survey(path)
            sound, seconds, levels = survey.fingerprint, survey.seconds, survey.levels
            heard += _same_samples(case, survey.samples_sha256)
        except audio.DecoderMissingError:
            raise
        except audio.AudioError as error:
            problem = f"The sound can't be read: {error}"[:500]
    found: dict[str, dict[str, Any]] = {str(one["recording"]): one for one in heard}
    for dataset in Dataset.objects.filter(organisation=case.organisation).order_by("id"):
        if sound is None or not provenance_indexing.has_fingerprints(dataset):
            continue
        _, index = provenance.current_index(dataset=dataset, version=None, by=by, now=now)
        for match in cascade.check(sound, index, levels=levels, query_seconds=seconds).matches:
            if match.accepted and match.key not in found:
                stretch = f"{match.query_end_s - match.query_start_s:.0f} s of the sound that was sent"
                found[match.key] = {
                    "recording": match.key,
                    "score": round(match.score, 4),
                    "because": stretch,
                }
    for named in _by_name(case):
        known = found.setdefault(named["recording"], named)
        if known is not named:
            known["because"] = f"{known['because']}; {named['because']}"
    suggested = sorted(found.values(), key=lambda one: (-one["score"], one["recording"]))[:KEPT]
    case.heard, case.heard_problem = suggested, problem
    case.save(update_fields=["heard", "heard_problem"])
    return suggested


def _by_name(case: Case) -> Iterator[dict[str, Any]]:
    """Yield what goes by a title that a case names: alike as catalogues are matched, surest first.

    A title with its artist may be misspelt a little; a title alone must be the same but for case, accents,
    punctuation and edition. Another version ("live") is another recording in both.
    """
    wanted = {f"{n}:{part}": said for n, title in enumerate(case.titles) for part, said in _readings(title)}
    if not wanted:
        return
    held: dict[str, Described] = {}
    for dataset in Dataset.objects.filter(organisation=case.organisation).order_by("id"):
        held.update({one.key: one for one in held_in(dataset)})
    rows = [
        Described(key=key, title=title, artist=artist or case.holder)
        for key, (title, artist) in wanted.items()
    ]
    found: dict[str, tuple[float, str]] = {}
    for key, matches in engine.match(rows, list(held.values())).items():
        named = case.titles[int(key.partition(":")[0])]
        for one in matches:
            if one.score > found.get(one.key, (0.0, ""))[0]:
                found[one.key] = (one.score, f"“{named}”: title and artist agree ({one.score:.2f})")
    alone = {names.title(title): title for title in case.titles}
    for key, described in held.items():
        said = alone.get(names.title(described.title)) if described.title else None
        if said is not None and key not in found:
            found[key] = (TITLE_ALONE, f"“{said}”: the title alone agrees")
    for key, (score, because) in sorted(found.items(), key=lambda pair: (-pair[1][0], pair[0])):
        yield {"recording": key, "score": round(score, 4), "because": because[:300]}


def _readings(written: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield (title, artist) as a line may be meant; an artist that is not named is empty."""
    yield "title", (written, "")
    dash = next((dash for dash in DASHES if dash in written), None)
    if dash is not None:
        left, _, right = (part.strip() for part in written.partition(dash))
        if left and right:
            yield "artist first", (right, left)
            yield "title first", (left, right)


def _same_samples(case: Case, samples_sha256: str) -> list[dict[str, Any]]:
    same = Recording.objects.filter(organisation=case.organisation, samples_sha256=samples_sha256)
    return [
        {"recording": str(public_id), "score": 1.0, "because": "the very same samples"}
        for public_id in same.values_list("public_id", flat=True)
        if samples_sha256
    ]

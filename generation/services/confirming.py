"""Holding what was found against the sound itself, so that a finding carries its own proof."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from generation.pipeline import Answer, Candidate
from provenance.audio import AudioError
from provenance.errors import AudioMissingError
from provenance.models import Recording
from provenance.storage import local_file

MOST_CONFIRMED = 3  # of one answer: who has looked at three needs no fourth
WITHOUT_AUDIO = "the recording is known by its fingerprint alone: there is no sound of it to compare with"


def confirmed(answer: Answer, path: Path, recordings: dict[str, Recording]) -> Answer:
    """Correlate the best accepted stretches with what they are said to be, and keep the figures with each.

    What has no audio here says so instead. Only the likeness of recordings can be settled by sound.
    """
    best = [one for one in answer.candidates if one.accepted and one.kind == "recording"]
    told = {id(one): _figures(one, path, recordings) for one in best[:MOST_CONFIRMED]}
    findings = [
        replace(
            finding,
            candidates=tuple(
                replace(one, details={**one.details, **told[id(one)]}) if id(one) in told else one
                for one in finding.candidates
            ),
        )
        for finding in answer.findings
    ]
    return replace(answer, findings=tuple(findings)) if told else answer


def _figures(candidate: Candidate, path: Path, recordings: dict[str, Recording]) -> dict[str, Any]:
    from provenance.similarity import confirm

    recording = recordings.get(candidate.recording_id)
    if recording is None or not recording.audio:
        return {"not_confirmed": WITHOUT_AUDIO}
    try:
        with local_file(recording.audio) as reference:
            return confirm.confirm(
                path,
                reference,
                query_start_s=candidate.query_start_s,
                query_end_s=candidate.query_end_s,
                reference_start_s=candidate.reference_start_s,
                tempo_ratio=candidate.tempo_ratio,
                pitch_shift_semitones=candidate.pitch_shift_semitones,
                occurrences=candidate.occurrences,
            ).as_json()
    except (AudioError, AudioMissingError) as error:
        return {"not_confirmed": str(error)}

"""What an index of compositions says of a sound: whose tune or harmony it carries. A person decides, always.

Where the notes are known, of the output and of recordings, they are compared too: the surer answer of the two stands.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from generation.pipeline import HOLDERS, STRICTEST_FIRST, Candidate, Said
from provenance import audio
from provenance.similarity import composition, notes
from provenance.similarity.calibration import Judging
from provenance.similarity.composition import CompositionMatch
from provenance.similarity.composition_index import CompositionIndex
from provenance.similarity.harmony import MOST_NOTES, tune_of
from provenance.similarity.kinds import COMPOSITION


def carried(survey: audio.Survey, index: CompositionIndex, judging: Judging | None) -> Said:
    """Say which recordings hold the same composition: at most for ``review``."""
    found = composition.check(tune_of(survey.levels), index, judging=judging)
    heard: Said = found.verdict, found.reasons, tuple(map(_of_sound, found.matches))
    if not survey.notes or not index.notes.keys:
        return heard
    return _together(heard, notes.check(survey.notes[:MOST_NOTES], index.notes))


def _together(heard: Said, read: notes.CompositionCheck) -> Said:
    """Add what notes say; that there are too few of them says nothing, for all that sounds was heard."""
    verdict, reasons, candidates = heard
    if read.verdict == "unverifiable":
        return heard
    verdict = min(verdict, read.verdict, key=STRICTEST_FIRST.index)
    return verdict, (*reasons, *read.reasons), (*candidates, *map(_of_notes, read.matches))


def _of_notes(match: notes.CompositionMatch) -> Candidate:
    said = {"column": "notes", "notes": match.n_notes, "rarity_bits": round(match.rarity_bits, 2)}
    return _candidate(match, said)


def _of_sound(match: CompositionMatch) -> Candidate:
    said = {
        "column": match.part,
        "agreement": round(match.agreement, 3),
        "margin": round(match.statistic, 3),
        "alike": match.n_alike,
        "common": match.common,
    }
    return replace(_candidate(match, said), p_value=match.p_value, p_kind=match.p_kind)


def _candidate(match: CompositionMatch | notes.CompositionMatch, said: Mapping[str, Any]) -> Candidate:
    return Candidate(
        recording_id=match.key,
        kind=COMPOSITION.name,
        accepted=match.accepted,
        score=match.score,
        query_start_s=match.query_start_s,
        query_end_s=match.query_end_s,
        reference_start_s=match.reference_start_s,
        reference_end_s=match.reference_end_s,
        occurrences=match.occurrences,
        tempo_ratio=round(match.tempo_ratio, 3),
        pitch_shift_semitones=match.pitch_shift_semitones,
        details={"verdict": match.verdict, **said},
    )


HOLDERS[COMPOSITION.name] = carried

"""What an index of styles says of a sound: whom it resembles. That is no finding, and so it never says more."""

from generation.pipeline import HOLDERS, Candidate, Said
from provenance import audio
from provenance.similarity.calibration import Judging
from provenance.similarity.kinds import STYLE
from provenance.similarity.style import Influence, NearInStyle, StyleError, StyleIndex, StylePrint, influence

MOST_NAMED = 10
NO_FINDING = "likeness of style is shown and decides nothing"


def resembled(survey: audio.Survey, index: StyleIndex, _judging: Judging | None = None) -> Said:
    """Say which recordings are nearest in style; ``no_match``, whoever they are."""
    try:
        stored = STYLE.print_of(survey)
        if stored is None:
            return "unverifiable", ("there is nothing in it whose style can be heard",), ()
        found = influence(StylePrint.unpack(stored), index)
    except StyleError as error:
        return "unverifiable", (error.reason,), ()
    of = {"dataset": index.facts.dataset, "model": index.model_sha256}
    named = tuple(_candidate(near, found, survey.seconds, of) for near in found.nearest[:MOST_NAMED])
    return "no_match", (NO_FINDING,), named


def _candidate(near: NearInStyle, found: Influence, seconds: float, of: dict[str, str]) -> Candidate:
    return Candidate(
        recording_id=near.key,
        kind=STYLE.name,
        accepted=False,
        score=near.share,
        query_start_s=0.0,
        query_end_s=seconds,
        reference_start_s=0.0,
        reference_end_s=0.0,
        occurrences=(),
        tempo_ratio=1.0,
        pitch_shift_semitones=0.0,
        details={
            "share_low": round(near.low, 4),
            "share_high": round(near.high, 4),
            "cosine": round(near.cosine, 4),
            "nearness": round(found.nearness, 4),
            "excerpts": found.n_excerpts,
            **of,
        },
    )


HOLDERS[STYLE.name] = resembled

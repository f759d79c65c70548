"""Models that make music and what they made (``making``), and what rights holders ask about them (``cases``)."""

from generation.models.cases import (
    Case,
    CaseAnswer,
    CaseChannel,
    CaseDecision,
    CaseKind,
    CaseRecording,
    CaseState,
    CaseTerms,
    Remedy,
)
from generation.models.judgements import ACCEPTING, DISMISSING, MatchAnswer, MatchJudgement
from generation.models.making import (
    Check,
    Generation,
    GenerationState,
    GenerativeModel,
    Match,
    ModelVersion,
    Publication,
    TrainingRun,
    TrainingRunState,
    Verdict,
)

__all__ = [
    "ACCEPTING",
    "DISMISSING",
    "Case",
    "CaseAnswer",
    "CaseChannel",
    "CaseDecision",
    "CaseKind",
    "CaseRecording",
    "CaseState",
    "CaseTerms",
    "Check",
    "Generation",
    "GenerationState",
    "GenerativeModel",
    "Match",
    "MatchAnswer",
    "MatchJudgement",
    "ModelVersion",
    "Publication",
    "Remedy",
    "TrainingRun",
    "TrainingRunState",
    "Verdict",
]

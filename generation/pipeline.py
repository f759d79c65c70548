"""Holding one audio file against indexes: from a path to an answer, with nothing stored."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from governance.models import Organisation
from provenance import audio
from provenance.models import Dataset, DatasetVersion, IndexBuild, Recording
from provenance.similarity import cascade, thresholds
from provenance.similarity import kinds as likeness_kinds
from provenance.similarity import recording as likeness
from provenance.similarity.calibration import Calibration, Judging
from provenance.similarity.index import RecordingIndex
from provenance.similarity.kinds import KindIndex
from provenance.similarity.matches import ITEMS
from provenance.similarity.segmented import SegmentedIndex

KINDS = ("recording", "composition", "style")
STRICTEST_FIRST = ("blocked", "unverifiable", "review", "no_match")


@dataclass(frozen=True)
class Target:
    """An index to check against. ``index`` is None where none can be used; ``problem`` then says why."""

    dataset: Dataset
    version: DatasetVersion | None
    build: IndexBuild | None
    index: RecordingIndex | SegmentedIndex | None
    problem: str = ""
    calibrated: "Calibrated | None" = None
    """What strangers reach in this index; without it the fixed thresholds hold."""
    others: Mapping[str, "Held"] = field(default_factory=dict)
    """Indexes of the other kinds of likeness that are asked for, by the kind's name."""
    blocked: Mapping[str, str] = field(default_factory=dict)
    """Blocked references of the model that is asked for: recording -> case. What matches one is blocked."""
    gap_decides: bool = True
    """Whether recordings that nothing can be held against make the verdict ``unverifiable``, or are only named."""
    way_out: str = "register with --only, or freeze a version without them"
    """What to do about such recordings."""

    @property
    def covers_all(self) -> bool:
        return self.build is not None and self.index is not None and self.build.covers_all

    @property
    def hears_nothing(self) -> bool:
        """Whether none of its recordings can be compared with anything."""
        return self.build is not None and self.build.n_recordings == 0

    def as_json(self) -> dict[str, Any]:
        return {
            "id": str(self.build.public_id) if self.build else None,
            "dataset": self.dataset.name,
            "version": str(self.version.number) if self.version else None,
            "recordings": self.build.n_recordings if self.build else 0,
            "expected": self.build.n_expected if self.build else None,
            "covers_all": self.covers_all,
            "draft": self.version is None,
        }


@dataclass(frozen=True)
class Calibrated:
    """A calibration under the id that it is kept by, and the false alarms that the owner of the index aims at."""

    id: str
    calibration: Calibration
    target: float


@dataclass(frozen=True)
class Held:
    """An index of another kind. ``index`` is None where none can be used; ``problem`` then says why."""

    build: IndexBuild | None
    index: KindIndex | None
    problem: str = ""
    calibrated: Calibrated | None = None
    """What strangers reach in this index, where the kind can be calibrated."""


@dataclass(frozen=True)
class Candidate:
    """One match, below the threshold too."""

    recording_id: str
    kind: str
    accepted: bool
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    occurrences: tuple[float, ...]
    tempo_ratio: float
    pitch_shift_semitones: float
    details: dict[str, Any] = field(default_factory=dict)
    p_value: float | None = None
    p_kind: str | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class Finding:
    """What one index says of a file. ``verdict`` is empty where the file could not be held against it."""

    target: Target
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    judged_by: Calibrated | None = None
    """The calibration that its verdict follows from; None where the fixed thresholds held."""
    n_searched: int = 0
    """Of how many indexes of its kind that were searched this is one; 0 where none was, or the kind decides nothing."""
    kind: str = likeness_kinds.RECORDING.name
    was_searched: bool = False
    """Whether the file was held against an index of the kind that holds anything."""


@dataclass(frozen=True)
class Answer:
    """What every index asked says of a file, and what speaks against the file itself (``troubles``)."""

    file: str
    sha256: str
    seconds: float | None
    findings: tuple[Finding, ...]
    troubles: tuple[str, ...]
    kinds_not_checked: tuple[str, ...]
    elapsed_s: float

    @property
    def verdict(self) -> str:
        said = [finding.verdict for finding in self.findings if finding.verdict]
        return min(
            [*said, *["unverifiable" for _ in self.troubles]],
            key=STRICTEST_FIRST.index,
            default="unverifiable",
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        found = [reason for finding in self.findings for reason in finding.reasons]
        return tuple(dict.fromkeys([*found, *self.troubles]))

    @property
    def targets(self) -> tuple[Target, ...]:
        """Each once, however many kinds were asked of it."""
        return tuple({id(finding.target): finding.target for finding in self.findings}.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of likeness that some index was searched for."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings if finding.was_searched))

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The best first."""
        found = [candidate for finding in self.findings for candidate in finding.candidates]
        return tuple(sorted(found, key=lambda candidate: -candidate.score))

    @property
    def covers_all(self) -> bool:
        return bool(self.targets) and all(target.covers_all for target in self.targets)

    @property
    def policy(self) -> dict[str, Any]:
        """By what it was decided: calibrated only where every index that was searched was, of every kind that decides.

        ``false_alarm_target`` is for the output against all indexes; each was given an equal share of its kind's. Of
        several kinds each has its own target, and what is decided by stands under its name: the output may be raised
        by any, so that the whole is their sum.
        """
        first, *others = [kind for kind in POLICIES if self._searched(kind)] or [
            likeness_kinds.RECORDING.name
        ]
        if not others:
            return self._policy_of(first)
        by_kind = {kind: self._policy_of(kind) for kind in (first, *others)}
        calibrated = all(one["calibrated"] for one in by_kind.values())
        target = round(sum(one["false_alarm_target"] for one in by_kind.values()), 9) if calibrated else None
        whole = {"calibrated": calibrated, "false_alarm_target": target}
        return {**by_kind[first], **whole, **by_kind}

    def _searched(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind and finding.n_searched]

    def _policy_of(self, kind: str) -> dict[str, Any]:
        searched = self._searched(kind)
        calibrated = [finding.judged_by for finding in searched if finding.judged_by is not None]
        accepted = [one for finding in searched for one in finding.candidates if one.accepted]
        is_calibrated = searched and len(calibrated) == len(searched)
        if not is_calibrated or any(one.p_value is None for one in accepted):
            return {"id": POLICIES[kind], "false_alarm_target": None, "calibrated": False}
        return {
            "id": POLICIES[kind],
            "false_alarm_target": min(one.target for one in calibrated),
            "calibrated": True,
            "indexes": max(finding.n_searched for finding in searched),
            "calibrations": list(dict.fromkeys(one.id for one in calibrated)),
        }

    @property
    def organisations(self) -> list[Organisation]:
        """Whose music the file was held against, each once."""
        return list(dict.fromkeys(target.dataset.organisation for target in self.targets))

    def part_of(self, organisation: Organisation) -> "Answer":
        """Return what the indexes of one organisation say, and nothing of another's."""
        own = [
            finding for finding in self.findings if finding.target.dataset.organisation_id == organisation.pk
        ]
        return replace(self, findings=tuple(own))


Said = tuple[str, tuple[str, ...], tuple[Candidate, ...]]
"""A verdict, its reasons and the candidates behind it."""

HOLDERS: dict[str, Callable[[audio.Survey, Any, Judging | None], Said]] = {}
"""By the name of a kind other than ``recording``: from a survey, an index of the kind and what decides by strangers where
they were measured, what it says."""

POLICIES = {
    likeness_kinds.RECORDING.name: thresholds.POLICY_ID,
    likeness_kinds.COMPOSITION.name: thresholds.COMPOSITION_POLICY_ID,
}
"""Of each kind that decides, the one that accuses first before the other."""


def _hash_of(path: Path) -> str:
    """Return the hash of bytes that are no sound, so that the check says which they were; nothing of no file."""
    if not path.is_file():  # a pipe would be waited for
        return ""
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def unheard(path: Path, name: str, targets: Sequence[Target], why: str, elapsed_s: float = 0.0) -> Answer:
    """Answer for a file that was held against nothing."""
    return Answer(name, _hash_of(path), None, tuple(map(Finding, targets)), (why,), (), elapsed_s)


def check_file(
    path: Path, *, name: str, targets: Sequence[Target], kinds: Sequence[str], midi: Path | None = None
) -> Answer:
    """Check one file. A file that can't be decoded, or an index that can't be used, makes it ``unverifiable``.

    ``midi`` is a MIDI file of the notes that sound in it, where there is one.
    """
    started = time.perf_counter()
    try:
        survey = audio.survey(path)
    except audio.DecoderMissingError:
        raise
    except (audio.AudioError, OSError) as error:
        reason = (
            error.reason if isinstance(error, audio.AudioError) else f"{name} can't be read: {error.strerror}"
        )
        return unheard(path, name, targets, reason, time.perf_counter() - started)
    troubles = []
    if midi is not None:
        try:
            survey = replace(survey, notes=tuple(audio.read_notes(midi)))
        except (audio.AudioError, OSError) as error:
            why = error.reason if isinstance(error, audio.AudioError) else error.strerror
            troubles.append(f"its notes can't be read: {why}")
    n_searched = sum(target.index is not None and not target.hears_nothing for target in targets)
    held = [_hold_against(survey, target, n_searched) for target in targets] if "recording" in kinds else []
    wanted = [kind for kind in kinds if kind in HOLDERS]
    for kind in wanted:
        n_of_kind = sum(_has_index(target, kind) for target in targets) if kind in POLICIES else 0
        held += [_hold_in_kind(survey, target, kind, n_of_kind) for target in targets]
    findings = tuple(held) if held else tuple(Finding(target) for target in targets)
    unknown = tuple(kind for kind in kinds if kind != "recording" and kind not in HOLDERS)
    if unknown:
        troubles.append(f"{' and '.join(unknown)} likeness has no index here")
    without = (kind for kind in wanted if not any(_has_index(target, kind) for target in targets))
    not_checked = (*unknown, *without)
    if survey.is_silent:
        troubles.append(f"{survey.silence}: there is nothing to compare")
    return Answer(
        file=name,
        sha256=survey.file_sha256,
        seconds=survey.seconds,
        findings=findings,
        troubles=tuple(troubles),
        kinds_not_checked=not_checked,
        elapsed_s=time.perf_counter() - started,
    )


def _hold_against(survey: audio.Survey, target: Target, n_searched: int) -> Finding:
    """Each of so many indexes that are searched may raise its share of the false alarms that are aimed at."""
    if target.index is None:
        return Finding(target, "unverifiable" if target.gap_decides else "", (target.problem,))
    if target.hears_nothing and not target.gap_decides:
        return Finding(target, "", (_gap(target),))
    judging = _judging(target.calibrated, survey.seconds, n_searched)
    found = cascade.check(
        survey.fingerprint,
        target.index,
        levels=survey.levels,
        query_seconds=survey.seconds,
        judging=judging,
    )
    judged_by = target.calibrated if judging else None
    candidates = tuple(_candidate(match, judged_by) for match in found.matches)
    stopped = tuple(
        f"{one.recording_id} is a blocked reference, case {target.blocked[one.recording_id]}"
        for one in candidates
        if one.accepted and one.recording_id in target.blocked
    )
    verdict = "blocked" if stopped else found.verdict
    reasons = (*found.reasons, *stopped)
    if not target.covers_all and target.build is not None:
        reasons = (*reasons, _gap(target))
        if target.gap_decides:
            verdict = min(verdict, "unverifiable", key=STRICTEST_FIRST.index)
    return Finding(
        target,
        verdict,
        reasons,
        candidates,
        judged_by,
        0 if target.hears_nothing else n_searched,
        was_searched=not target.hears_nothing,
    )


def _judging(calibrated: Calibrated | None, seconds: float, n_searched: int) -> Judging | None:
    """Return what decides by strangers; None where none were measured, or none as short as this."""
    if calibrated is None:
        return None
    judging = Judging(calibrated.calibration, calibrated.target / max(1, n_searched), seconds)
    return judging if judging.applies else None


def _has_index(target: Target, kind: str) -> bool:
    return kind in target.others and target.others[kind].index is not None


def _hold_in_kind(survey: audio.Survey, target: Target, kind: str, n_searched: int) -> Finding:
    held = target.others.get(kind, Held(None, None, f"{kind} likeness of {target.dataset.name} has no index"))
    if held.index is None or held.build is None:
        return Finding(target, "unverifiable" if target.gap_decides else "", (held.problem,), kind=kind)
    judging = _judging(held.calibrated, survey.seconds, n_searched)
    judged_by = held.calibrated if judging else None
    verdict, reasons, found = HOLDERS[kind](survey, held.index, judging)
    candidates = tuple(
        replace(one, calibration=judged_by.id) if judged_by and one.p_value is not None else one
        for one in found
    )
    if held.build.covers_all:
        return Finding(target, verdict, reasons, candidates, judged_by, n_searched, kind, True)
    covered, expected = held.build.n_recordings, held.build.n_expected
    gap = f"the {kind} index of {target.dataset.name} covers {covered} of {expected} recordings"
    if target.gap_decides:
        verdict = min(verdict or "unverifiable", "unverifiable", key=STRICTEST_FIRST.index)
    return Finding(target, verdict, (*reasons, gap), candidates, judged_by, n_searched, kind, True)


def _gap(target: Target) -> str:
    """Say what of a dataset nothing was held against, why, and what to do about it."""
    if target.build is None:
        return target.problem
    covered, expected = target.build.n_recordings, target.build.n_expected
    why = "too short or too silent to fingerprint, or known by metadata only (index_dataset names them)"
    if target.gap_decides:
        held = f"the index of {target.dataset.name} covers {covered} of {expected} recordings"
        return f"{held}; the others are {why}: {target.way_out}"
    return f"nothing is said of {expected - covered} of {expected} recordings of {target.dataset.name}: they are {why}"


def _candidate(match: likeness.RecordingMatch, judged_by: Calibrated | None) -> Candidate:
    return Candidate(
        recording_id=match.key,
        kind="recording",
        accepted=match.accepted,
        score=match.score,
        query_start_s=match.query_start_s,
        query_end_s=match.query_end_s,
        reference_start_s=match.reference_start_s,
        reference_end_s=match.reference_end_s,
        occurrences=tuple(match.occurrences),
        tempo_ratio=match.tempo_ratio,
        pitch_shift_semitones=match.pitch_shift_semitones,
        details={"verdict": match.verdict, "column": match.column, **_figures(match)},
        p_value=match.p_value,
        p_kind=match.p_kind,
        calibration=judged_by.id if judged_by and match.p_value is not None else None,
    )


def _figures(match: likeness.RecordingMatch) -> dict[str, float]:
    """Return what speaks for a match, in the units of the part of the fingerprint that found it."""
    if match.part == likeness.LEVELS:
        return {"levels_agree": round(1.0 - match.ber, 4), "odds": round(match.margin, 2)}
    if match.part == likeness.PARTS:
        return {
            "part_met": round(1.0 - match.ber, 4),
            "part_met_elsewhere": round(1.0 - match.ber - match.contrast, 4),
            "margin": round(match.margin, 4),
        }
    if match.part != ITEMS:
        return {
            "peaks_met": round(1.0 - match.ber, 4),
            "peaks_met_elsewhere": round(1.0 - match.ber - match.contrast, 4),
            "margin_deviations": round(match.margin, 2),
        }
    return {
        "bit_error_rate": round(match.ber, 4),
        "margin": round(match.margin, 4),
        "contrast": round(match.contrast, 4),
    }


def answer_as_json(answer: Answer, known: dict[str, tuple[Recording, str]]) -> dict[str, Any]:
    """Return CONTRACT's line for one file; ``known`` gives each recording with its external id."""
    indexes = [target.as_json() for target in answer.targets]
    return {
        "file": answer.file,
        "sha256": answer.sha256 or None,
        "seconds": answer.seconds,
        "verdict": answer.verdict,
        "reasons": named_reasons(answer, known),
        "index": indexes[0] if indexes else None,
        "indexes": indexes,
        "kinds_not_checked": list(answer.kinds_not_checked),
        "policy": answer.policy,
        "matches": [_match_json(candidate, known) for candidate in answer.candidates],
        "elapsed_s": round(answer.elapsed_s, 4),
    }


def named_reasons(answer: Answer, known: dict[str, tuple[Recording, str]]) -> list[str]:
    """Return the reasons with recordings called by their titles, as people do."""
    names = {key: recording.title or external_id for key, (recording, external_id) in known.items()}
    reasons = []
    for reason in answer.reasons:
        for key, name in names.items():
            reason = reason.replace(key, f"“{name}”")
        reasons.append(reason)
    return reasons


def _match_json(candidate: Candidate, known: dict[str, tuple[Recording, str]]) -> dict[str, Any]:
    recording, external_id = known.get(candidate.recording_id, (None, ""))
    return {
        "kind": candidate.kind,
        "recording": candidate.recording_id,
        "external_id": external_id,
        "title": recording.title if recording else "",
        "accepted": candidate.accepted,
        "score": round(candidate.score, 6),
        "p_value": candidate.p_value,
        "p_kind": candidate.p_kind,
        "calibration": candidate.calibration,
        "query_start_s": round(candidate.query_start_s, 3),
        "query_end_s": round(candidate.query_end_s, 3),
        "reference_start_s": round(candidate.reference_start_s, 3),
        "reference_end_s": round(candidate.reference_end_s, 3),
        "occurrences": [round(at, 3) for at in candidate.occurrences],
        "tempo_ratio": candidate.tempo_ratio,
        "pitch_shift_semitones": candidate.pitch_shift_semitones,
        **candidate.details,
    }

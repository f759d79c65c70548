"""What can go wrong when judging."""

from governance.errors import ConflictError, LinerNotesError, PartMissingError


class AuditError(LinerNotesError):
    code = "audit"


class NothingToJudgeError(ConflictError):
    """There is no output, no check or no training set that could be judged."""

    code = "nothing_to_judge"


class UnmeasurableError(PartMissingError):
    """A part that the measurement needs is missing; the message names it."""

    code = "unmeasurable"
    transient = False


class ReportRefusedError(LinerNotesError):
    """The report can't be written or read; nothing was left half-written."""

    code = "report_refused"

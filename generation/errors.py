"""What can go wrong when training, generating and checking."""

from governance.errors import ConflictError, LinerNotesError, NotFoundError


class GenerationError(LinerNotesError):
    code = "generation"


class UnknownModelError(NotFoundError):
    code = "unknown_model"


class WrongUseError(ConflictError):
    """A dataset version was frozen for another use, or is no longer cleared for this one."""

    code = "wrong_use"


class StoppedError(ConflictError):
    """Somebody asked the work to stop; what was done is kept."""

    code = "stopped"


class CheckpointMissingError(ConflictError):
    code = "checkpoint_missing"

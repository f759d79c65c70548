"""What can go wrong when people decide."""


class LinerNotesError(Exception):
    """Root of every error this product raises on purpose. ``code`` is stable; ``status`` is for HTTP."""

    code = "error"
    status = 400
    exit_code = 2
    transient = False


class NotAllowedError(LinerNotesError):
    code = "not_allowed"
    status = 403


class NotFoundError(LinerNotesError):
    code = "not_found"
    status = 404


class ConflictError(LinerNotesError):
    """The request is sound, but the state of things forbids it."""

    code = "conflict"
    status = 409
    exit_code = 1


class PartMissingError(LinerNotesError):
    """A part that is needed is missing or down."""

    code = "part_missing"
    status = 503
    exit_code = 3
    transient = True

"""One place where errors become HTTP: status, a stable code, and a sentence."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from governance.errors import LinerNotesError
from provenance.audio import AudioError, DecoderMissingError
from provenance.intake.errors import IntakeError
from provenance.rights.errors import RightsError
from provenance.rights.territory import UnknownTerritory

UNREADABLE: dict[type[Exception], str] = {
    IntakeError: "unreadable_source",
    AudioError: "unreadable_audio",
    RightsError: "unreadable_rights",
    UnknownTerritory: "unknown_territory",
}


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, LinerNotesError):
        return _problem(error.status, error.code, str(error))
    if isinstance(error, DecoderMissingError):
        return _problem(503, "part_missing", str(error))
    if isinstance(error, RequestDataTooBig):
        limit_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return _problem(
            413, "too_large", f"The request is too large; at most {limit_bytes:,} bytes are taken."
        )
    if isinstance(error, OperationalError | InterfaceError):
        return _problem(503, "part_missing", "The database can't be reached: try again in a moment.")
    for kind, code in UNREADABLE.items():
        if isinstance(error, kind):
            return _problem(422, code, str(error))
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        fields = response.data if isinstance(response.data, dict) else {"non_field_errors": response.data}
        response.data = {"code": "invalid", "detail": _sentence(fields), "fields": fields}
    elif isinstance(response.data, dict) and "detail" in response.data:
        response.data.setdefault("code", getattr(response.data["detail"], "code", "error"))
    return response


def _problem(status: int, code: str, detail: str) -> Response:
    set_rollback()
    return Response({"code": code, "detail": detail}, status=status)


def _sentence(problem: Any, where: str = "") -> str:
    """Return the first thing that is wrong, with the path of the field that it is wrong about."""
    if isinstance(problem, dict) and problem:
        name, inner = next((name, inner) for name, inner in problem.items() if inner)
        part = "" if name == "non_field_errors" else str(name)
        return _sentence(inner, ".".join(filter(None, [where, part])))
    if isinstance(problem, list) and problem:
        at = next(at for at, inner in enumerate(problem) if inner)
        return _sentence(problem[at], f"{where}.{at}" if isinstance(problem[at], dict) else where)
    return f"{where}: {problem}" if where else str(problem)

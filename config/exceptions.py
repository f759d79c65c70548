"""One place where errors become HTTP: status, a stable code, and a sentence."""

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from governance.errors import LinerNotesError


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, LinerNotesError):
        return Response({"code": error.code, "detail": str(error)}, status=error.status)
    response = exception_handler(error, context)
    if response is not None and isinstance(response.data, dict) and "detail" in response.data:
        response.data.setdefault("code", getattr(response.data["detail"], "code", "error"))
    return response

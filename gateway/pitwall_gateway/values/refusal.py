"""Error bodies in OpenAI's shape, for requests that the gateway refuses."""

import json
from enum import StrEnum


class ErrorType(StrEnum):
    """OpenAI's `error.type`: the caller's fault or ours."""

    INVALID_REQUEST = "invalid_request_error"
    SERVER = "server_error"


def error_body(status: int, message: str, *, code: str) -> bytes:
    """OpenAI's error object as JSON; the type follows from the HTTP status."""
    kind = ErrorType.SERVER if status >= 500 else ErrorType.INVALID_REQUEST
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()

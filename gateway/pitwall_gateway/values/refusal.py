"""RefusedError requests in, OpenAI-shaped error bodies out."""

import json
from enum import StrEnum


class ErrorType(StrEnum):
    """OpenAI's `error.type`: the caller's fault or ours."""

    INVALID_REQUEST = "invalid_request_error"
    SERVER = "server_error"


class RefusedError(Exception):
    """A request that gets no answer; the message holds the value, the limit and the remedy."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def error_body(status: int, message: str, *, code: str) -> bytes:
    """OpenAI's error object as JSON; the type follows from the HTTP status."""
    kind = ErrorType.SERVER if status >= 500 else ErrorType.INVALID_REQUEST
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()

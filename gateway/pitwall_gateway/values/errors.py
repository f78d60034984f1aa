"""All exceptions of the gateway."""

from collections.abc import Mapping


class GatewayError(Exception):
    """Whatever keeps the gateway from starting, from answering, or from finding its pods."""


class WatchError(GatewayError):
    """The API server did not serve the list or the watch; the message says why, and what to do if we know."""


class WatchExpiredError(WatchError):
    """The API server remembers no changes from that version on: list again."""


class RoutesError(GatewayError):
    """The routes file cannot be understood; the message says where."""


class CallersError(GatewayError):
    """Callers or their keys cannot be read; the message says where, and what to do."""


class RequestRefusedError(GatewayError):
    """A request that gets no answer; the message holds the value, the limit and the remedy."""

    def __init__(self, status: int, message: str, *, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}

"""All exceptions of the flags."""


class FlagsError(Exception):
    """Whatever is wrong with flags, their service, or the way to it."""


class FlagsUnreachableError(FlagsError):
    """The flag service did not answer; nothing is known about the write but that it is applied at most once."""


class FlagConflictError(FlagsError):
    """Somebody else wrote the flag meanwhile: read it again and decide anew."""


class FlagRejectedError(FlagsError):
    """The flag service refused, and trying again would not help; the message is the service's."""


class VersionConflictError(FlagsError):
    """The flag is not at the version that the writer has seen."""

    def __init__(self, key: str, expected: int | None, actual: int | None) -> None:
        seen = "no such flag" if expected is None else f"version {expected}"
        now = "no such flag" if actual is None else f"version {actual}"
        super().__init__(
            f"flag {key!r}: the writer expected {seen}, the store has {now}; read it again and decide anew"
        )
        self.actual = actual


class UnknownFlagError(FlagsError):
    """No flag has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no flag {key!r}; list the flags with GET /v1/flags")


class KilledFlagError(FlagsError):
    """The flag is killed; deleting it would undo the kill, since it could be made anew."""

    def __init__(self, key: str) -> None:
        super().__init__(f"flag {key!r} is killed and stays; release it with POST /v1/flags/{key}/release first")


class ReusedKeyError(FlagsError):
    """An idempotency key came again with another request, which must be neither applied nor taken for done."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"the Idempotency-Key {request_id!r} was used for another request, and this one was not applied; send it "
            "with a key of its own"
        )


class JournalConflictError(FlagsError):
    """Two writers appended to one stream at once."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"somebody else wrote to the record of {stream!r} at the same time; send the lines again")


class BudgetError(FlagsError):
    """An evaluation would cost more than one may; the message says what to change."""


class TooManyStreamsError(FlagsError):
    """Nobody else may follow just now; the message names the limit."""


class FullError(FlagsError):
    """The writer of a flag set keeps as much as it may; the message names the limit."""


class TokenError(FlagsError, ValueError):
    """A token cannot be used as configured."""


class ContextError(FlagsError):
    """The request has no context that flags can be evaluated for."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class StartError(FlagsError):
    """The service cannot run as configured; the message says what to change."""


class ProblemError(FlagsError):
    """A request that cannot be fulfilled: the status, and words that say what would work."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

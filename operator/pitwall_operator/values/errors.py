"""All exceptions of the operator, and the exit codes of its command line."""

from enum import IntEnum


class OperatorError(Exception):
    """Whatever keeps the operator, or a command of its command line, from doing what it was asked."""


class OperatorStoppedError(OperatorError, RuntimeError):
    """The process cannot go on; the message says why."""


class NotLeaderError(OperatorError, OSError):
    """Another replica may hold the lease now, so nothing may be changed from here."""


class KubeError(OperatorError, OSError):
    """The API server did not do what was asked, and why."""


class KubeUnreachableError(KubeError):
    """The API server did not answer, or cannot answer now."""


class KubeNotFoundError(KubeError):
    """There is no such object."""


class KubeConflictError(KubeError):
    """Somebody else changed the object meanwhile, or it exists already."""


class KubeRefusedError(KubeError):
    """The API server refuses, and asking again would not help."""


class KubeInvalidError(KubeRefusedError):
    """The API server finds what was sent wrong for the object as it is."""


class RevisionUnknownError(OperatorError, LookupError):
    """A pool shall run a spec that nobody has any more."""


class UnreadableRecordError(OperatorError, ValueError):
    """A record cannot be replayed; the message names the line and what is missing."""


class ResourceRefusedError(OperatorError, ValueError):
    """A resource cannot be taken as it is; the message says why and what helps."""


class TurnFailedError(OperatorError):
    """Something of a turn could not be done; the message says what."""


class OvertakenError(OperatorError):
    """Somebody else changed the rollout during the turn; it is to be taken again at once."""


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_RUNNING = 3
    UNREACHABLE = 4
    NOT_INSTALLED = 5
    FORBIDDEN = 6
    NOT_FOUND = 7
    CONFLICT = 8


class CommandError(OperatorError):
    """A command cannot be carried out; the message holds the value, the limit and the remedy."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code

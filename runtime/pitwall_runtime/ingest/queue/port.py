"""The interface of every ingest queue: a job is delivered at least once; one that cannot be done is kept, with why."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
_SHOWN: Final = 1000
"""Characters that are kept of a message that holds no job."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """A video to prepare. `id` is the same for the same address; `submitted_at` in epoch seconds; `party` is who sent
    it, a caller and, behind a dot, a user. `unread` is what a message held that is no job, which can only be buried."""

    id: str
    url: str
    submitted_at: float
    party: str = ""
    unread: str = ""

    def to_json(self) -> str:
        """As it travels through a broker."""
        return json.dumps({name: value for name, value in asdict(self).items() if value or name != "unread"})

    @classmethod
    def from_json(cls, text: str | bytes) -> "IngestJob":
        """The job in a message, whatever that holds: a broker is open to other programs, and other versions."""
        try:
            data = json.loads(text)
            said = (data[name] for name in ("id", "url", "submitted_at"))
            id_, url, submitted_at = str(next(said)), str(next(said)), float(next(said))
            job = cls(id_, url, submitted_at, str(data.get("party", "")), str(data.get("unread", "")))
            f"{id_}{url}{job.party}{job.unread}".encode()  # what is no text can be written nowhere
        except _UNREADABLE:
            words = text.decode(errors="replace") if isinstance(text, bytes) else text
            digest = hashlib.sha256(words.encode(errors="replace")).hexdigest()[:16]
            shown = words[:_SHOWN].encode(errors="replace").decode()
            return cls(f"unread_{digest}", "", 0.0, unread=shown or "an empty message")
        else:
            return job


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job that was handed to a worker; `receipt` is what the queue knows this delivery by."""

    job: IngestJob
    receipt: Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that cannot be done, and why."""

    job: IngestJob
    reason: str

    def to_json(self) -> str:
        """As it travels through a broker."""
        return json.dumps({"job": self.job.to_json(), "reason": self.reason})

    @classmethod
    def from_json(cls, text: str | bytes) -> "DeadLetter":
        """The dead letter in a message, whatever that holds."""
        try:
            data = json.loads(text)
            return cls(IngestJob.from_json(data["job"]), str(data["reason"]))
        except _UNREADABLE:
            return cls(IngestJob.from_json(text), "this is no dead letter")


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many jobs wait, are being worked on, and are dead; a broker may say it a little late."""

    waiting: int
    taken: int
    dead: int


class IngestQueue(Protocol):
    """Where jobs wait. Every method raises QueueAwayError if the queue cannot be reached.

    A job that was taken is given to somebody again if it is not extended, done or buried within the visibility time.
    Where the queue can, parties take turns, so that nobody waits behind all that another has sent.
    """

    def put(self, job: IngestJob) -> None:
        """Add a job, durably. Raises QueueFullError."""

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next job, for this worker alone for the visibility time; None if none came in time."""

    def extend(self, delivery: Delivery) -> None:
        """This worker still works on it."""

    def done(self, delivery: Delivery) -> None:
        """It needs no more work."""

    def again(self, delivery: Delivery, delay_seconds: float = 0.0) -> None:
        """Somebody shall try it once more, not before so long, which is half an hour at most."""

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters."""

    def depth(self) -> QueueDepth:
        """How much there is to do."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""

    def close(self) -> None:
        """Let go of connections; what was taken and not done is delivered again."""

"""The interface of every ingest queue: a job is delivered at least once; one that cannot be done is kept, with why."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class IngestJob:
    """A video to prepare. `id` is the same for the same address; `submitted_at` in epoch seconds; `party` is who sent
    it, a caller and, behind a dot, a user."""

    id: str
    url: str
    submitted_at: float
    party: str = ""

    def to_json(self) -> str:
        """As it travels through a broker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "IngestJob":
        """Raises ValueError for what is no job."""
        try:
            data = json.loads(text)
            return cls(str(data["id"]), str(data["url"]), float(data["submitted_at"]), str(data.get("party", "")))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{text[:100]!r} is no ingest job: {error}") from None


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

    def again(self, delivery: Delivery) -> None:
        """Somebody shall try it once more."""

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters."""

    def depth(self) -> QueueDepth:
        """How much there is to do."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""

    def close(self) -> None:
        """Let go of connections; what was taken and not done is delivered again."""

"""The ingest queue in Amazon SQS, or in what speaks its protocol."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pitwall_runtime.errors import QueueAwayError, QueueFullError
from pitwall_runtime.ingest.queue.port import DeadLetter, Delivery, IngestJob, QueueDepth

T = TypeVar("T")

_LONGEST_POLL_SECONDS: Final = 20
_BATCH: Final = 10


class SqsQueue:
    """A queue, and one named `<name>-dead` for dead letters; both are made where they are missing and may be made."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        endpoint: str = "",
        visibility_seconds: float = 60.0,
        max_waiting: int = 10_000,
    ) -> None:
        self._client: Any = boto3.client("sqs", region_name=region, endpoint_url=endpoint or None)
        self._name, self._visibility, self._max_waiting = name, max(1, round(visibility_seconds)), max_waiting
        self._urls: dict[str, str] = {}

    def put(self, job: IngestJob) -> None:
        """Add a job, durably. Raises QueueFullError; SQS counts only roughly."""
        self._asked(lambda: self._put(job))

    def _put(self, job: IngestJob) -> None:
        waiting, _ = self._counts(self._name)
        if waiting >= self._max_waiting:
            raise QueueFullError(f"about {waiting} videos wait already, the limit; send this one again in a minute")
        self._client.send_message(QueueUrl=self._url(self._name), MessageBody=job.to_json())

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next job, for this worker alone for the visibility time; None if none came in time."""
        found = self._asked(lambda: self._received(self._name, min(round(wait_seconds), _LONGEST_POLL_SECONDS), 1))
        return Delivery(IngestJob.from_json(found[0]["Body"]), found[0]["ReceiptHandle"]) if found else None

    def extend(self, delivery: Delivery) -> None:
        """This worker still works on it."""
        self._asked(lambda: self._visible_in(delivery, self._visibility))

    def done(self, delivery: Delivery) -> None:
        """It needs no more work."""
        self._asked(lambda: self._delete(delivery))

    def again(self, delivery: Delivery, delay_seconds: float = 0.0) -> None:
        """Somebody shall try it once more, after so long; until then SQS counts it among those that are taken."""
        self._asked(lambda: self._visible_in(delivery, math.ceil(delay_seconds)))

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters. Sent before it is deleted, so never lost."""
        body = DeadLetter(delivery.job, reason).to_json()
        self._asked(lambda: self._client.send_message(QueueUrl=self._url(f"{self._name}-dead"), MessageBody=body))
        self.done(delivery)

    def depth(self) -> QueueDepth:
        """How much there is to do, as SQS estimates it."""
        waiting, taken = self._asked(lambda: self._counts(self._name))
        dead, seen = self._asked(lambda: self._counts(f"{self._name}-dead"))
        return QueueDepth(waiting, taken, dead + seen)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Some of the dead letters, which stay; SQS does not tell which are the newest."""
        found: dict[str, DeadLetter] = {}
        while len(found) < limit:
            batch = self._asked(partial(self._received, f"{self._name}-dead", 0, min(_BATCH, limit - len(found))))
            fresh = {message["MessageId"]: DeadLetter.from_json(message["Body"]) for message in batch}
            if not fresh.keys() - found.keys():
                break
            found |= fresh
        return list(found.values())

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _received(self, name: str, wait_seconds: int, count: int) -> list[dict[str, Any]]:
        answer = self._client.receive_message(
            QueueUrl=self._url(name),
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=self._visibility if name == self._name else 1,
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _visible_in(self, delivery: Delivery, seconds: int) -> None:
        self._client.change_message_visibility(
            QueueUrl=self._url(self._name), ReceiptHandle=delivery.receipt, VisibilityTimeout=seconds
        )

    def _delete(self, delivery: Delivery) -> None:
        self._client.delete_message(QueueUrl=self._url(self._name), ReceiptHandle=delivery.receipt)

    def _counts(self, name: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._client.get_queue_attributes(QueueUrl=self._url(name), AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def _url(self, name: str) -> str:
        if name not in self._urls:
            try:
                self._urls[name] = self._client.get_queue_url(QueueName=name)["QueueUrl"]
            except self._client.exceptions.QueueDoesNotExist:
                self._urls[name] = self._client.create_queue(QueueName=name)["QueueUrl"]
        return self._urls[name]

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except (ClientError, BotoCoreError) as error:
            self._urls.clear()  # a queue that was deleted is made again
            raise QueueAwayError(
                f"the ingest queue does not answer ({type(error).__name__}); try again later"
            ) from None

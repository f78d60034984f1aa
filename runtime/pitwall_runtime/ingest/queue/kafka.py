"""The ingest queue in Kafka: a topic, a consumer group, and a topic of dead letters.

A worker takes one job at a time and commits its offset when it is done, so a job of a worker that died is delivered
again once the group has noticed (the session's timeout). Jobs spread over partitions: at most that many workers work.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from pitwall_runtime.errors import QueueAwayError, QueueFullError
from pitwall_runtime.ingest.queue.held_back import HandedOut, HeldBack, Partitions
from pitwall_runtime.ingest.queue.kafka_topics import SERVER_SECONDS, KafkaTopics, value_of
from pitwall_runtime.ingest.queue.port import DeadLetter, Delivery, IngestJob, QueueDepth

T = TypeVar("T")

_GROUP: Final = "pitwall-ingest"
_SETTLE_SECONDS: Final = 0.2
_SETTLING: Final = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""What a broker says for seconds of a group, a topic or a partition that is new, or that has just moved."""

_MOVED: Final = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID}
)
"""What a broker says to a worker that has its partitions no longer, and does not know it yet."""

_COUNT_SECONDS: Final = 1.0
"""How old the depth may be by which a new job is admitted."""

_DUE: Final = "pitwall-due"
"""Header of a job that is not to be tried before that, in epoch seconds."""

_LONGEST_DELAY_SECONDS: Final = 3600.0

_Sent = tuple[str | bytes | None, bytes, float]
"""Key, body, and when it is due; 0 for at once."""


class _MovedError(QueueAwayError):
    """Partitions have moved."""


class KafkaQueue:
    """`settings` are librdkafka's own, such as security.protocol; bootstrap.servers is one of them."""

    def __init__(
        self,
        topic: str,
        settings: dict[str, Any],
        *,
        visibility_seconds: float = 45.0,
        max_waiting: int = 10_000,
    ) -> None:
        self._topic, self._dead, self._max_waiting = topic, f"{topic}.dead", max_waiting
        self._settings = {**settings, "log_level": 3}
        self._session_ms = int(visibility_seconds * 1000)
        self._producer = Producer({**self._settings, "enable.idempotence": True, "acks": "all"})
        self._consumer: Consumer | None = None
        self._counted: tuple[float, int] = (-1e9, 0)
        self._topics = KafkaTopics((self._topic, self._dead), self._settings, _GROUP)
        self._held, self._ours = HeldBack[Message](), Partitions[Message]()
        self._guard = threading.Lock()
        """Against the beat of a worker, which hears that partitions move while a job ends."""

    def put(self, job: IngestJob) -> None:
        """Add a job, durably. Raises QueueFullError, by a count that is up to a second old."""
        if time.monotonic() - self._counted[0] > _COUNT_SECONDS:
            self._counted = time.monotonic(), self.depth().waiting
        counted_at, waiting = self._counted
        if waiting >= self._max_waiting:
            raise QueueFullError(f"{waiting} videos wait already, the limit; send this one again in a minute")
        self._send(self._topic, [_sent(job.id, job.to_json())])
        self._counted = counted_at, waiting + 1

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next job of this worker's partitions; None if none came in time."""
        latest = time.monotonic() + wait_seconds
        while True:
            if self._held.next_due() <= time.time():
                message: Message | None = self._held.pop()
            else:
                left = min(latest - time.monotonic(), self._held.next_due() - time.time())
                message = self._asked(partial(self._polled, max(0.0, left)))
            if message is None and time.monotonic() >= latest:
                return None
            if message and self._ours.is_finished(message):
                self._finish(self._ours.hand_out(message))
            elif message and _due(message) <= time.time():
                return self._delivery(message)
            elif message:
                self._held.add(message, _due(message))

    def _delivery(self, message: Message) -> Delivery:
        return Delivery(IngestJob.from_json(value_of(message)), self._ours.hand_out(message))

    def _polled(self, wait_seconds: float) -> Message | None:
        consumer = self._joined()
        consumer.resume(consumer.assignment())
        latest = time.monotonic() + wait_seconds
        while True:
            message = consumer.poll(max(0.0, latest - time.monotonic()))
            if message is None:
                return None
            error = message.error()
            if error is None:
                return message
            if not error.retriable() and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)

    def extend(self, delivery: Delivery) -> None:
        """This worker still works on it: its group must hear from it, and no other job may come."""
        del delivery

        def beat() -> None:
            consumer = self._joined()
            consumer.pause(consumer.assignment())
            message = consumer.poll(0)
            if message and not message.error():
                self._held.add(message, _due(message))  # of a partition that has just become this worker's

        with self._guard:
            self._asked(beat)

    def done(self, delivery: Delivery) -> None:
        """It needs no more work."""
        with self._guard:
            self._finish(delivery.receipt)

    def again(self, delivery: Delivery, delay_seconds: float = 0.0) -> None:
        """Somebody shall try it once more, after so long, and behind those who wait. Sent before it is committed, so
        never lost."""
        due = time.time() + delay_seconds if delay_seconds > 0 else 0.0
        self._replaced(delivery, self._topic, delivery.job.to_json(), due)

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters. Sent before it is committed, so never lost."""
        self._replaced(delivery, self._dead, DeadLetter(delivery.job, reason).to_json())

    def _replaced(self, delivery: Delivery, topic: str, body: str, due: float = 0.0) -> None:
        with self._guard:
            if self._is_anothers(delivery.receipt):
                return  # who has its partition gets it from the log
            self._send(topic, [_sent(delivery.job.id, body, due)])
            self._finish(delivery.receipt)

    def _is_anothers(self, handed: HandedOut[Message]) -> bool:
        mine = {place.partition for place in self._joined().assignment()}
        return not self._ours.counts(handed) and handed.message.partition() not in mine

    def _finish(self, handed: HandedOut[Message]) -> None:
        """Commit its place. What is not due and lies before it goes behind the others first."""
        message = handed.message
        if not self._ours.counts(handed):
            # What lies before it is not held here any more, or not yet again: a commit would lose that.
            self._ours.remember(message)
            return
        ahead = self._held.ahead_of(message)
        if ahead:
            self._send(self._topic, [(one.key(), value_of(one), due) for one, due in ahead])
            self._held.drop_ahead_of(message)
        try:
            self._asked(lambda: self._commit(message))
        except _MovedError:
            self._ours.remember(message)

    def depth(self) -> QueueDepth:
        """How much is not done yet; Kafka does not tell what of it is being worked on."""
        return self._asked(lambda: QueueDepth(self._topics.lag(self._topic), 0, self._topics.length(self._dead)))

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters of each partition, up to `limit` in all."""
        return self._asked(lambda: self._topics.newest(self._dead, limit))

    def close(self) -> None:
        """Leave the group, so that others get this worker's partitions at once."""
        if self._consumer:
            self._consumer.close()
        self._producer.flush(SERVER_SECONDS)

    def _commit(self, message: Message) -> None:
        self._joined().commit(message=message, asynchronous=False)

    def _joined(self) -> Consumer:
        if self._consumer is None:
            self._topics.make()
            self._consumer = Consumer(
                {
                    **self._settings,
                    "group.id": _GROUP,
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "session.timeout.ms": self._session_ms,
                    "heartbeat.interval.ms": max(100, self._session_ms // 10),
                }
            )
            self._consumer.subscribe([self._topic], on_revoke=self._forget)
        return self._consumer

    def _forget(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [one.partition for one in partitions]
        self._held.forget(numbers)
        self._ours.take_away(numbers)

    def _send(self, topic: str, messages: list[_Sent]) -> None:
        failed: list[KafkaError] = []

        def told(error: KafkaError | None, _: Message) -> None:
            if error:
                failed.append(error)

        def send() -> None:
            self._topics.make()
            failed.clear()
            for key, body, due in messages:
                headers: list[tuple[str, str | bytes | None]] = [(_DUE, str(due).encode())] if due else []
                self._producer.produce(topic, body, key, on_delivery=told, headers=headers)
            if self._producer.flush(SERVER_SECONDS) or failed:
                raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))

        self._asked(send)

    def _asked(self, ask: Callable[[], T]) -> T:
        latest = time.monotonic() + SERVER_SECONDS
        while True:
            try:
                return ask()
            except KafkaException as error:
                code = error.args[0].code()
                if code not in _SETTLING or time.monotonic() > latest:
                    self._topics.are_there = False  # those that were deleted are made again
                    kind = _MovedError if code in _MOVED else QueueAwayError
                    raise kind(f"the ingest queue does not answer ({error.args[0]}); try again later") from None
                time.sleep(_SETTLE_SECONDS)


def _sent(key: str, body: str, due: float = 0.0) -> _Sent:
    return key.encode(), body.encode(), due


def _due(message: Message) -> float:
    """When a job may be tried, in epoch seconds; what another program says of it is at once."""
    said = dict(message.headers() or ()).get(_DUE) or b"0"
    try:
        due = float(said)
    except ValueError:
        return 0.0
    return due if due < time.time() + _LONGEST_DELAY_SECONDS else 0.0

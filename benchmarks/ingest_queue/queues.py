"""Opens the queues that are measured, each at a server of its own, here and in other processes."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch

from benchmarks.ingest_queue.servers import kafka_broker, redis_server, sqs_server

from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.queue.port import IngestQueue

NAMES: Final = {"sqlite": "SQLite", "redis": "Redis Streams", "sqs": "SQS (moto)", "kafka": "Kafka"}
MAX_WAITING: Final = 1_000_000
KAFKA_VISIBILITY_SECONDS: Final = 6.0
"""A broker takes no shorter session."""

VISIBILITY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class QueueBench:
    """A queue of one kind at one place, which any process can open."""

    kind: str
    place: str

    @property
    def name(self) -> str:
        return NAMES[self.kind]

    @property
    def visibility_seconds(self) -> float:
        """After so long a job that nobody extends is another worker's."""
        return KAFKA_VISIBILITY_SECONDS if self.kind == "kafka" else VISIBILITY_SECONDS

    def open(self) -> IngestQueue:
        """The same queue as often as asked; its client's library is imported now."""
        seconds = self.visibility_seconds
        match self.kind:
            case "sqlite":
                return LocalQueue(Path(self.place), seconds, max_waiting=MAX_WAITING)
            case "redis":
                from pitwall_runtime.ingest.queue.redis_streams import RedisQueue

                return RedisQueue(self.place, "bench", visibility_seconds=seconds, max_waiting=MAX_WAITING)
            case "sqs":
                from pitwall_runtime.ingest.queue.sqs import SqsQueue

                return SqsQueue(
                    "bench",
                    region="eu-west-1",
                    endpoint=self.place,
                    visibility_seconds=seconds,
                    max_waiting=MAX_WAITING,
                )
            case _:
                from pitwall_runtime.ingest.queue.kafka import KafkaQueue

                address = {"bootstrap.servers": self.place}
                return KafkaQueue("bench", address, visibility_seconds=seconds, max_waiting=MAX_WAITING)

    def worker(self, work_seconds: float) -> list[str]:
        """The command of a worker whose every job takes so long."""
        return [sys.executable, "-m", "benchmarks.ingest_queue.worker", self.kind, self.place, str(work_seconds)]


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield str(folder / "queue.sqlite")


@contextmanager
def sqs(_: Path) -> Iterator[str]:
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
    with patch.dict(os.environ, keys), sqs_server() as endpoint:
        yield endpoint


PLACES: Final[dict[str, Callable[[Path], AbstractContextManager[str]]]] = {
    "sqlite": sqlite,
    "redis": redis_server,
    "sqs": sqs,
    "kafka": kafka_broker,
}
"""By kind, where the queue lies while its server runs. Raises ServerMissingError."""

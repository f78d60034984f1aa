"""The topics of the ingest queue in Kafka: makes them, and tells how much lies in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from pitwall_runtime.ingest.queue.port import DeadLetter

SERVER_SECONDS: Final = 10.0
"""How long a broker may take for an answer."""

_PARTITIONS: Final = 8


@dataclass(slots=True)
class KafkaTopics:
    """Topics by `names`; `settings` are librdkafka's own. Methods raise KafkaException."""

    names: Sequence[str]
    settings: dict[str, Any]
    group: str
    are_there: bool = field(default=False, init=False)

    def make(self) -> None:
        """Make those that are missing."""
        if self.are_there:
            return
        admin = AdminClient(self.settings)
        known = admin.list_topics(timeout=SERVER_SECONDS).topics
        wanted = [NewTopic(name, _PARTITIONS) for name in self.names if name not in known]
        for future in admin.create_topics(wanted).values() if wanted else ():
            try:
                future.result(SERVER_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        self.are_there = True

    def lag(self, topic: str) -> int:
        """How many messages the group has not committed."""
        reader = self._reader()
        try:
            committed = reader.committed(_partitions(reader, topic), timeout=SERVER_SECONDS)
            ends = [reader.get_watermark_offsets(place, timeout=SERVER_SECONDS) for place in committed]
            return sum(high - max(place.offset, low) for place, (low, high) in zip(committed, ends, strict=True))
        finally:
            reader.close()

    def length(self, topic: str) -> int:
        """How many messages there are."""
        reader = self._reader()
        try:
            ends = [reader.get_watermark_offsets(place, timeout=SERVER_SECONDS) for place in _partitions(reader, topic)]
            return sum(high - low for low, high in ends)
        finally:
            reader.close()

    def newest(self, topic: str, limit: int) -> list[DeadLetter]:
        """The newest of each partition of a topic of dead letters, up to `limit` in all."""
        reader = self._reader()
        try:
            places, expected = [], 0
            for place in _partitions(reader, topic):
                low, high = reader.get_watermark_offsets(place, timeout=SERVER_SECONDS)
                place.offset = max(low, high - limit)
                expected += high - place.offset
                places.append(place)
            reader.assign(places)
            messages = reader.consume(expected, timeout=SERVER_SECONDS) if expected else []
            found = sorted(
                (message for message in messages if not message.error()), key=lambda one: -one.timestamp()[1]
            )
            return [DeadLetter.from_json(value_of(message)) for message in found[:limit]]
        finally:
            reader.close()

    def _reader(self) -> Consumer:
        self.make()
        return Consumer({**self.settings, "group.id": self.group, "enable.auto.commit": False})


def value_of(message: Message) -> bytes:
    """What a message holds; another program's may hold nothing."""
    value = message.value()
    return value if isinstance(value, bytes) else b""


def _partitions(reader: Consumer, topic: str) -> list[TopicPartition]:
    found = reader.list_topics(topic, timeout=SERVER_SECONDS).topics[topic].partitions
    return [TopicPartition(topic, number) for number in found]

"""Jobs of a Kafka topic that are not due are left alone until they are, and none is lost for that."""

import time
from dataclasses import dataclass

import pytest

from pitwall_runtime.ingest.queue.held_back import HeldBack
from pitwall_runtime.ingest.queue.port import IngestJob

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class NumberedMessage:
    number: int
    place: int

    def partition(self):
        return self.number

    def offset(self):
        return self.place


def test_what_is_due_first_comes_first():
    held = HeldBack()
    assert held.next_due() == float("inf")
    for place, due in enumerate((30.0, 10.0, 20.0, 10.0)):
        held.add(NumberedMessage(0, place), due)
    assert held.next_due() == 10
    assert [held.pop().place for _ in range(4)] == [1, 3, 2, 0]


def test_only_what_lies_ahead_in_the_same_partition_is_in_the_way():
    held = HeldBack()
    for number, place in ((0, 1), (0, 2), (1, 1), (0, 5)):
        held.add(NumberedMessage(number, place), 10.0 - place)
    assert held.ahead_of(NumberedMessage(0, 4)) == [(NumberedMessage(0, 1), 9.0), (NumberedMessage(0, 2), 8.0)]
    held.drop_ahead_of(NumberedMessage(0, 4))
    assert held.ahead_of(NumberedMessage(0, 9)) == [(NumberedMessage(0, 5), 5.0)]

    held.forget([0])
    assert (held.next_due(), held.pop()) == (9.0, NumberedMessage(1, 1))


@pytest.fixture
def open_one():
    """Opens the same topic of librdkafka's mock of a cluster as often as asked."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    from pitwall_runtime.ingest.queue.kafka import KafkaQueue

    keeper = confluent_kafka.Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = keeper.list_topics(timeout=10).brokers.values()
    for topic in ("films", "films.dead"):
        keeper.list_topics(topic, timeout=10)
    opened = []

    def open_it():
        opened.append(KafkaQueue("films", {"bootstrap.servers": f"{broker.host}:{broker.port}"}, visibility_seconds=6))
        return opened[-1]

    yield open_it
    for queue in opened:
        queue.close()


def job(number):
    return IngestJob(f"vid_{number}", f"https://films.example/{number}.mp4", 1_700_000_000.0, "")


def take(queue):
    latest = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < latest:
        if delivery := queue.take(1):
            return delivery
    raise AssertionError("no job came")


def test_while_nothing_is_due_nothing_is_written_and_what_is_new_is_done(open_one):
    queue = open_one()
    for number in range(20):
        queue.put(job(number))
    for _ in range(20):
        queue.again(take(queue), 600.0)
    assert queue.take(0.5) is None
    before = queue._length("films")
    assert [queue.take(0.1) for _ in range(5)] == [None] * 5
    assert queue._length("films") == before

    queue.put(job(99))
    queue.done(new := take(queue))
    assert new.job == job(99)
    assert queue.depth().waiting == 20, "those that it overtook are behind it now"


def test_what_one_worker_held_back_another_gets_when_it_is_due(open_one):
    first = open_one()
    for number in range(3):
        first.put(job(number))
    delivery, due = take(first), time.time() + 4
    for _ in range(2):
        first.again(delivery, due - time.time())
        delivery = take(first)
    first.again(delivery, due - time.time())
    assert first.take(0.1) is None
    first.close()

    second, found = open_one(), []
    for _ in range(3):
        delivery = take(second)
        assert time.time() >= due
        found.append(delivery.job.id)
        second.done(delivery)
    assert sorted(found) == ["vid_0", "vid_1", "vid_2"]
    assert second.depth().waiting == 0


def test_what_is_due_is_not_waited_for_longer(open_one):
    queue = open_one()
    queue.put(job(0))
    queue.again(take(queue), 2.0)
    given_back = time.monotonic()

    delivery = queue.take(PATIENCE_SECONDS)
    assert delivery
    assert delivery.job == job(0)
    assert time.monotonic() - given_back < PATIENCE_SECONDS / 2
    queue.done(delivery)

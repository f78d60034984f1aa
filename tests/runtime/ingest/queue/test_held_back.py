"""Jobs of a Kafka topic that are not due are left alone until they are, and none is lost for that."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from pitwall_runtime.ingest.queue.held_back import HeldBack, Partitions
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


def test_what_is_in_work_counts_until_its_partition_is_taken_away():
    ours = Partitions()
    first, other = ours.hand_out(NumberedMessage(0, 1)), ours.hand_out(NumberedMessage(1, 1))
    assert ours.counts(first)

    ours.take_away([0])
    assert not ours.counts(first)
    assert ours.counts(other)
    assert ours.counts(ours.hand_out(NumberedMessage(0, 1))), "it came again"


def test_what_was_finished_meanwhile_is_passed_over_once():
    ours = Partitions()
    ours.remember(NumberedMessage(0, 1))
    assert not ours.is_finished(NumberedMessage(1, 1))
    assert [ours.is_finished(NumberedMessage(0, 1)) for _ in range(2)] == [True, False]


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


def of_one_partition(number):
    """Jobs of one key lie in one partition, in the order in which they were put."""
    return IngestJob("vid_0", f"https://films.example/{number}.mp4", 1_700_000_000.0, "")


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
    before = queue._topics.length("films")
    assert [queue.take(0.1) for _ in range(5)] == [None] * 5
    assert queue._topics.length("films") == before

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


def _is_moving(queue, in_work):
    return queue._ours.counts(in_work.receipt) or not queue._joined().assignment()


@pytest.fixture
def moved(open_one):
    """A worker whose partitions moved while it had a job in work, ahead of which another is held back; the job; and
    the worker that some of them moved to, if only for a while."""
    first = open_one()
    first.put(of_one_partition(0))
    first.again(take(first), 600.0)
    first.put(of_one_partition(1))
    in_work = take(first)
    assert in_work.job == of_one_partition(1)
    second = open_one()
    latest = time.monotonic() + PATIENCE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        joined = pool.submit(second.take, 0.0)
        while _is_moving(first, in_work) and time.monotonic() < latest:
            first.extend(in_work)
            if joined.done():
                joined = pool.submit(second.take, 0.1)
    return first, in_work, second


def test_where_partitions_move_nothing_is_lost_and_what_was_finished_is_passed_over(moved):
    first, in_work, second = moved
    first.done(in_work)
    assert first.depth().waiting == 2, "what was held back lies ahead of it"

    second.close()
    latest = time.monotonic() + PATIENCE_SECONDS
    while first.depth().waiting > 1:
        assert first.take(0.2) is None, "it was done"
        assert time.monotonic() < latest

"""One conformance suite for every ingest queue, each with the real server behind it where there is one for it."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from benchmarks.ingest_queue.servers import ServerMissingError, kafka_broker, redis_server, sqs_server

from pitwall_crds.host.sockets import free_port
from pitwall_runtime.errors import QueueAddressError, QueueAwayError, QueueFullError
from pitwall_runtime.ingest.queue.catalogue import open_book, open_queue
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.queue.port import IngestJob, QueueDepth

VISIBILITY_SECONDS = 2.0
OF_KAFKA = {"kafka": 6.0, "broker": 6.0}
"""Its group takes no shorter session."""

PATIENCE_SECONDS = 60.0


def job(number=0, party=""):
    return IngestJob(f"vid_{number}", f"https://films.example/{number}.mp4?key=ü", 1_700_000_000.5, party)


def until(condition):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.05)


def local(tmp_path_factory):
    path = tmp_path_factory.mktemp("local") / "queue.sqlite"
    yield lambda name, **more: LocalQueue(path.with_name(f"{name}.sqlite"), **more)


def redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        from pitwall_runtime.ingest.queue.redis_streams import RedisQueue

        yield lambda name, **more: RedisQueue(address, name, **more)


def sqs(_):
    with pytest.MonkeyPatch.context() as patch, sqs_server() as endpoint:
        from pitwall_runtime.ingest.queue.sqs import SqsQueue

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        yield lambda name, **more: SqsQueue(name, region="eu-west-1", endpoint=endpoint, **more)


def broker(tmp_path_factory):
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as address:
        from pitwall_runtime.ingest.queue.kafka import KafkaQueue

        yield lambda name, **more: KafkaQueue(name, {"bootstrap.servers": address}, **more)


def kafka(_):
    """librdkafka's mock of a cluster: Kafka's protocol over TCP, groups and rebalancing included."""
    confluent_kafka = pytest.importorskip("confluent_kafka")
    from pitwall_runtime.ingest.queue.kafka import KafkaQueue

    keeper = confluent_kafka.Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = keeper.list_topics(timeout=10).brokers.values()
    settings = {"bootstrap.servers": f"{broker.host}:{broker.port}"}

    def opened(name, **more):
        for topic in (name, f"{name}.dead"):  # the mock makes topics that are asked about, not those that are created
            keeper.list_topics(topic, timeout=10)
        return KafkaQueue(name, settings, **more)

    yield opened


SERVERS = {"local": local, "redis": redis, "sqs": sqs, "kafka": kafka, "broker": broker}


ALWAYS = ("local", "redis", "sqs")
"""Kafka's groups move partitions when a consumer joins, which takes long, and may give a job in work to another."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(one, marks=() if one in ALWAYS else pytest.mark.soak) for one in SERVERS],
)
def server(request, tmp_path_factory):
    """Opens queues of one kind, by name."""
    try:
        yield from SERVERS[request.param](tmp_path_factory)
    except ServerMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def visibility(request):
    """Seconds after which a job that nobody extends is given to somebody else."""
    return OF_KAFKA.get(request.node.callspec.params["server"], VISIBILITY_SECONDS)


@pytest.fixture
def open_one(server, visibility):
    """Opens the same new queue as often as asked, as several processes would."""
    name, opened = f"q-{uuid.uuid4().hex[:12]}", []

    def open_it(**more):
        opened.append(server(name, **{"visibility_seconds": visibility, **more}))
        return opened[-1]

    yield open_it
    for queue in opened:
        queue.close()


def take(queue):
    """The next job; a group may take seconds to begin."""
    latest = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < latest:
        delivery = queue.take(1)
        if delivery:
            return delivery
    raise AssertionError("no job came")


def test_a_job_arrives_as_it_was_put_and_is_gone_when_it_is_done(open_one):
    open_one().put(job(party="app.ann"))
    worker = open_one()
    delivery = take(worker)
    assert delivery.job == job(party="app.ann")
    worker.done(delivery)
    assert worker.take(1) is None
    assert worker.depth() == QueueDepth(0, 0, 0)


def test_every_job_is_done_by_some_worker(open_one):
    queue, done = open_one(), []
    for number in range(12):
        queue.put(job(number))

    def work(worker):
        while len(done) < 12:
            delivery = worker.take(1)
            if delivery:
                worker.done(delivery)
                done.append(delivery.job.id)

    workers = [open_one() for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, workers))
    assert sorted(set(done)) == sorted(f"vid_{number}" for number in range(12))


def test_a_job_that_is_being_worked_on_is_given_to_nobody_else(open_one, visibility):
    """As long as nobody joins: a group of Kafka then shares its partitions anew, that of a job in work among them."""
    workers = [open_one(), open_one()]
    until(lambda: all(has_joined(worker) for worker in workers))
    workers[0].put(job())
    taken = []
    until(lambda: taken.extend((one, found) for one in workers if not taken and (found := one.take(0.2))) or taken)
    [(worker, delivery)] = taken
    (other,) = (one for one in workers if one is not worker)
    latest = time.monotonic() + 1.5 * visibility
    while time.monotonic() < latest:  # longer than the visibility: the beats are what keeps it
        worker.extend(delivery)
        assert other.take(0.5) is None
    worker.done(delivery)
    assert worker.depth().waiting == 0


def has_joined(worker) -> bool:
    """Whether a worker of an empty queue gets jobs from now on: in a group of Kafka, once it has a share of it."""
    assert worker.take(0.1) is None
    return type(worker).__name__ != "KafkaQueue" or bool(worker._consumer.assignment())


def test_another_try_comes_back(open_one):
    queue = open_one()
    queue.put(job())
    for _ in range(3):
        queue.again(take(queue))
    queue.done(take(queue))
    until(lambda: queue.depth() == QueueDepth(0, 0, 0))


def test_another_try_may_be_later_and_holds_nobody_up(open_one):
    queue = open_one()
    for number in range(2):
        queue.put(job(number))
    first = take(queue)
    given_back = time.time()
    queue.again(first, 4.0)
    other = take(queue)
    queue.done(other)
    until(lambda: (depth := queue.depth()).waiting + depth.taken == 1)
    later = take(queue)

    assert time.time() - given_back >= 3, "some servers count in whole seconds"
    assert {first.job, other.job} == {job(0), job(1)}
    assert later.job == first.job
    queue.done(later)
    until(lambda: queue.depth() == QueueDepth(0, 0, 0))


def test_what_is_tried_later_is_one_of_those_that_a_queue_may_hold(open_one):
    queue = open_one(max_waiting=1)
    queue.put(job(0))
    queue.again(take(queue), 600.0)
    if type(queue).__name__ == "SqsQueue":
        assert queue.depth() == QueueDepth(0, 1, 0), "it counts what nobody sees as taken"
        return
    assert queue.depth() == QueueDepth(1, 0, 0)
    with pytest.raises(QueueFullError):
        queue.put(job(1))


def test_what_cannot_be_done_is_kept_with_its_reason(open_one):
    queue = open_one()
    for number in range(3):
        queue.put(job(number))
        queue.bury(take(queue), f"no video: {number}")
    until(lambda: queue.depth() == QueueDepth(0, 0, 3))
    letters = queue.dead_letters(10)
    assert {(letter.job.id, letter.reason) for letter in letters} == {(f"vid_{n}", f"no video: {n}") for n in range(3)}
    until(lambda: len(queue.dead_letters(2)) == 2)


class NoJob(IngestJob):
    """What another program puts there."""

    def to_json(self):
        return "hello\x00 {"


def test_a_message_that_is_no_job_is_delivered_as_such_and_stands_in_nobodys_way(open_one):
    queue = open_one()
    queue.put(NoJob("other", "", 0.0))
    other = take(queue)
    queue.bury(other, "no job")
    queue.put(job())

    assert other.job.unread.startswith("hello")
    assert take(queue).job == job()
    until(lambda: queue.depth().dead == 1)
    assert [(letter.job, letter.reason) for letter in queue.dead_letters(10)] == [(other.job, "no job")]


def test_a_full_queue_refuses(open_one):
    queue = open_one(max_waiting=2)
    queue.put(job(1))
    queue.put(job(2))
    with pytest.raises(QueueFullError, match="videos wait already"):
        queue.put(job(3))


TURNS = ("local",)
"""Queues in which parties take turns; the others deliver as jobs came, and the desk bounds what one caller has."""


def taken(queue, count):
    """The next so many jobs, each done at once."""
    found = []
    for _ in range(count):
        delivery = take(queue)
        queue.done(delivery)
        found.append(delivery.job.id)
    return found


@pytest.fixture
def turning(request, open_one):
    if request.node.callspec.params["server"] not in TURNS:
        pytest.skip("jobs come in their order here")
    return open_one()


def test_nobody_waits_behind_all_that_another_has_sent(turning):
    for number in range(5):
        turning.put(job(number, "web."))
    assert taken(turning, 1) == ["vid_0"]
    turning.put(job(7, "app.ann"))
    turning.put(job(8, "app.ann"))
    assert taken(turning, 6) == ["vid_7", "vid_1", "vid_8", "vid_2", "vid_3", "vid_4"]


def test_a_callers_hundred_users_are_one_caller_to_the_others(turning):
    """Once another caller's video stood behind one of each."""
    for number in range(200):
        turning.put(job(number, f"web.user-{number % 100}"))
    for number in (300, 301, 302):
        turning.put(job(number, "app."))

    assert taken(turning, 7) == ["vid_0", "vid_300", "vid_1", "vid_301", "vid_2", "vid_302", "vid_3"]


def test_a_callers_users_take_turns_in_its_own(turning):
    for number in range(3):
        turning.put(job(number, "web.ann"))
    turning.put(job(7, "web.bob"))
    turning.put(job(8, "app.ann"))

    assert taken(turning, 5) == ["vid_0", "vid_8", "vid_7", "vid_1", "vid_2"]


def test_who_has_jobs_in_work_gives_way_to_who_has_none(turning):
    for number in range(4):
        turning.put(job(number, "web."))
    for _ in range(2):
        take(turning)
    turning.put(job(7, "app.ann"))
    turning.put(job(8, "app.ann"))
    assert [take(turning).job.id for _ in range(2)] == ["vid_7", "vid_8"]


def test_what_fails_goes_behind_the_others_and_holds_nobody_up(turning):
    turning.put(job(0, "web."))
    turning.put(job(1, "web."))
    turning.again(take(turning))
    turning.put(job(7, "app.ann"))
    assert taken(turning, 3) == ["vid_7", "vid_1", "vid_0"]


def test_one_who_sends_one_video_after_the_other_does_not_keep_another_waiting(turning):
    for number in range(3):
        turning.put(job(number, "web."))
    order = []
    for number in range(10, 13):
        turning.put(job(number, "app.ann"))
        order += taken(turning, 2)
    assert sorted(order[:4]) == ["vid_0", "vid_1", "vid_10", "vid_11"]


def test_a_file_of_an_earlier_version_is_read_on(tmp_path):
    with sqlite3.connect(tmp_path / "ingest.sqlite") as connection:
        connection.execute(
            "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, "
            "visible_at REAL NOT NULL, receipt TEXT)"
        )
        body = '{"id": "vid_0", "url": "https://films.example/0.mp4", "submitted_at": 1.0}'
        connection.execute("INSERT INTO jobs (body, visible_at) VALUES (?, 0)", (body,))
    connection.close()
    for _ in range(2):
        queue = LocalQueue(tmp_path / "ingest.sqlite")
        queue.put(job(1, "app.ann"))
        assert len(taken(queue, 1)) == 1
        queue.close()


def test_depth_counts_what_waits(open_one):
    queue = open_one()
    for number in range(5):
        queue.put(job(number))
    until(lambda: open_one().depth().waiting == 5)


def test_the_job_of_a_worker_that_was_killed_comes_back(open_one, visibility):
    """kill -9 of a real process that has taken it; the queue's server and its data live on."""
    queue = open_one()
    queue.put(job(7))
    with worker_process(queue, visibility) as process:
        assert process.stdout.readline() == "vid_7\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    survivor = open_one()
    delivery = take(survivor)
    assert delivery.job == job(7)
    survivor.done(delivery)
    until(lambda: survivor.depth() == QueueDepth(0, 0, 0))


def worker_process(queue, visibility):
    """A process that takes a job of the same queue and works on it for ever."""
    kind = type(queue)
    arguments, more = reopening(queue, {"visibility_seconds": visibility})
    code = (
        "import json, pathlib, sys, time\n"
        f"from {kind.__module__} import {kind.__name__}\n"
        "arguments, more = json.loads(sys.argv[1])\n"
        + ("arguments[0] = pathlib.Path(arguments[0])\n" if kind is LocalQueue else "")
        + f"queue = {kind.__name__}(*arguments, **more)\n"
        "while not (found := queue.take(1)): pass\n"
        "print(found.job.id, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, json.dumps([arguments, more])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


def reopening(queue, more):
    """The arguments that open the same queue in another process."""
    match type(queue).__name__:
        case "LocalQueue":
            return [str(queue.path)], more
        case "RedisQueue":
            found = queue._client.connection_pool.connection_kwargs
            return [f"redis://{found['host']}:{found['port']}/0", queue._stream], more
        case "SqsQueue":
            return [queue._name], {**more, "region": "eu-west-1", "endpoint": queue._client.meta.endpoint_url}
        case _:
            return [queue._topic, {"bootstrap.servers": queue._settings["bootstrap.servers"]}], more


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("rabbit://x", "use sqlite:///PATH, redis://, sqs:// or kafka://"),
        ("rabbit://ann:secret@x", "'rabbit://…@x' is no queue"),
        ("sqlite://", "use sqlite:///PATH"),
        ("redis://:secret@host:99999/0", "'redis://…@host:99999/0' cannot be used as a queue"),
        ("sqs:///films", "cannot be used as a queue"),
        ("kafka://host/films?no.such.setting=1", "No such configuration property"),
        ("http://[", "is no address"),
    ],
)
def test_an_address_that_is_no_queue_is_told_what_is_one(tmp_path, address, words):
    with pytest.raises(QueueAddressError, match=words) as told:
        open_queue(address, tmp_path)
    assert "secret" not in told.value.message


@pytest.mark.parametrize("address", ["redis://:secret@host:99999/0", "http://ann:secret@host"])
def test_an_address_that_is_no_book_is_told(tmp_path, address):
    with pytest.raises(QueueAddressError, match="book") as told:
        open_book(address, "", tmp_path)
    assert "secret" not in told.value.message


@pytest.mark.parametrize(("scheme", "module"), [("rediss", "redis"), ("sqs", "boto3"), ("kafka", "confluent_kafka")])
def test_a_queue_whose_package_is_missing_says_which_extra_brings_it(tmp_path, monkeypatch, scheme, module):
    kind = scheme.removesuffix("s") if scheme == "rediss" else scheme
    for adapter in ("redis_streams", "sqs", "kafka"):
        monkeypatch.delitem(sys.modules, f"pitwall_runtime.ingest.queue.{adapter}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(QueueAddressError, match=rf"pip install '\.\[{kind}\]' in your checkout of Pitwall brings it"):
        open_queue(f"{scheme}://host/name", tmp_path)


def test_a_server_that_is_away_is_told(tmp_path):
    queue = open_queue(f"redis://127.0.0.1:{free_port()}/0", tmp_path)
    with pytest.raises(QueueAwayError, match="does not answer"):
        queue.put(job())
    queue.close()


def deleted(queue, name):
    """Delete what the queue keeps its jobs in, behind its back."""
    match name:
        case "local":
            for path in queue.path.parent.glob(f"{queue.path.name}*"):
                path.unlink()
        case "redis":
            queue._client.delete(queue._stream)
        case "sqs":
            queue._client.delete_queue(QueueUrl=queue._client.get_queue_url(QueueName=queue._name)["QueueUrl"])


def test_a_queue_that_was_deleted_is_made_again_for_all_who_have_it_open(open_one, request):
    name = request.node.callspec.params["server"]
    if name not in ALWAYS:
        pytest.skip("topics are the broker's")
    queue, worker = open_one(), open_one()
    queue.put(job(0))
    take(worker)
    deleted(queue, name)

    until(lambda: _was_put(queue, job(1)))
    fresh = open_one()
    assert take(fresh).job == job(1)
    fresh.put(job(2))
    assert until_taken(worker).job == job(2)


def _was_put(queue, new):
    try:
        queue.put(new)
    except QueueAwayError:
        return False
    return True


def until_taken(queue):
    """The next job; a server may be told once that it knows nothing of what was deleted."""
    with contextlib.suppress(QueueAwayError):
        return take(queue)
    return take(queue)


def test_a_file_that_is_no_queue_is_told(tmp_path):
    (tmp_path / "ingest.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(QueueAwayError, match=r"ingest\.sqlite cannot be used"):
        open_queue("", tmp_path).put(job())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"id": 1}',
        '{"id": "a", "url": "b", "submitted_at": null}',
        b"\xff",
        "[" * 100_000,
        '{"id": "a", "url": "b", "submitted_at": ' + "9" * 400 + "}",
        '{"id": "\\ud800", "url": "b", "submitted_at": 1}',
    ],
)
def test_what_is_no_job_is_one_that_says_so(text):
    read = IngestJob.from_json(text)

    assert read.unread
    assert len(read.unread) <= 1000
    assert IngestJob.from_json(read.to_json()) == read

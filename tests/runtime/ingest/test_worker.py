"""The ingest worker: a video sent once is prepared once for every variant, whatever happens to workers on the way."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace

import httpx
import psutil
import pytest
import yaml
from harness import forked

from pitwall_crds.host.files import write_whole
from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import Metric
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadQuestionError, MediaOriginError
from pitwall_runtime.ingest.__main__ import main
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.fetch import rechecks
from pitwall_runtime.ingest.fetch.addresses import FRESH_SECONDS
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.pauses import HostPauses
from pitwall_runtime.ingest.queue.book import FolderBook, VideoRecord, VideoState, change
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.queue.port import Delivery, IngestJob, QueueDepth
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.ingest.variants import FollowedVariants
from pitwall_runtime.ingest.worker import IngestWorker, WorkLimits
from pitwall_runtime.pipeline.pipeline import Pipeline, preparing_pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.__main__ import main as clear
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.frames.disk import has_frames

PATIENCE_SECONDS = 90.0


def until(condition):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.02)


def write_variant(folder, variant):
    data = variant.to_yaml_dict() | {"apiVersion": variant.api_version, "kind": variant.kind}
    write_whole(folder / f"{variant.metadata.name}.yaml", yaml.safe_dump(data))
    return folder / f"{variant.metadata.name}.yaml"


@dataclass
class Ingest:
    """A desk and a worker of one cache folder."""

    desk: IngestDesk
    worker: IngestWorker
    ended: list[str]


@pytest.fixture
def ingest(tmp_path, clip, make_variant):
    cache, ended = tmp_path / "cache", []
    queue, book = LocalQueue(cache / "ingest.sqlite"), FolderBook(cache / "videos")
    folder = tmp_path / "variants"
    for name in ("aks", "uniform"):
        write_variant(folder, make_variant(name))
    variants = FollowedVariants(
        lambda variant: preparing_pipeline(variant, cache, PipelineResources(Quota(cache), 1 << 20)), folder=folder
    )
    limits = WorkLimits(attempts=3, wait_seconds=0, pause_seconds=0.01, retry_seconds=(0.0,))
    worker = IngestWorker(
        queue, book, Resolver((clip.parent,), cache / "downloads"), variants, limits, told=ended.append
    )
    yield Ingest(IngestDesk(queue, book), worker, ended)
    queue.close()


def test_a_prepared_video_is_warm_for_the_first_question(ingest, clip, make_variant, tmp_path):
    sent = ingest.desk.submit(clip.as_uri())
    assert (sent.state, ingest.worker.queue.depth()) == (VideoState.QUEUED, QueueDepth(1, 0, 0))
    assert ingest.worker.step()
    record = ingest.desk.find(sent.id)
    assert (record.state, record.seconds, record.variants) == (VideoState.READY, 20, {"aks-v1": 1.0, "uniform-v1": 1.0})
    assert ingest.worker.queue.depth() == QueueDepth(0, 0, 0)

    pipeline = Pipeline(make_variant("aks"), tmp_path / "cache", RuntimeTelemetry("aks", "stable"))
    video = ingest.worker.resolver.resolve(clip.as_uri())
    assert not pipeline.answer(video, "blue", "stable").cold
    assert (pipeline.preparation.videos_decoded, pipeline.encoders.frames_encoded) == (0, 0)


def test_how_far_a_video_is_decoded_is_shown_once_a_minute_of_it(ingest, make_clip, clip):
    film = make_clip(clip.with_name("minutes.mp4"), [("red", 150)], rate=2)

    class WatchedBook(FolderBook):
        def put(self, record):
            told.append((record.state, record.seconds))
            super().put(record)

    told = []
    ingest.worker.book = WatchedBook(ingest.worker.book.folder)
    ingest.desk.submit(film.as_uri())
    assert ingest.worker.step()

    decoding = [seconds for state, seconds in told if state is VideoState.DECODING]
    assert decoding == [0, 60, 120]
    assert told[-1] == (VideoState.READY, 150)


def test_who_sends_the_same_video_again_while_it_waits_changes_nothing(ingest, clip):
    first = ingest.desk.submit(clip.as_uri())
    assert ingest.desk.submit(clip.as_uri()) == first
    assert ingest.worker.queue.depth().waiting == 1


def test_the_same_content_under_another_name_is_not_prepared_twice(ingest, clip):
    copy = clip.with_name("a-copy.mp4")
    shutil.copy(clip, copy)
    ids = [ingest.desk.submit(path.as_uri()).id for path in (clip, copy)]
    ids.append(ingest.desk.submit(clip.as_uri()).id)
    while ingest.worker.step():
        pass
    records = [ingest.desk.find(key) for key in ids]
    assert {record.state for record in records} == {VideoState.READY}
    assert len({record.content_hash for record in records}) == 1
    (aks, shared), (uniform, same) = ingest.worker.variants.pipelines()
    assert (aks, uniform, shared is same, shared.preparation.videos_decoded) == ("aks-v1", "uniform-v1", True, 1)


def test_a_ready_video_that_is_sent_again_is_looked_at_again(ingest, clip):
    key = ingest.desk.submit(clip.as_uri()).id
    ingest.worker.step()
    assert ingest.desk.submit(clip.as_uri()).state is VideoState.QUEUED
    assert ingest.worker.step()
    assert ingest.desk.find(key).state is VideoState.READY


def test_what_is_no_video_is_told_once_and_kept_with_its_reason(ingest, clip):
    bad = clip.with_name("bad.mp4")
    bad.write_bytes(b"\0\0\0\x20ftypisom" + bytes(3000))
    key = ingest.desk.submit(bad.as_uri()).id
    assert ingest.worker.step()
    record = ingest.desk.find(key)
    assert (record.state, record.attempts) == (VideoState.FAILED, 1)
    assert record.error_code in {"not_a_video", "media_broken"}
    assert [letter.reason for letter in ingest.worker.queue.dead_letters(5)] == [record.error]
    assert ingest.ended == ["failed"]


def test_a_message_that_is_no_job_is_buried_and_the_next_job_done(ingest, clip):
    class Greeting(IngestJob):
        def to_json(self):
            return "hello"

    ingest.worker.queue.put(Greeting("other", "", 0.0))
    key = ingest.desk.submit(clip.as_uri()).id

    assert ingest.worker.step()
    assert ingest.worker.step()
    [letter] = ingest.worker.queue.dead_letters(5)
    assert (letter.job.unread, letter.reason.partition(";")[0]) == ("hello", "this message is no ingest job")
    assert ingest.desk.find(key).state is VideoState.READY


def test_what_may_pass_is_tried_again_and_not_for_ever(ingest, clip, monkeypatch):
    def away(*_, **__):
        raise MediaOriginError("its server fails")

    monkeypatch.setattr(ingest.worker, "resolver", type("Away", (), {"resolve": away})())
    key = ingest.desk.submit(clip.as_uri()).id
    while ingest.worker.step():
        pass
    record = ingest.desk.find(key)
    assert (record.state, record.attempts, record.error) == (VideoState.FAILED, 3, "its server fails")
    assert ingest.ended == ["again", "again", "failed"]


@pytest.mark.parametrize(
    ("attempts", "asked_for", "seconds"),
    [
        pytest.param(1, 0, 10, id="soon"),
        pytest.param(4, 0, 900, id="and ever later"),
        pytest.param(9, 0, 900, id="but not for ever"),
        pytest.param(1, 120, 120, id="as late as the server asks for"),
        pytest.param(4, 120, 900, id="or later"),
        pytest.param(1, 86_400, 1800, id="half an hour at most"),
    ],
)
def test_the_next_attempt_is_later_each_time(attempts, asked_for, seconds):
    assert WorkLimits().delay_seconds(attempts, asked_for) == seconds


@pytest.mark.parametrize(
    "asked_for",
    [
        b"Retry-After: 700",
        b"Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:39:40 GMT",
    ],
    ids=["seconds", "a date"],
)
def test_a_server_that_asks_for_a_pause_has_it_and_the_others_videos_go_on(ingest, clip, wild, asked_for):
    busy = b"HTTP/1.1 429 Too Many Requests\r\n" + asked_for + b"\r\nContent-Length: 0\r\n\r\n"
    worker, downloads = ingest.worker, clip.with_name("downloads")
    limits = DownloadLimits(allowed_hosts=frozenset({wild.host}))
    worker = replace(worker, resolver=Resolver((clip.parent,), downloads, limits), limits=WorkLimits(wait_seconds=0))
    key, other = ingest.desk.submit(wild.url("/film.mp4", busy)).id, ingest.desk.submit(clip.as_uri()).id
    begun = time.time()
    while worker.step():
        pass

    record = ingest.desk.find(key)
    assert (record.state, record.attempts, len(wild.requests)) == (VideoState.QUEUED, 1, 1)
    assert "after 700 s" in record.error
    assert ingest.desk.find(other).state is VideoState.READY
    assert worker.queue.depth() == QueueDepth(1, 0, 0)
    with sqlite3.connect(worker.queue.path) as connection:
        [(due,)] = connection.execute("SELECT visible_at FROM jobs").fetchall()
    connection.close()
    assert begun + 700 <= due <= time.time() + 700


def test_a_busy_server_uses_up_the_attempts_of_none_but_the_one_video_that_asked_it(ingest, clip, wild):
    busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
    now = 1000.0
    resolver = Resolver((), clip.with_name("downloads"), DownloadLimits(allowed_hosts=frozenset({wild.host})))
    worker = replace(
        ingest.worker,
        resolver=resolver,
        limits=WorkLimits(wait_seconds=0, retry_seconds=(0.0,)),
        pauses=HostPauses(lambda: now),
    )
    mine = [ingest.desk.submit(wild.url(f"/{number}.mp4", busy), party="app.ann").id for number in range(8)]
    for _ in mine:
        assert worker.step()
    records = [ingest.desk.find(key) for key in mine]
    assert [record.attempts for record in records] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert "too busy with others" in records[-1].error
    assert (len(wild.requests), worker.queue.depth()) == (1, QueueDepth(8, 0, 0))

    other = ingest.desk.submit(wild.url("/0.mp4", busy), owner="bob", party="app.bob").id
    assert worker.step()
    assert ingest.desk.find(other, "bob").attempts == 1, "another's videos are held up by nobody"

    now += 61
    with sqlite3.connect(worker.queue.path) as connection:
        connection.execute("UPDATE jobs SET visible_at = 0 WHERE party = 'app.ann'")
    connection.close()
    for number in range(8):
        wild.url(f"/{number}.mp4", served(clip.read_bytes()))
    while worker.step():
        pass
    assert {ingest.desk.find(key).state for key in mine} == {VideoState.READY}


def test_a_server_that_is_busy_for_days_is_not_waited_for(ingest, clip, wild):
    busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
    resolver = Resolver((), clip.with_name("downloads"), DownloadLimits(allowed_hosts=frozenset({wild.host})))
    worker = replace(ingest.worker, resolver=resolver)
    worker.pauses.note("", url := wild.url("/film.mp4", busy), 60.0)
    worker.queue.put(IngestJob("vid_old", url, time.time() - 2 * 86_400))

    assert worker.step()
    assert (worker.book.find("vid_old").attempts, len(wild.requests)) == (1, 1)


def served(body):
    return b'HTTP/1.1 200 OK\r\nETag: "%d"\r\nContent-Length: %d\r\n\r\n' % (len(body), len(body)) + body


def with_ready(ingest, wild, url, clip):
    """A worker that has prepared `clip` from there, longer ago than its server need not be asked; and its record."""
    wild.url("/film.mp4", served(clip.read_bytes()))
    downloads = ingest.worker.resolver.downloads
    resolver = Resolver((), downloads, DownloadLimits(allowed_hosts=frozenset({wild.host})))
    worker = replace(ingest.worker, resolver=resolver)
    key = ingest.desk.submit(url).id
    assert worker.step()
    [path] = (downloads / "addresses").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "checkedAt": time.time() - 2 * FRESH_SECONDS}))
    assert ingest.desk.find(key).state is VideoState.READY
    return worker, ingest.desk.find(key)


def test_a_film_that_was_changed_is_ready_as_it_is_now_however_late_its_server_says_so(
    ingest, clip, make_clip, wild, monkeypatch
):
    monkeypatch.setattr(rechecks, "RECHECK_SECONDS", 0.1)
    changed, go = make_clip(clip.with_name("changed.mp4"), [("blue", 3)]).read_bytes(), threading.Event()
    url = wild.url("/film.mp4", b"")
    worker, before = with_ready(ingest, wild, url, clip)

    def late(connection, _):
        go.wait(PATIENCE_SECONDS)
        connection.sendall(served(changed))

    wild.url("/film.mp4", late)
    ingest.desk.submit(url)
    working = threading.Thread(target=worker.step)
    working.start()
    until(lambda: len(wild.asked("/film.mp4")) == 2)
    question = Resolver((), worker.resolver.downloads, worker.resolver.limits)
    assert question.resolve(url, Deadline(PATIENCE_SECONDS)).content_hash == before.content_hash
    go.set()
    working.join(PATIENCE_SECONDS)

    record = ingest.desk.find(before.id)
    assert (record.state, record.seconds) == (VideoState.READY, 3)
    assert (worker.resolver.downloads / record.content_hash).read_bytes() == changed


def test_a_film_whose_server_does_not_say_is_tried_again_and_not_called_ready_as_it_was(ingest, clip, wild):
    url = wild.url("/film.mp4", b"")
    worker, before = with_ready(ingest, wild, url, clip)
    wild.url("/film.mp4", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    ingest.desk.submit(url)
    assert worker.step()
    record = ingest.desk.find(before.id)
    assert (record.state, record.error_code, ingest.ended) == (VideoState.QUEUED, "media_origin", ["ready", "again"])

    wild.url("/film.mp4", b"HTTP/1.1 304 Not Modified\r\n\r\n")
    assert worker.step()
    assert (ingest.desk.find(before.id).state, ingest.ended[-1]) == (VideoState.READY, "ready")


def test_a_bug_is_tried_again_and_ends_among_the_dead(ingest, clip, monkeypatch):
    broken = FollowedVariants(lambda _: object(), folder=ingest.worker.variants.folder)
    monkeypatch.setattr(ingest.worker, "variants", broken)
    key = ingest.desk.submit(clip.as_uri()).id
    while ingest.worker.step():
        pass
    assert ingest.desk.find(key).error_code == "internal_error"
    assert ingest.worker.queue.depth() == QueueDepth(0, 0, 1)


def test_a_queue_is_told_that_work_goes_on_after_a_beat_that_broke(ingest, monkeypatch, caplog):
    """Else another worker begins the same video."""
    beats = []

    def breaks_once(_, delivery):
        beats.append(delivery)
        if len(beats) == 1:
            raise KeyError("nobody thought of it")

    monkeypatch.setattr(LocalQueue, "extend", breaks_once)
    ingest.worker.limits = replace(ingest.worker.limits, beat_seconds=0.01)
    with ingest.worker._beating(Delivery(IngestJob("film", "file:///film", 0.0), None)):
        until(lambda: len(beats) > 1)

    assert "the queue could not be told that work on film goes on" in caplog.text


def test_a_video_that_ends_every_worker_is_given_up(ingest, clip):
    key = ingest.desk.submit(clip.as_uri()).id
    change(
        ingest.worker.book, ingest.desk.find(key), state=VideoState.DECODING, attempts=3
    )  # as three crashes leave it
    assert ingest.worker.step()
    record = ingest.desk.find(key)
    assert (record.state, record.error) == (VideoState.FAILED, "every worker that tried it ended")


@contextlib.contextmanager
def no_decoder_lives():
    """As where something else has taken all memory, and the kernel kills for it."""
    over = threading.Event()

    def kill():
        while not over.wait(0.005):
            for one in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "pitwall_runtime.stages.decode.worker" in one.cmdline():
                        one.kill()

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    try:
        yield
    finally:
        over.set()
        killing.join()


def test_a_video_whose_decoder_is_killed_has_one_more_attempt(ingest, clip):
    key = ingest.desk.submit(clip.as_uri()).id
    with no_decoder_lives():
        assert ingest.worker.step()
    record = ingest.desk.find(key)
    assert (record.state, record.attempts) == (VideoState.QUEUED, 1)
    assert "decoding stopped" in record.error

    assert ingest.worker.step()
    assert ingest.desk.find(key).state is VideoState.READY
    assert ingest.ended == ["again", "ready"]


def test_a_video_that_ends_its_decoder_twice_is_given_up(ingest, clip):
    key = ingest.desk.submit(clip.as_uri()).id
    with no_decoder_lives():
        assert ingest.worker.step()
        assert ingest.worker.step()
    record = ingest.desk.find(key)
    assert (record.state, record.attempts) == (VideoState.FAILED, 2)
    assert "decoding stopped" in record.error


def test_a_video_that_was_ready_when_its_worker_ended_stays_ready(ingest, clip):
    """Killed after the last attempt went well, and before the queue heard of it."""
    key = ingest.desk.submit(clip.as_uri()).id
    ready = change(ingest.worker.book, ingest.desk.find(key), state=VideoState.READY, attempts=3, seconds=20.0)

    assert ingest.worker.step()
    assert ingest.desk.find(key) == ready
    assert ingest.worker.queue.depth() == QueueDepth(0, 0, 0)
    assert ingest.ended == []


@pytest.mark.parametrize("run", [IngestWorker.run, IngestWorker.run_until_empty])
def test_a_worker_that_is_stopped_gives_its_job_back(ingest, clip, monkeypatch, run):
    started = threading.Event()

    def slow(_, deadline: Deadline, party: str):
        started.set()
        until(lambda: deadline.given_up)
        deadline.check()

    monkeypatch.setattr(ingest.worker, "resolver", type("Slow", (), {"resolve": lambda self, *a, certain: slow(*a)})())
    key = ingest.desk.submit(clip.as_uri()).id
    running = threading.Thread(target=run, args=(ingest.worker,), daemon=True)
    running.start()
    assert started.wait(PATIENCE_SECONDS)
    ingest.worker.stop()
    running.join(PATIENCE_SECONDS)
    assert not running.is_alive()
    assert (ingest.desk.find(key).state, ingest.desk.find(key).attempts) == (VideoState.QUEUED, 0)
    assert ingest.worker.queue.depth() == QueueDepth(1, 0, 0)


@pytest.mark.parametrize("url", ["", "film.mp4", "ftp://x/y", "http://[", "javascript:alert(1)"])
def test_what_is_no_address_is_refused_at_the_desk(ingest, url):
    with pytest.raises(BadQuestionError, match="https://"):
        ingest.desk.submit(url)
    assert ingest.worker.queue.depth().waiting == 0


def test_a_record_whose_job_was_lost_is_sent_again(ingest, clip):
    sent = ingest.desk.submit(clip.as_uri())
    ingest.worker.queue.done(ingest.worker.queue.take(0))
    ingest.worker.book.put(VideoRecord(sent.id, updated_at=time.time() - 4000))
    ingest.desk.submit(clip.as_uri())
    assert ingest.worker.queue.depth().waiting == 1


@pytest.mark.parametrize("content", ["", "[]", '{"id": 7}', '{"id": "x", "state": "lost"}'])
def test_a_damaged_record_counts_as_none(ingest, clip, content):
    sent = ingest.desk.submit(clip.as_uri())
    next(ingest.worker.book.folder.iterdir()).write_text(content)
    assert ingest.desk.find(sent.id) is None


def worker_process(tmp_path, clip, variant, *options):
    path = write_variant(tmp_path, variant)
    command = [sys.executable, "-m", "pitwall_runtime.ingest", "work", "--variant", path, "--cache-dir"]
    command += [tmp_path / "cache", "--media-root", clip.parent, *options]
    return subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)


def test_what_a_killed_worker_had_is_done_by_the_next(tmp_path, clip, make_variant, wild, capsys):
    """kill -9 of a real process while the video's server drips; the next worker finds the whole film there."""
    cache, film = tmp_path / "cache", clip.read_bytes()
    desk = IngestDesk(LocalQueue(cache / "ingest.sqlite"), FolderBook(cache / "videos"))

    def drips(connection, server):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(film)}\r\n\r\n".encode() + film[:2000])
        server.ended.wait()

    key = desk.submit(wild.url("/film.mp4", drips)).id
    options = ("--allow-host", wild.host)
    with worker_process(tmp_path, clip, make_variant(), *options) as process:
        until(lambda: wild.asked("/film.mp4"))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert desk.find(key).state is VideoState.FETCHING
    assert desk.queue.depth() == QueueDepth(0, 1, 0)
    with sqlite3.connect(cache / "ingest.sqlite") as connection:  # the visibility time has passed
        connection.execute("UPDATE jobs SET visible_at = 0")
    connection.close()

    wild.url("/film.mp4", f"HTTP/1.1 200 OK\r\nContent-Length: {len(film)}\r\n\r\n".encode() + film)
    port = free_port()
    with worker_process(tmp_path, clip, make_variant(), *options, "--metrics-port", str(port)) as process:
        until(lambda: desk.find(key).state is VideoState.READY)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
    assert desk.find(key).attempts == 2
    assert f'{Metric.INGEST_QUEUE}{{state="waiting"}} 0.0' in metrics
    desk.queue.close()
    assert main(["status", "--cache-dir", str(cache)]) == 0
    assert json.loads(capsys.readouterr().out) == {"waiting": 0, "taken": 0, "dead": 0, "letters": []}


def test_a_queue_that_cannot_be_opened_is_one_line(tmp_path, capsys):
    assert main(["status", "--cache-dir", str(tmp_path), "--queue-url", "rabbit://x"]) == 2
    assert capsys.readouterr().err.startswith("pitwall ingest: 'rabbit://x' is no queue")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cache-dir", __file__), "can be no cache folder"),
        (("--shared-url", "s4://bucket"), "--shared-url or --hot-url cannot be used"),
        (("--hot-url", "http://host"), "use s3://BUCKET/PREFIX"),
    ],
)
def test_a_store_that_cannot_be_opened_is_one_line(tmp_path, make_variant, options, words):
    variant, queue = write_variant(tmp_path, make_variant()), f"sqlite:///{tmp_path}/queue.sqlite"
    command = (sys.executable, "-m", "pitwall_runtime.ingest", "work", "--variant", variant, "--queue-url", queue)
    done = forked.run((*command, "--cache-dir", tmp_path / "cache", *options))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_video_that_was_cleared_is_not_ready_any_more(ingest, clip, tmp_path, capsys):
    cache = tmp_path / "cache"
    desk = replace(ingest.desk, is_there=lambda record: has_frames(cache / "frames", record.content_hash))
    key = desk.submit(clip.as_uri()).id
    ingest.worker.step()
    assert desk.find(key).state is VideoState.READY

    assert clear(["clear", "--cache-dir", str(cache)]) == 0
    capsys.readouterr()
    record = desk.find(key)
    assert (record.state, record.error_code, dict(record.variants)) == (VideoState.FAILED, "evicted", {})
    assert desk.submit(clip.as_uri()).state is VideoState.QUEUED
    assert ingest.worker.step()
    assert desk.find(key).state is VideoState.READY


def test_without_a_variant_a_job_is_left_in_the_queue(ingest, clip):
    for path in ingest.worker.variants.folder.iterdir():
        path.unlink()
    ingest.desk.submit(clip.as_uri())
    assert not ingest.worker.step()
    assert ingest.worker.queue.depth() == QueueDepth(1, 0, 0)


def test_one_owner_sees_nothing_of_anothers_and_everybodys_are_apart_from_both(ingest, clip):
    ann, bob = (ingest.desk.submit(clip.as_uri(), owner).id for owner in ("ann", "bob"))
    everybodys = ingest.desk.submit(clip.as_uri()).id
    seen = {
        key: {owner for owner in ("ann", "bob", "") if ingest.desk.find(key, owner)} for key in (ann, bob, everybodys)
    }
    assert seen == {ann: {"ann"}, bob: {"bob"}, everybodys: {""}}
    while ingest.worker.step():
        pass
    (_, pipeline), _ = ingest.worker.variants.pipelines()
    assert ingest.desk.find(ann, "ann").content_hash == ingest.desk.find(bob, "bob").content_hash
    assert pipeline.preparation.videos_decoded == 1

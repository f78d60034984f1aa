"""What one machine made, another finds, in object storage and in Redis before it; to lose either costs only time."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pitwall_crds.host.sockets import free_port
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.network.row_tiers import ObjectRows, RedisRows
from pitwall_runtime.stores.network.shared import Shared, open_shared

obstore = pytest.importorskip("obstore")

PATIENCE_SECONDS = 60.0


def until(condition):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.05)


def listens(port) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


KEYS = {"accessKey": "test", "secretKey": "test"}
IDENTITY = {"identities": [{"name": "test", "credentials": [KEYS], "actions": ["Admin", "Read", "Write", "List"]}]}


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """A real S3 server: SeaweedFS."""
    weed, boto3 = shutil.which("weed", path=str(Path(sys.executable).parent)), pytest.importorskip("boto3")
    if not weed:
        pytest.skip("there is no SeaweedFS here")
    folder, ports = tmp_path_factory.mktemp("weed"), [free_port() for _ in range(4)]
    (folder / "s3.json").write_text(json.dumps(IDENTITY))
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3", f"-s3.config={folder}/s3.json"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-{name}.grpc={free_port()}" for name in names] + [f"-s3.port.iceberg={free_port()}"]
    endpoint = f"http://127.0.0.1:{ports[3]}"
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("wb") as log:
        for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": "us-east-1"}.items():
            patch.setenv(f"AWS_{name}", value)
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint)
            until(lambda: bucket_made(client))
            client.close()
            yield f"s3://films/cache?endpoint={endpoint}"
            process.kill()


def bucket_made(client) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.create_bucket(Bucket="films")
    except (BotoCoreError, ClientError):
        return False
    return True


@pytest.fixture
def redis_server(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("there is no redis-server here")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        until(lambda: listens(port))
        yield process, f"redis://127.0.0.1:{port}/0"
        process.kill()


class Sending(Pipeline):
    """Has given to the others what it made when its answer is there; else that may come a little later."""

    shared: Shared | None = None

    def answer(self, *asked, **more):
        answer = super().answer(*asked, **more)
        if self.shared:
            self.shared.keeper.settle(PATIENCE_SECONDS)
        return answer


@pytest.fixture
def machine(tmp_path, make_variant):
    """A pipeline with a cache folder of its own."""

    def make(name, shared, variant: SamplerVariant | None = None) -> Pipeline:
        telemetry = RuntimeTelemetry("aks-v1", "stable")
        resources = PipelineResources(Quota(tmp_path / name), shared=shared)
        pipeline = Sending(variant or make_variant("aks"), tmp_path / name, telemetry, resources)
        pipeline.shared = shared
        return pipeline

    return make


COLOURS = 4
"""The clip's twenty pictures show so many; a held one is encoded once."""


def work(pipeline):
    return pipeline.preparation.videos_decoded, pipeline.encoders.frames_encoded


def tiers(pipeline, what="pitwall_embed_cache", result="hit"):
    """Hits or misses by tier."""
    found = {}
    for line in pipeline._telemetry.exposition().decode().splitlines():
        if line.startswith(f"{what}_tier_lookups_total{{") and f'result="{result}"' in line:
            found[line.split('tier="')[1].split('"')[0]] = float(line.rsplit(" ", 1)[1])
    return found


def test_what_one_machine_made_another_does_not_make_again(machine, s3, clip):
    video = open_video(clip, 1 << 30)
    first = machine("one", open_shared(s3, ""))
    answer = first.answer(video, "blue", "stable")
    other = machine("two", open_shared(s3, ""))
    again = other.answer(video, "blue", "stable")
    assert (work(first), work(other)) == ((1, COLOURS), (0, 0))
    assert (again.answer, again.cold) == (answer.answer, False)
    assert tiers(other) == {"memory": 0, "disk": 0, "s3": 20}


def test_a_pool_from_the_objects_is_a_hit_of_theirs(machine, s3, clip):
    video = open_video(clip, 1 << 30)
    first, other = machine("one", open_shared(s3, "")), machine("two", open_shared(s3, ""))
    for pipeline in (first, other, other):
        pipeline.answer(video, "blue", "stable")

    def lookups(pipeline):
        return [tiers(pipeline, "pitwall_frame_store", result) for result in ("hit", "miss")]

    made_here = machine("three", None)
    made_here.answer(video, "blue", "stable")
    assert lookups(other) == [{"s3": 1, "disk": 1}, {"disk": 1}]
    assert lookups(made_here) == [{}, {"disk": 1}]
    counted = other._telemetry.exposition().decode()
    assert 'pitwall_frame_store_lookups_total{arm="stable",result="hit",sampler_variant="aks-v1"} 2.0' in counted
    assert 'pitwall_frame_store_lookups_total{arm="stable",result="miss"' not in counted


def test_redis_is_asked_before_the_objects_and_its_loss_costs_no_answer(machine, s3, redis_server, clip, caplog):
    process, url = redis_server
    video = open_video(clip, 1 << 30)
    machine("one", open_shared(s3, url)).answer(video, "blue", "stable")
    warm = machine("two", open_shared(s3, url))
    expected = warm.answer(video, "red", "stable").answer
    assert tiers(warm) == {"memory": 0, "disk": 0, "redis": 20}

    process.kill()
    process.wait()
    alone = machine("three", open_shared(s3, url))
    assert alone.answer(video, "red", "stable").answer == expected
    assert work(alone) == (0, 0)
    assert tiers(alone) == {"memory": 0, "disk": 0, "redis": 0, "s3": 20}
    assert caplog.text.count("shared store redis is left alone") == 1


def test_without_any_shared_store_everything_is_made_again(machine, s3, redis_server, clip):
    process, url = redis_server
    process.kill()
    process.wait()
    gone = f"s3://films/cache?endpoint=http://127.0.0.1:{free_port()}"
    pipeline = machine("alone", open_shared(gone, url))
    video = open_video(clip, 1 << 30)
    assert 10 <= pipeline.answer(video, "blue", "stable").answer.moments[0].pts_seconds < 15
    assert work(pipeline) == (1, COLOURS)


def test_a_damaged_object_counts_as_none(machine, tmp_path, clip):
    (tmp_path / "objects").mkdir()
    address = f"file://{tmp_path}/objects"
    video = open_video(clip, 1 << 30)
    expected = machine("one", open_shared(address, "")).answer(video, "blue", "stable").answer
    for path in (tmp_path / "objects").rglob("*"):
        if path.is_file():
            os.truncate(path, path.stat().st_size // 2)
    other = machine("two", open_shared(address, ""))
    assert other.answer(video, "blue", "stable").answer == expected


def test_a_pool_that_was_cut_or_exchanged_is_decoded_once_and_shared_anew(machine, tmp_path, clip):
    (tmp_path / "objects").mkdir()
    address = f"file://{tmp_path}/objects"
    video = open_video(clip, 1 << 30)
    expected = machine("one", open_shared(address, "")).answer(video, "blue", "stable").answer
    [frames] = (tmp_path / "objects").rglob("frames.bin")
    os.truncate(frames, 3000)

    mending, after = machine("two", open_shared(address, "")), machine("three", open_shared(address, ""))

    assert [each.answer(video, "blue", "stable").answer for each in (mending, after)] == [expected, expected]
    assert [each.preparation.videos_decoded for each in (mending, after)] == [1, 0]


class Fast:
    """A tier in memory, in which somebody leaves what is no row."""

    def __init__(self, name):
        self.name, self.rows = name, {}

    def read(self, place, rows):
        return {row: self.rows[place, row] for row in rows if (place, row) in self.rows}

    def write(self, place, rows):
        self.rows |= {(place, row): value for row, value in rows.items()}


@pytest.mark.parametrize("junk", [b"", b"\xff"], ids=["too short", "no numbers"])
def test_rows_that_are_none_are_missed_and_told_once(machine, clip, junk, caplog):
    video, tier = open_video(clip, 1 << 30), Fast(f"fast{len(junk)}")
    expected = machine("one", Shared((tier,))).answer(video, "blue", "stable").answer
    some = sorted(tier.rows)[:10]
    tier.rows |= {key: junk * len(tier.rows[key]) for key in some}
    other = machine("two", Shared((tier,)))

    assert other.answer(video, "blue", "stable").answer == expected
    assert tiers(other) == {"memory": 0, "disk": 0, tier.name: 10}
    assert caplog.text.count(f"tier {tier.name} holds rows of") == 1
    assert machine("three", Shared((tier,))).answer(video, "red", "stable").cold is False, "they were made anew"


def test_rows_are_read_from_whatever_objects_hold_them(tmp_path):
    store = obstore.store.LocalStore(str(tmp_path))
    rows = ObjectRows(store)
    rows.write("v/p/e", {1: b"one", 5: b"fives"})
    rows.write("v/p/e", {2: b"two", 70_000: b"many"})
    fresh = ObjectRows(obstore.store.LocalStore(str(tmp_path)))
    assert fresh.read("v/p/e", [2, 5, 9, 70_000]) == {2: b"two", 5: b"fives", 70_000: b"many"}
    assert fresh.read("v/p/other", [1]) == {}


def test_the_head_of_a_large_object_is_read_whole(tmp_path):
    store = obstore.store.LocalStore(str(tmp_path))
    values = {row: row.to_bytes(4, "little") for row in range(20_000)}
    ObjectRows(store).write("v/p/e", values)
    assert ObjectRows(store).read("v/p/e", [0, 19_999]) == {0: values[0], 19_999: values[19_999]}


def bend(path, place=-1):
    """Turn round one byte of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_a_row_that_is_not_as_it_was_written_is_none_and_another_object_has_it(tmp_path):
    rows = ObjectRows(obstore.store.LocalStore(str(tmp_path)))
    rows.write("v/p/e", {1: b"one" * 9, 2: b"two" * 9})
    [path] = (path for path in tmp_path.rglob("*") if path.is_file())
    bend(path)
    fresh = ObjectRows(obstore.store.LocalStore(str(tmp_path)))

    assert fresh.read("v/p/e", [1, 2]) == {1: b"one" * 9}
    rows.write("v/p/e", {2: b"two" * 9, 3: b"three"})
    assert fresh.read("v/p/e", [2, 3]) == {2: b"two" * 9, 3: b"three"}
    rows.write("v/p/e", {1: b"one" * 9, 2: b"two" * 9})
    assert ObjectRows(obstore.store.LocalStore(str(tmp_path))).read("v/p/e", [1, 2]) == {1: b"one" * 9, 2: b"two" * 9}


def test_a_row_of_another_place_is_none(tmp_path):
    rows = ObjectRows(obstore.store.LocalStore(str(tmp_path)))
    rows.write("v/p/e", {1: b"one"})
    (tmp_path / "rows" / "v" / "p" / "e").rename(tmp_path / "rows" / "v" / "p" / "other")
    assert ObjectRows(obstore.store.LocalStore(str(tmp_path))).read("v/p/other", [1]) == {}


def test_what_redis_gives_back_bent_is_made_again(redis_server):
    _, url = redis_server
    rows, client = RedisRows(url), pytest.importorskip("redis").Redis.from_url(url)
    rows.write("v/p/e", {1: b"one", 2: b"two"})
    key = next(key for key in client.scan_iter() if key.endswith(b":2"))
    client.setrange(key, 5, b"_")
    client.set(b"pitwall:row:v/p/e:3", b"of an earlier version")

    assert rows.read("v/p/e", [1, 2, 3, 4]) == {1: b"one"}
    client.close()


class Away:
    name = "away"

    def __init__(self):
        self.asked = 0

    def read(self, place, rows):
        self.asked += 1
        raise OSError("no route")

    write = read


def test_a_tier_that_fails_is_left_alone_for_a_while(tmp_path):
    away, behind = Away(), ObjectRows(obstore.store.LocalStore(str(tmp_path)))
    behind.write("p", {1: b"x"})
    shared = Shared((away, behind))
    for _ in range(5):
        assert next(shared.read_rows("p", [1])) == {"away": {}, "s3": {1: b"x"}}
    assert away.asked == 1


def test_nothing_is_shared_where_nothing_is_named():
    shared = open_shared("", "")
    assert list(shared.read_rows("p", [1, 2])) == []
    assert shared.fetch("x", Path("/nowhere"), lambda _: None) is False

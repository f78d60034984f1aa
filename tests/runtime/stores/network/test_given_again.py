"""What object storage lost, or never had since it was away, it is given when the video is prepared anew."""

import shutil

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.network.row_tiers import ObjectRows
from pitwall_runtime.stores.network.shared import Shared

obstore = pytest.importorskip("obstore")

PATIENCE_SECONDS = 60.0


class RowsSent(ObjectRows):
    written = 0

    def write(self, place, rows):
        self.written += 1
        super().write(place, rows)


@pytest.fixture
def bucket(tmp_path):
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def machine(tmp_path, bucket, make_variant):
    """A machine's pipeline and what it has of the bucket."""

    def make(name):
        store = obstore.store.LocalStore(str(bucket))
        rows = RowsSent(store)
        shared = Shared([rows], store)
        resources = PipelineResources(Quota(tmp_path / name), shared=shared)
        return Pipeline(make_variant("aks"), tmp_path / name, RuntimeTelemetry("aks-v1", "stable"), resources), shared

    return make


def prepare(pipeline, shared, video):
    assert list(pipeline.prepare(video, Deadline(PATIENCE_SECONDS)))[-1][1] == 1.0
    shared.keeper.settle(PATIENCE_SECONDS)


def work(pipeline):
    return pipeline.preparation.videos_decoded, pipeline.encoders.frames_encoded


def all_of_it(bucket):
    shutil.rmtree(bucket)
    bucket.mkdir()


def cut(bucket):
    [frames] = bucket.rglob("frames.bin")
    frames.write_bytes(frames.read_bytes()[:-1])


def table(bucket):
    [found] = bucket.rglob("pool.json")
    found.unlink()


def rows(bucket):
    shutil.rmtree(bucket / "rows")


@pytest.mark.parametrize("lose", [all_of_it, cut, table, rows])
def test_a_video_that_is_prepared_anew_is_where_other_machines_look_for_it(machine, bucket, clip, lose):
    video = open_video(clip, 1 << 30)
    pipeline, shared = machine("one")
    prepare(pipeline, shared, video)
    lose(bucket)
    before = work(pipeline)

    prepare(pipeline, shared, video)
    assert work(pipeline) == before, "nothing was made twice"
    other, _ = machine("two")
    other.answer(video, "red", "stable")
    assert work(other) == (0, 0)


def test_what_is_there_is_not_sent_again(machine, bucket, clip):
    video = open_video(clip, 1 << 30)
    pipeline, shared = machine("one")
    prepare(pipeline, shared, video)
    sent = {path: path.stat().st_mtime_ns for path in bucket.rglob("*") if path.is_file()}
    written = shared.tiers[0].written

    for _ in range(2):
        prepare(pipeline, shared, video)
    assert {path: path.stat().st_mtime_ns for path in bucket.rglob("*") if path.is_file()} == sent
    assert shared.tiers[0].written == written

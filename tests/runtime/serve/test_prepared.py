"""A video is ready where what a question looks for is there, and not where something else is."""

import pytest

from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.ingest.queue.book import VideoRecord, VideoState
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.serve.prepared import is_prepared
from pitwall_runtime.stores.frames.disk import DiskFrameStore


@pytest.fixture
def video(clip):
    return open_video(clip, 1 << 30)


@pytest.fixture
def pipeline(make_variant, tmp_path):
    return Pipeline(make_variant("aks"), tmp_path / "cache", RuntimeTelemetry("aks-v1", "stable"))


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "cache" / "frames"


def record_of(video, *variants):
    return VideoRecord(
        "vid_1", VideoState.READY, content_hash=video.content_hash, variants=dict.fromkeys(variants, 1.0)
    )


def test_a_pool_of_another_version_makes_nothing_ready(pipeline, video, frames):
    pipeline.answer(video, "blue", "stable")
    record = record_of(video, "aks-v1")
    assert is_prepared(record, "aks-v1", pipeline, frames)

    [pool] = (frames / video.content_hash).iterdir()
    pool.rename(pool.with_name("of-an-earlier-version"))
    assert not is_prepared(record, "aks-v1", pipeline, frames)
    assert is_prepared(record, "aks-v1", None, frames), "while the pipeline loads its key is not known"
    assert is_prepared(record, "topk-v1", pipeline, frames), "what other variants look for is not known"


def test_a_pool_in_memory_is_there(pipeline, video, frames, monkeypatch):
    def is_full(*_, **__):
        raise StorageFullError("the disk is full")

    monkeypatch.setattr(DiskFrameStore, "write", is_full)
    record = record_of(video, "aks-v1")
    assert not is_prepared(record, "aks-v1", pipeline, frames)
    pipeline.answer(video, "blue", "stable")
    assert not (frames / video.content_hash).exists()
    assert is_prepared(record, "aks-v1", pipeline, frames)

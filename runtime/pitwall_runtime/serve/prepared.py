"""Whether what an ingest worker prepared of a video is what this process reads."""

from pathlib import Path

from pitwall_runtime.ingest.queue.book import VideoRecord
from pitwall_runtime.media import Video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.stores.frames.disk import has_frames


def is_prepared(record: VideoRecord, variant: str, pipeline: Pipeline | None, frames: Path) -> bool:
    """Whether the pool is there that the pipeline of this `variant` looks for, on disk or in this process' memory.

    Of a video that was prepared for other variants alone, or while the pipeline still loads, any pool below `frames`
    counts.
    """
    if pipeline is None or variant not in record.variants:
        return has_frames(frames, record.content_hash)
    return pipeline.preparation.is_stored(Video(record.content_hash, frames))

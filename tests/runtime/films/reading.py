"""Decodes a film in this process: what a process of its own costs is paid where processes are the subject."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pitwall_runtime.media import Frame, PoolSpec, Timeline
from pitwall_runtime.stages.decode.catalogue import DEFAULT, read
from pitwall_runtime.stages.decode.port import Ended


def decode(path: Path, spec: PoolSpec, on_frame: Callable[[Frame], None], backend: str = DEFAULT) -> Timeline:
    """What `process.decode` does and returns, without limits. Raises what a decoder raises, a bug's own error too."""
    own = seen = None
    for item in read(backend, str(path), spec):
        if isinstance(item, Ended):
            return Timeline(spec.time_base, item.end_pts, item.damage, item.subtitles)
        if item.image is not seen:
            seen, own = item.image, item.image.copy()
        on_frame(replace(item, image=own))
    raise AssertionError("the decoder said no end")

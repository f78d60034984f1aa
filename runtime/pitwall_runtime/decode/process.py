"""Runs the decoder in a child process, reads its frames, and kills it when its time runs out."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from pitwall_runtime import errors
from pitwall_runtime.decode.catalogue import DEFAULT
from pitwall_runtime.decode.port import Limits
from pitwall_runtime.media import Caption, Damage, Frame, PoolSpec, Rgb, Timeline

_REFUSALS: Final[dict[str, type[errors.RefusedError]]] = {
    kind.__name__: kind
    for kind in (errors.NotAVideoError, errors.MediaBrokenError, errors.MediaTooLargeError, errors.BadVariantError)
}


OnFrame = Callable[[Frame], None]


def decode(
    path: Path,
    spec: PoolSpec,
    on_frame: OnFrame,
    *,
    backend: str = DEFAULT,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Timeline:
    """Hands every pool frame to `on_frame`, in time order, and returns the timeline.

    Raises NotAVideoError, MediaBrokenError (also when the wall time runs out), MediaTooLargeError, or BadVariantError
    when the backend cannot run here.
    """
    command = [sys.executable, "-m", "pitwall_runtime.decode.worker"]
    command += [str(path), backend, str(spec.frames_per_minute), str(spec.height_pixels), str(limits.memory_bytes)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, the path is one argument
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    watchdog = threading.Timer(limits.wall_seconds, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        assert process.stdout is not None
        with process.stdout as stream:
            return _consume(_records(stream), spec, on_frame, limits)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def _records(stream: IO[bytes]) -> Iterator[tuple[dict[str, Any], bytes]]:
    while line := stream.readline():
        if not line.endswith(b"\n"):
            return
        record = json.loads(line)
        size = int(np.prod(record["shape"])) if record["kind"] == "frame" else 0
        payload = stream.read(size)
        if len(payload) < size:
            return
        yield record, payload


def _consume(
    records: Iterator[tuple[dict[str, Any], bytes]], spec: PoolSpec, on_frame: OnFrame, limits: Limits
) -> Timeline:
    image: Rgb = np.empty((0, 0, 3), np.uint8)
    frames = 0
    for record, payload in records:
        match record["kind"]:
            case "frame" | "held" as kind:
                if kind == "frame":
                    image = np.frombuffer(payload, np.uint8).reshape(record["shape"])
                frames += 1
                on_frame(Frame(record["pts"], image, record["key"]))
            case "refused":
                raise _REFUSALS[record["type"]](record["message"])
            case "end":
                damage = tuple(Damage(**stretch) for stretch in record["damage"])
                subtitles = tuple(Caption(**caption) for caption in record["subtitles"])
                return Timeline(spec.time_base, record["end_pts"], damage, subtitles)
    raise errors.MediaBrokenError(
        f"decoding stopped after {frames} frames: it crashed, or took longer than the limit of "
        f"{limits.wall_seconds:g} s; send a shorter or re-encoded video"
    )

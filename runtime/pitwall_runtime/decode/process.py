"""Runs the decoder in a child process, reads its frames, and kills it when its time runs out."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from pitwall_runtime import errors
from pitwall_runtime.media import Frame, PoolSpec

_REFUSALS: Final[dict[str, type[errors.RefusedError]]] = {
    kind.__name__: kind for kind in (errors.NotAVideoError, errors.MediaBrokenError, errors.MediaTooLargeError)
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """What holds for all frames of a decoded video: the length of a tick, and where the last frame stops showing."""

    time_base: Fraction
    end_pts: int


OnFrame = Callable[[Frame], None]


def decode(path: Path, spec: PoolSpec, on_frame: OnFrame, *, limit_seconds: float = 600.0) -> Timeline:
    """Hands every pool frame to `on_frame`, in time order, and returns the timeline.

    Raises NotAVideoError, MediaBrokenError (also when `limit_seconds` of wall time run out) or MediaTooLargeError.
    """
    command = [sys.executable, "-m", "pitwall_runtime.decode.worker"]
    command += [str(path), str(spec.frames_per_minute), str(spec.height_pixels)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, the path is one argument
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    watchdog = threading.Timer(limit_seconds, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        assert process.stdout is not None
        with process.stdout as stream:
            return _consume(_records(stream), on_frame, limit_seconds)
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


def _consume(records: Iterator[tuple[dict[str, Any], bytes]], on_frame: OnFrame, limit_seconds: float) -> Timeline:
    time_base, frames = Fraction(1, 1000), 0
    for record, payload in records:
        match record["kind"]:
            case "start":
                time_base = Fraction(*record["time_base"])
            case "frame":
                frames += 1
                on_frame(Frame(record["pts"], np.frombuffer(payload, np.uint8).reshape(record["shape"])))
            case "refused":
                raise _REFUSALS[record["type"]](record["message"])
            case "end":
                return Timeline(time_base, record["end_pts"])
    raise errors.MediaBrokenError(
        f"decoding stopped after {frames} frames: it crashed, or took longer than the limit of {limit_seconds:g} s; "
        "send a shorter or re-encoded video"
    )

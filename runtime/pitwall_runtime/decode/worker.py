"""The decoder's process: `python -m pitwall_runtime.decode.worker FILE BACKEND FRAMES_PER_MINUTE HEIGHT BYTES`.

Each record on stdout is one line of JSON; a `frame` record is followed by its pixels. A decoder that hangs or eats
memory is bounded by the parent's clock and by the limits set here.
"""

import json
import resource
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from pitwall_runtime.decode.port import Ended
from pitwall_runtime.errors import MediaTooLargeError, RefusedError
from pitwall_runtime.media import Frame, PoolSpec, Rgb

_CPU_SECONDS = 3600


class _Writer:
    """Writes records. A picture that is held travels once: its later frames only name their instants."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._last: Rgb | None = None

    def frame(self, frame: Frame) -> None:
        told = {"pts": frame.pts, "key": frame.key}
        if frame.image is self._last:
            self.record({"kind": "held", **told})
            return
        self.record({"kind": "frame", **told, "shape": list(frame.image.shape)}, frame.image.tobytes())
        self._last = frame.image

    def record(self, record: dict[str, Any], payload: bytes = b"") -> None:
        self._out.write(json.dumps(record).encode() + b"\n")
        self._out.write(payload)
        self._out.flush()


def _decode(path: str, backend: str, spec: PoolSpec, writer: _Writer) -> None:
    from pitwall_runtime.decode.catalogue import read

    for item in read(backend, path, spec):
        if isinstance(item, Ended):
            writer.record({"kind": "end", **asdict(item)})
        else:
            writer.frame(item)


def main(arguments: list[str]) -> int:
    """Decode one file onto stdout; refusals travel as a record, not as a traceback."""
    path, backend, frames_per_minute, height, memory_bytes = arguments
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    # Of the kinds of memory that can be limited, this one counts what is really private: not files, not reservations.
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_bytes), int(memory_bytes)))
    writer = _Writer(sys.stdout.buffer)
    try:
        try:
            _decode(path, backend, PoolSpec(int(frames_per_minute), int(height)), writer)
        except MemoryError:
            raise MediaTooLargeError(
                f"decoding needs more memory than the limit of {int(memory_bytes) >> 20} MiB; send a smaller picture"
            ) from None
    except RefusedError as refusal:
        writer.record({"kind": "refused", "type": type(refusal).__name__, "message": refusal.message})
    except BrokenPipeError:
        return 1
    except Exception as error:  # a decoder's bug is told in one line, like everything else
        writer.record(
            {"kind": "refused", "type": "MediaBrokenError", "message": f"the decoder failed on this video: {error!r}"}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

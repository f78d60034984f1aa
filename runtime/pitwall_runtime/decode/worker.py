"""The decoder's process: `python -m pitwall_runtime.decode.worker FILE FRAMES_PER_MINUTE HEIGHT` writes to stdout.

Each record is one line of JSON; a `frame` record is followed by its pixels. A decoder that hangs or eats memory is
bounded by the parent's clock and by the limits set here.
"""

import json
import resource
import sys
from typing import Any, BinaryIO

from pitwall_runtime.decode import pyav
from pitwall_runtime.errors import RefusedError
from pitwall_runtime.media import Frame, PoolSpec

_CPU_SECONDS = 3600
_ADDRESS_BYTES = 8 << 30


def _send(out: BinaryIO, record: dict[str, Any], payload: bytes = b"") -> None:
    out.write(json.dumps(record).encode() + b"\n")
    out.write(payload)


def _describe(item: pyav.Opening | Frame | pyav.Ending) -> tuple[dict[str, Any], bytes]:
    match item:
        case pyav.Opening(time_base=time_base):
            return {"kind": "start", "time_base": [time_base.numerator, time_base.denominator]}, b""
        case Frame(pts=pts, image=image):
            return {"kind": "frame", "pts": pts, "shape": list(image.shape)}, image.tobytes()
        case pyav.Ending(end_pts=end_pts):
            return {"kind": "end", "end_pts": end_pts}, b""


def main(arguments: list[str]) -> int:
    """Decode one file onto stdout; refusals travel as a record, not as a traceback."""
    path, frames_per_minute, height = arguments
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    out = sys.stdout.buffer
    try:
        for item in pyav.read(path, PoolSpec(int(frames_per_minute), int(height))):
            _send(out, *_describe(item))
        out.flush()
    except RefusedError as refusal:
        _send(out, {"kind": "refused", "type": type(refusal).__name__, "message": refusal.message})
        out.flush()
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

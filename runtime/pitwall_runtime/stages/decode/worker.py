"""The decoder's process: `python -m pitwall_runtime.stages.decode.worker FILE BACKEND RATE HEIGHT FIRST_SECONDS BYTES`.

Each record on stdout is one line of JSON; a `frame` record is followed by its pixels. The first one, `needs`, says how
much memory the film will take; the parent answers on stdin with how much it may take, when there is room for that. A
decoder that hangs or eats memory is bounded by the parent's clock and by the limits set here.
"""

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from pitwall_runtime.errors import MediaTooLargeError, RefusedError
from pitwall_runtime.media import Frame, PoolSpec, Rgb
from pitwall_runtime.stages.decode.port import Ended

_CPU_SECONDS: Final = 3600
_FAILED: Final = (
    "the decoder failed on this video: something in it is damaged, or of a kind that it does not know; send it "
    "re-encoded, as H.264 in an MP4"
)
_OWN_PAGES: Final = Path("/proc/self/statm")


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


def _decode(path: str, backend: str, spec: PoolSpec, most_bytes: int, writer: _Writer) -> None:
    from pitwall_runtime.stages.decode.catalogue import read
    from pitwall_runtime.stages.decode.libav.footprint import need_of

    need = need_of(path, most_bytes)
    writer.record({"kind": "needs", "bytes": min(need.bytes, most_bytes)})
    share_bytes = int(sys.stdin.readline() or 0)
    if not share_bytes:
        return  # nobody waits for it any more
    try:
        for item in read(backend, path, spec, need.threads):
            if isinstance(item, Ended):
                writer.record({"kind": "end", **asdict(item)})
            elif share_bytes < most_bytes and _private_bytes() > share_bytes:
                writer.record({"kind": "outgrown"})
                return
            else:
                writer.frame(item)
    except MemoryError:
        raise _too_large(most_bytes, f", by its header some {need.bytes >> 20} MiB,") from None


def _too_large(most_bytes: int, need: str = "") -> MediaTooLargeError:
    return MediaTooLargeError(
        f"decoding needs more memory{need} than the limit of {most_bytes >> 20} MiB for one film; send a smaller "
        "picture, or have the operator raise --decode-bytes"
    )


def _private_bytes() -> int:
    """Memory of this process that is no file's; 0 where the kernel does not tell."""
    if not _OWN_PAGES.exists():
        return 0
    _, resident, shared, *_ = map(int, _OWN_PAGES.read_text().split())
    return (resident - shared) * resource.getpagesize()


def main(arguments: list[str]) -> int:
    """Decode one file onto stdout; refusals travel as a record, not as a traceback."""
    path, backend, *wanted, most_bytes = arguments
    # The lower limit ends it by a signal of its own: at the higher one it is killed, as for others' want of memory.
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS + 1))
    # Of the kinds of memory that can be limited, this one counts what is really private: not files, not reservations.
    resource.setrlimit(resource.RLIMIT_DATA, (int(most_bytes), int(most_bytes)))
    writer = _Writer(sys.stdout.buffer)
    try:
        try:
            rate, height, first = map(int, wanted)
            _decode(path, backend, PoolSpec(rate, height, first), int(most_bytes), writer)
        except MemoryError:
            raise _too_large(int(most_bytes)) from None
    except RefusedError as refusal:
        writer.record({"kind": "refused", "type": type(refusal).__name__, "message": refusal.message})
    except BrokenPipeError:
        return 1
    except Exception as error:  # a decoder's bug is told in one line, like everything else; the log gets its cause
        writer.record({"kind": "refused", "type": "MediaBrokenError", "message": _FAILED, "cause": repr(error)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

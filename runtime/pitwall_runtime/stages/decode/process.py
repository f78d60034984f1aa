"""Runs the decoder in a child process, within its share of the memory, and kills it when its time runs out."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import numpy as np

from pitwall_runtime import errors
from pitwall_runtime.media import Caption, Damage, Frame, PoolSpec, Rgb, Timeline
from pitwall_runtime.stages.decode.catalogue import DEFAULT
from pitwall_runtime.stages.decode.memory import DecodeMemory, MemoryShare
from pitwall_runtime.stages.decode.port import Limits

log = logging.getLogger(__name__)

OPENING_BYTES: Final = 256 << 20
"""Held while a file is looked at; enough for most videos up to 1280×720, which then need not wait again."""

_ENDED_FROM_OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGXCPU)

_REFUSALS: Final[dict[str, type[errors.RefusedError]]] = {
    kind.__name__: kind
    for kind in (errors.NotAVideoError, errors.MediaBrokenError, errors.MediaTooLargeError, errors.BadVariantError)
}


OnFrame = Callable[[Frame], None]
Record = tuple[dict[str, Any], bytes]


def decode(
    path: Path,
    spec: PoolSpec,
    on_frame: OnFrame,
    *,
    backend: str = DEFAULT,
    limits: Limits = Limits(),  # noqa: B008 - without a deadline nothing in it changes
    memory: DecodeMemory | None = None,
) -> Timeline:
    """Hands every pool frame to `on_frame`, in time order, and returns the timeline.

    Waits until `memory` has room for what the video is estimated to need. One that outgrows its share is begun again
    with as much as one may have; so is, once, one whose process the system kills, as where its memory runs out. One
    that crashes a backend is left to PyAV. No frame comes twice.

    Raises NotAVideoError, MediaBrokenError (also when the wall time runs out), MediaTooLargeError, BadVariantError
    when the backend cannot run here, or TooLateError when the deadline comes before there is room.
    """
    memory = memory or DecodeMemory(limits.memory_bytes)
    most = min(limits.memory_bytes, memory.most_of(limits.deadline.party))
    with memory.share(limits.deadline) as share:
        decoding = _Decoding(path, spec, on_frame, limits, share, most)
        try:
            return decoding.run(backend)
        except errors.DecodingStoppedError:
            if decoding.killed:
                log.warning("the system killed a decoder, as where its memory runs out; it is begun again")
                return decoding.again(backend)
            if backend == DEFAULT or not decoding.crashed:
                raise
            log.warning("the decoder %s crashed; PyAV decodes what is left", backend)
            return decoding.run(DEFAULT)


class _Decoding:
    """One video's decoding, in one process after another if need be."""

    def __init__(
        self, path: Path, spec: PoolSpec, on_frame: OnFrame, limits: Limits, share: MemoryShare, most_bytes: int
    ) -> None:
        self._path, self._spec, self._on_frame = path, spec, on_frame
        self._limits, self._share, self._most = limits, share, most_bytes
        self._frames, self._last = 0, -1
        self.crashed = False
        """Whether the latest process ended by itself: not by this one's will, nor for its time, nor for its memory."""
        self.killed = False
        """Whether somebody else killed it."""

    def run(self, backend: str) -> Timeline:
        """Decode what was not decoded yet. Raises what `decode` raises."""
        command = self._command(backend)
        try:
            return self._once(command, OPENING_BYTES)
        except errors.OutgrownError:
            return self._once(command, self._most)

    def again(self, backend: str) -> Timeline:
        """The same with as much memory as one may have at once, so that fewer decode beside it.

        Raises DecodingStoppedError also where the system kills it once more: then it may be the video.
        """
        try:
            return self._once(self._command(backend), self._most)
        except errors.DecodingStoppedError:
            if not self.killed:
                raise
            raise errors.DecodingStoppedError(
                f"decoding stopped after {self._frames} frames: the system killed it twice, as where its memory runs "
                "out; ask again later, send a smaller video, or have the operator give the runtime more memory"
            ) from None

    def _command(self, backend: str) -> list[str]:
        wanted = (self._spec.frames_per_minute, self._spec.height_pixels, self._spec.first_seconds, self._most)
        worker = [sys.executable, "-m", "pitwall_runtime.stages.decode.worker"]
        return [*worker, str(self._path), backend, *map(str, wanted)]

    def _once(self, command: list[str], least_bytes: int) -> Timeline:
        self._share.grow(least_bytes)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, the path is one argument
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # to start its threads costs more than all other imports
        )
        ended_here = threading.Event()

        def end() -> None:
            ended_here.set()
            process.kill()

        withdraw = self._limits.deadline.when_given_up(end)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with process.stdin as answers, process.stdout as stream:
                records = _records(stream)
                with _ended_after(end, self._limits):
                    needed = self._first(records)
                self._share.grow(needed)
                _tell(answers, self._share.bytes)
                with _ended_after(end, self._limits):
                    return self._consumed(records)
        finally:
            withdraw()
            process.kill()
            code = process.wait()
            self.crashed = code not in _ENDED_FROM_OUTSIDE
            self.killed = code == -signal.SIGKILL and not ended_here.is_set()

    def _first(self, records: Iterator[Record]) -> int:
        for record, _ in records:
            if record["kind"] == "needs":
                return int(record["bytes"])
            _refuse(record)
        raise self._stopped()

    def _consumed(self, records: Iterator[Record]) -> Timeline:
        image: Rgb = np.empty((0, 0, 3), np.uint8)
        for record, payload in records:
            match record["kind"]:
                case "frame" | "held" as kind:
                    if kind == "frame":
                        image = np.frombuffer(payload, np.uint8).reshape(record["shape"])
                    self._hand_over(Frame(record["pts"], image, record["key"]))
                case "end":
                    damage = tuple(Damage(**stretch) for stretch in record["damage"])
                    subtitles = tuple(Caption(**caption) for caption in record["subtitles"])
                    return Timeline(self._spec.time_base, record["end_pts"], damage, subtitles)
                case "outgrown":
                    raise errors.OutgrownError(f"decoding took more than its share of {self._share.bytes >> 20} MiB")
                case _:
                    _refuse(record)
        raise self._stopped()

    def _hand_over(self, frame: Frame) -> None:
        if frame.pts > self._last:
            self._frames, self._last = self._frames + 1, frame.pts
            self._on_frame(frame)

    def _stopped(self) -> errors.DecodingStoppedError:
        return errors.DecodingStoppedError(
            f"decoding stopped after {self._frames} frames: it crashed, or took longer than the limit of "
            f"{self._limits.wall_seconds:g} s; send a shorter or re-encoded video"
        )


@contextmanager
def _ended_after(end: Callable[[], None], limits: Limits) -> Iterator[None]:
    """Ends the process when its time is over before the `with` is."""
    watchdog = threading.Timer(limits.deadline.within(limits.wall_seconds), end)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _tell(answers: IO[bytes], share_bytes: int) -> None:
    with suppress(BrokenPipeError):  # a process that ended meanwhile is found out by what it does not write
        answers.write(b"%d\n" % share_bytes)
        answers.flush()


def _refuse(record: dict[str, Any]) -> NoReturn:
    if "cause" in record:
        log.error("the decoder failed: %s", record["cause"])
    raise _REFUSALS[record["type"]](record["message"])


def _records(stream: IO[bytes]) -> Iterator[Record]:
    while line := stream.readline():
        if not line.endswith(b"\n"):
            return
        record = json.loads(line)
        size = int(np.prod(record["shape"])) if record["kind"] == "frame" else 0
        payload = stream.read(size)
        if len(payload) < size:
            return
        yield record, payload

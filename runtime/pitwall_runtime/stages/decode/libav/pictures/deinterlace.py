"""Takes the comb out of interlaced pictures, with libavfilter's bwdif; progressive ones pass untouched."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from av.video.frame import VideoFrame

from pitwall_runtime.stages.decode.libav.pictures.chain import FilterChain


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture with what the decoder knows of it. `start` and `duration` are ticks of the stream's clock."""

    start: int
    duration: int
    frame: VideoFrame
    pixel_aspect: Fraction
    faulty: bool
    after_loss: bool
    key: bool


class Deinterlacer:
    """From the first interlaced picture on, each picture waits for the next one, as the filter looks at both."""

    def __init__(self) -> None:
        self._waiting: deque[Picture] = deque()
        self._kind: tuple[int, int, str] | None = None
        self._chain: FilterChain | None = None

    def put(self, picture: Picture) -> Iterator[Picture]:
        """What is ready after this picture."""
        frame = picture.frame
        kind = (frame.width, frame.height, frame.format.name)
        if self._chain and kind != self._kind:
            yield from self.flush()
        if not self._chain and not frame.interlaced_frame:
            yield picture
            return
        if not self._chain:
            self._kind, self._chain = kind, FilterChain(frame, [("bwdif", "mode=send_frame:deint=interlaced")])
        self._waiting.append(picture)
        self._chain.push(frame)
        yield from self._ready()

    def flush(self) -> Iterator[Picture]:
        """The pictures that still wait."""
        if self._chain:
            self._chain.push(None)
            yield from self._ready()
            self._chain = None

    def _ready(self) -> Iterator[Picture]:
        while self._waiting and self._chain:
            made = self._chain.pull()
            if made is None:
                return
            yield replace(self._waiting.popleft(), frame=made)

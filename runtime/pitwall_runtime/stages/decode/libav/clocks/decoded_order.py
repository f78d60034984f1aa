"""Orders pictures whose file says only in which order they are decoded, as an MXF does whose index has no offsets.

FFmpeg then counts them in that order, also where B-frames are shown in another one, which the decoder alone knows: the
first picture that it gives has the first of these times, and so on.
"""

from collections import deque

from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket


class DecodedOrder:
    """Follows the film's packets, and gives their times to pictures as they come out of the decoder."""

    def __init__(self, source: Source) -> None:
        self.applies = source.container.format.name == "mxf" and bool(source.stream.codec_context.has_b_frames)
        """Whether pictures have such times, as far as is known: none was to be shown before one that is decoded
        earlier. It is certain before the first picture comes out, since packets are read ahead."""
        self._latest: int | None = None
        self._times: deque[int] = deque()
        self._first: int | None = None
        self._lost_from: int | None = None

    def look_at(self, packet: VideoPacket) -> None:
        """To be told each packet, in order."""
        if not self.applies or packet.pts is None:
            return
        self.applies = self._latest is None or packet.pts > self._latest
        self._latest = packet.pts
        self._first = packet.pts if self._first is None else self._first
        self._times.append(packet.pts)

    def lose(self, shown_until: int) -> None:
        """The decoder may give no picture for one of the packets."""
        if self._lost_from is None:
            self._lost_from = shown_until

    def doubtful_from(self, *, at_end: bool) -> int | None:
        """From when on pictures may be missing in the count, so that their times are not certain; None if all are.

        `at_end` of the film each packet has given its picture. Else decoders have left some out without a word, as
        those at a cut that are shown before the first key picture, and made of pictures before the cut.
        """
        if not self.applies:
            return None
        left_out = at_end and self._times and self._lost_from is None
        return self._first if left_out else self._lost_from

    def next_time(self) -> int | None:
        """When the picture is shown that has come out; None where the file says so itself, or no longer anything."""
        return self._times.popleft() if self.applies and self._times else None

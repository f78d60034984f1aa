"""Asks how a film is turned, where its decoder does not know: the container says it to FFmpeg's own alone."""

from contextlib import suppress

from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.codecs.side_data import display_matrix


class Turning:
    """Follows a film's packets to its first key picture, which its own decoder reads, too."""

    def __init__(self, stream: VideoStream, decoder: object) -> None:
        own = stream.codec_context
        knows = not isinstance(decoder, VideoCodecContext) or decoder is own
        self._asked = None if knows else own
        self.matrix: tuple[int, ...] = ()
        """As `display_matrix` has it; empty where the pictures say it themselves."""

    def look_at(self, packet: "Packet[VideoStream]") -> None:
        """To be shown every packet that the decoder gets."""
        own = self._asked
        if own is None or not packet.is_keyframe or not packet.size:
            return
        with suppress(FFmpegError):
            for frame in [*own.decode(packet), *own.decode(None)]:
                self.matrix, self._asked = display_matrix(frame), None
        own.flush_buffers()  # the next key picture may be whole, if this was not

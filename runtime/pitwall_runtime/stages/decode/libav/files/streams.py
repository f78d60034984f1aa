"""Chooses the stream of a file that is the film."""

from typing import Final

from av.container import InputContainer
from av.video.stream import VideoStream

from pitwall_runtime.errors import MediaTooLargeError, NotAVideoError
from pitwall_runtime.stages.decode.libav.files.diagnosis import STILL
from pitwall_runtime.stages.decode.port import MAX_PIXELS

_DEFAULT_TRACK_BONUS: Final = 5_000_000
_STILL_BRANDS: Final = ("avif", "heic", "heix", "mif1")
"""Of AVIF and HEIC; those that move have others."""


def film_of(container: InputContainer) -> VideoStream:
    """The stream that ffmpeg takes by itself: the largest picture, the default track first; never a cover."""
    covers = ("attached_pic", "timed_thumbnails", "still_image")
    # FFmpeg knows no decoder for a stream without a codec.
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context and not any(stream.disposition & getattr(stream.disposition, name) for name in covers)
    ]
    if not streams:
        what = "only a cover picture, or of an unknown codec," if container.streams.video else "no video stream,"
        raise NotAVideoError(f"the file holds {what} no moving pictures; send the video itself")
    film = max(streams, key=_rank)
    if container.metadata.get("major_brand") in _STILL_BRANDS and film.frames <= 1:
        raise NotAVideoError(STILL)
    if film.width * film.height > MAX_PIXELS:
        raise MediaTooLargeError(f"the video is {film.width}×{film.height}; the limit is 8192×4320, scale it down")
    return film


def _rank(stream: VideoStream) -> tuple[bool, int, int]:
    """As ffmpeg's choice of a stream: pixels, and a bonus for the default track. The first of equals is taken.

    A single picture, as the preview in an animated AVIF, comes last.
    """
    default = bool(stream.disposition & stream.disposition.default)
    return stream.frames != 1, stream.width * stream.height + _DEFAULT_TRACK_BONUS * default, -stream.index

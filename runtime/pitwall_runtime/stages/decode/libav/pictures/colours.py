"""Takes colours that FFmpeg cannot convert (YCgCo, ICtCp …) for those of a film that names none, as ffmpeg does."""

from functools import cache

from av.error import FFmpegError
from av.video.frame import VideoFrame

from pitwall_runtime.stages.decode.libav.pictures.chain import FilterChain

_UNTOLD = 2
"""FFmpeg's number of a matrix and of a transfer that a film does not name."""

_NEAREST = {10: 9}
"""BT.2020 of constant luminance has the other one's numbers."""

_SIDE = 16


def make_readable(frame: VideoFrame) -> None:
    """Leave out of what a picture says of its colours what nothing here can read; in place."""
    told = frame.colorspace, frame.color_trc
    if told != (read := _read_as(*told)):
        frame.colorspace, frame.color_trc = read


@cache
def _read_as(matrix: int, transfer: int) -> tuple[int, int]:
    """As little as possible is left out. FFmpeg's versions differ in what they convert, so this one is asked."""
    matrices = (matrix, _NEAREST.get(matrix, _UNTOLD), _UNTOLD)
    readings = ((one, other) for one in matrices for other in (transfer, _UNTOLD))
    return next((reading for reading in readings if _is_converted(*reading)), (_UNTOLD, _UNTOLD))


def _is_converted(matrix: int, transfer: int) -> bool:
    frame = VideoFrame(_SIDE, _SIDE, "yuv420p")
    frame.colorspace, frame.color_trc = matrix, transfer
    try:
        chain = FilterChain(frame, [("format", "rgb24")])
        chain.push(frame)
        return chain.pull() is not None
    except FFmpegError:
        return False

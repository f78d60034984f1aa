"""Opens a video file: which containers are read, and how strictly its film is decoded."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from pitwall_runtime.errors import MediaTooLargeError, NotAVideoError
from pitwall_runtime.stages.decode.libav.files.container import RESTARTING, Source
from pitwall_runtime.stages.decode.libav.files.diagnosis import begins_with, why_unreadable
from pitwall_runtime.stages.decode.libav.files.streams import film_of
from pitwall_runtime.stages.decode.libav.losses.broadcasts.grid import Grid
from pitwall_runtime.stages.decode.libav.losses.elements import Elements
from pitwall_runtime.stages.decode.libav.losses.tables import edits_of
from pitwall_runtime.stages.decode.port import MAX_PIXELS, MAX_SECONDS, THREADS

CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,ogg,asf,gif,apng,"
    "h264,hevc,vvc,av1,obu,ivf,mxf,nut,yuv4mpegpipe,dv,vc1,vc1test,rm,wtv,"
    "mjpeg,mpjpeg,smjpeg,dhav,dnxhd,gxf,h261,h263,roq,swf"
)
"""Demuxers that read one file. Playlists and concatenations, which open further addresses, are not among them."""
_SILENT: Final = ("hevc", "mjpeg")
"""Decoders that show pictures which they could not read to their end without a word, unless told to complain."""
_COMPLAINING: Final = {"err_detect": "explode"}
_HABIT_PICTURES: Final = 16
_LEAST_JPEGS: Final = 4
"""A photo may hold some more: a preview, its depth, its lights."""
_LAYOUTS: Final[dict[str, type[Elements | Grid]]] = {"matroska,webm": Elements, "mpegts": Grid}
_OPTIONS: Final = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "file",
    "merge_pmt_versions": "1",  # a broadcast goes on where its table names other packets than before
    "default_fps": "10",  # of an APNG's pictures that claim to be shown for no time: browsers' rule, as for a GIF's
}

_FEWER_EDITS: Final = {"advanced_editlist": "0"}
"""Only where the pictures begin is taken of the edit list."""


def _open(path: str, accelerator: HWAccel | None = None) -> InputContainer:
    """Raises NotAVideoError for a photo: FFmpeg takes it for raw Motion JPEG, or that for a photo."""
    demuxer = "mjpeg" if begins_with(path, b"\xff\xd8\xff") else None
    if demuxer and not _is_moving(path, demuxer):
        raise NotAVideoError(why_unreadable(Path(path)))
    container = av.open(path, format=demuxer, options=_OPTIONS, hwaccel=accelerator, metadata_errors="replace")
    if not _is_edited_away(container):
        return container
    container.close()
    return av.open(path, options=_OPTIONS | _FEWER_EDITS, hwaccel=accelerator, metadata_errors="replace")


def _is_edited_away(container: InputContainer) -> bool:
    """Whether an MP4's edit list says that its pictures are shown for no time, as some writers leave it open."""
    return container.format.name.startswith("mov") and any(
        stream.frames > 1 and (stream.duration == 0 or edits_of(container.name, stream.id).is_left_open)
        for stream in container.streams.video
    )


def _is_moving(path: str, demuxer: str) -> bool:
    with av.open(path, format=demuxer, options=_OPTIONS) as container:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        return sum(1 for _ in islice(packets, _LEAST_JPEGS)) == _LEAST_JPEGS


def _refuse_long(container: InputContainer, stream: VideoStream) -> None:
    """A broadcast says no length: FFmpeg's guess, from its first time to its last, is a day's where a part of it, as an
    advertisement, has a clock of its own. Its pictures are counted as they come."""
    if container.format.name in RESTARTING or not stream.duration or not stream.time_base:
        return
    seconds = float(stream.duration * stream.time_base)
    if seconds > MAX_SECONDS:
        raise MediaTooLargeError(f"the video lasts {seconds:.0f} s; the limit is {MAX_SECONDS} s, send a part of it")


def _strictness(path: str, stream: VideoStream) -> dict[str, str]:
    """How the film's decoder is told to complain of damage. Of what it complains in every one of the first pictures is
    the camera's way of writing them, which every player shows."""
    if stream.codec_context.name not in _SILENT:
        return {}
    with _open(path) as container:
        again = container.streams[stream.index]
        again.codec_context.options = {"max_pixels": str(MAX_PIXELS), **_COMPLAINING}
        complaints = 0
        with suppress(FFmpegError):
            for packet in islice((packet for packet in container.demux(again) if packet.size), _HABIT_PICTURES):
                try:
                    packet.decode()
                except FFmpegError:
                    complaints += 1
                else:
                    break
    return {} if complaints == _HABIT_PICTURES else _COMPLAINING


@contextmanager
def opened(path: str, accelerator: HWAccel | None = None, threads: int = THREADS) -> Iterator[Source]:
    """The film in the file at `path`. Raises NotAVideoError or MediaTooLargeError, and NotImplementedError if the
    accelerator cannot decode it."""
    try:
        container = _open(path, accelerator)
    except (FFmpegError, OSError):
        raise NotAVideoError(why_unreadable(Path(path))) from None
    with container:
        stream = film_of(container)
        _refuse_long(container, stream)
        stream.thread_type, stream.thread_count = "AUTO", threads
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS), **_strictness(path, stream)}
        with open(path, "rb") as file:
            layout = _LAYOUTS.get(container.format.name)
            yield Source(container, stream, layout(file) if layout else None)

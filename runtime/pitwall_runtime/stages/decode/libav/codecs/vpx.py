"""Decodes VP8 by the libvpx that PyAV has loaded, and asks it what FFmpeg does not: did a picture's data end too early?

Of such a picture libvpx shows something, as FFmpeg's own decoder does, and neither says a word unless it is asked.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from av.error import InvalidDataError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from pitwall_runtime.media import Rgb
from pitwall_runtime.stages.decode.libav.codecs.side_data import display_matrix
from pitwall_runtime.stages.decode.port import MAX_PIXELS

_MAPS: Final = Path("/proc/self/maps")
_ABI: Final = 12
"""VPX_DECODER_ABI_VERSION. libvpx itself refuses another one, and then there is none here."""
_CONTEXT_BYTES: Final = 256
"""More than a vpx_codec_ctx_t has, on any machine."""
_ENDED_EARLY: Final = 257
"""VP8D_GET_FRAME_CORRUPTED: this picture's data ended too early, or those of one that it is made of."""
_NO_KEY: Final = 1
"""The bit of a picture's first byte that is clear in key pictures (RFC 6386, 9.1)."""
_SIZE_AT: Final = (6, 8)
"""Where a key picture has its width and its height."""
_SIZE_BITS: Final = 0x3FFF
_NO_ERRNO: Final = 0


class _Image(ctypes.Structure):
    """The beginning of vpx_image_t."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("format", "colours", "range")),
        *((name, ctypes.c_uint) for name in ("stored_width", "stored_height", "bit_depth", "width", "height")),
        *((name, ctypes.c_uint) for name in ("render_width", "render_height", "x_shift", "y_shift")),
        ("planes", ctypes.c_void_p * 4),
        ("strides", ctypes.c_int * 4),
    )


class LibVpx:
    """In the place of a film's `VideoCodecContext`, which is asked what the container says of each picture."""

    name = "vp8"

    def __init__(self, library: ctypes.CDLL, own: VideoCodecContext) -> None:
        self._library, self._own = library, own
        self._context = ctypes.create_string_buffer(_CONTEXT_BYTES)
        _begin(library, self._context)
        self.width, self.height = own.width, own.height
        self.skip_frame = "DEFAULT"
        self.thread_count, self.sample_aspect_ratio = own.thread_count, own.sample_aspect_ratio
        self._like: VideoFrame | None = None
        """What FFmpeg made of a key picture, which tells its colours."""
        self._is_turned = False
        """Whether pictures must say how they are turned, which only FFmpeg can write to them: then it makes them."""
        self._torn: set[int | None] = set()
        """When pictures are shown whose data ended early."""
        self._torn_since = False
        """Whether data ended early since the latest picture that was shown: some are only there for others."""

    def __del__(self) -> None:
        self._library.vpx_codec_destroy(self._context)

    def decode(self, packet: "Packet[VideoStream] | None") -> list[VideoFrame]:
        """The picture in a packet, if it is shown. Raises InvalidDataError."""
        if packet is None:
            return self._own.decode(None) if self._is_turned else []
        content = bytes(packet)
        if not content[0] & _NO_KEY:
            self._begin_key(packet, content)
        theirs = self._own.decode(packet) if self._is_turned else []
        image = self._shown(content)
        if image is None:
            return theirs
        if self._torn_since:
            self._torn.add(packet.pts)
        self._torn_since = False
        return theirs if self._is_turned else [self._frame(image, packet)]

    def ended_early(self, frame: VideoFrame) -> bool:
        """Whether data of this picture ended too early, or of one that it is made of. To be asked once for each."""
        found = frame.pts in self._torn
        self._torn.discard(frame.pts)
        return found

    def _begin_key(self, packet: "Packet[VideoStream]", content: bytes) -> None:
        width, height = (int.from_bytes(content[at : at + 2], "little") & _SIZE_BITS for at in _SIZE_AT)
        if width * height > MAX_PIXELS:
            raise InvalidDataError(_NO_ERRNO, f"a key picture of {width}×{height} pixels")
        self.width, self.height = width, height
        if self._like is None:
            try:
                self._like = next(iter([*self._own.decode(packet), *self._own.decode(None)]), None)
            finally:
                self._own.flush_buffers()
            self._is_turned = self._like is not None and bool(display_matrix(self._like))

    def _shown(self, content: bytes) -> _Image | None:
        failed = self._library.vpx_codec_decode(self._context, content, len(content), None, 0)
        place, torn = ctypes.c_void_p(), ctypes.c_int()
        found = self._library.vpx_codec_get_frame(self._context, ctypes.byref(place))
        self._library.vpx_codec_control_(self._context, _ENDED_EARLY, ctypes.byref(torn))
        self._torn_since = self._torn_since or torn.value != 0
        if failed:
            raise InvalidDataError(_NO_ERRNO, f"libvpx refuses a picture ({failed})")
        return ctypes.cast(found, ctypes.POINTER(_Image)).contents if found else None

    def _frame(self, image: _Image, packet: "Packet[VideoStream]") -> VideoFrame:
        frame = VideoFrame(image.width, image.height, "yuv420p")
        for plane, start, stride in zip(frame.planes, image.planes, image.strides, strict=False):
            _copy(plane, start, stride)
        frame.pts, frame.dts, frame.duration = packet.pts, packet.dts, packet.duration or 0
        like = self._like or self._own
        frame.colorspace, frame.color_range = like.colorspace, like.color_range
        frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
        return frame


def loaded() -> ctypes.CDLL | None:
    """The libvpx that PyAV has loaded, if it is one that this module knows how to ask; else None."""
    try:
        paths = (line.split(maxsplit=5)[-1] for line in _MAPS.read_text().splitlines() if "libvpx" in line)
        return _opened(next(paths))
    except (OSError, AttributeError, StopIteration):
        return None


@cache
def _opened(path: str) -> ctypes.CDLL | None:
    library, place = ctypes.CDLL(path), ctypes.c_void_p
    library.vpx_codec_vp8_dx.restype = place
    library.vpx_codec_get_frame.restype = place
    library.vpx_codec_dec_init_ver.argtypes = (place, place, place, ctypes.c_long, ctypes.c_int)
    library.vpx_codec_decode.argtypes = (place, ctypes.c_char_p, ctypes.c_uint, place, ctypes.c_long)
    library.vpx_codec_get_frame.argtypes = (place, place)
    library.vpx_codec_control_.argtypes = (place, ctypes.c_int)
    library.vpx_codec_destroy.argtypes = (place,)
    context = ctypes.create_string_buffer(_CONTEXT_BYTES)
    if _begin(library, context):
        return None
    library.vpx_codec_destroy(context)
    return library


def _begin(library: ctypes.CDLL, context: "ctypes.Array[ctypes.c_char]") -> int:
    """0 if it has begun."""
    failed: int = library.vpx_codec_dec_init_ver(context, library.vpx_codec_vp8_dx(), None, 0, _ABI)
    return failed


def _copy(plane: VideoPlane, start: int, stride: int) -> None:
    stored: Rgb = np.ctypeslib.as_array((ctypes.c_uint8 * (plane.height * stride)).from_address(start))
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    rows[: plane.height, : plane.width] = stored.reshape(-1, stride)[:, : plane.width]

"""Estimates how much memory a film's decoding will take, from a look at its header."""

from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from pitwall_runtime.stages.decode.libav.files.opening import opened
from pitwall_runtime.stages.decode.libav.pictures.webp import is_webp
from pitwall_runtime.stages.decode.port import THREADS

PROCESS_BYTES: Final = 96 << 20
"""Of a decoding process without any picture: the interpreter, the libraries, filters for pool pictures."""

_MOST_KEPT, _LEAST_KEPT = 16, 8
_KEPT_PIXELS: Final = 696_320 * 256
"""Codecs let an encoder refer to 16 pictures, to fewer the larger these are: H.264's largest level (ITU-T H.264, table
A-1) has room for so many pixels. AV1 always has 8."""

_WAITING: Final = 4
"""Pictures on their way from the decoder to the pool: reordered, deinterlaced, scaled."""

_PER_THREAD: Final = 2
"""Each thread writes one picture, and has one finished that waits for its turn."""

_AHEAD_PACKETS: Final = 36
"""Packets that are looked at ahead: next to nothing, unless each of them is a whole picture."""

_USUAL_BITS: Final = 12
_WEBP_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Need:
    """What a decoding is estimated to need: bytes of memory, with so many threads."""

    bytes: int
    threads: int


def need_of(path: str, most_bytes: int) -> Need:
    """The film's need, with as many threads as fit into `most_bytes`; with one, where not even that fits.

    The estimate errs to the safe side, so a film that needs more by it may do with `most_bytes` all the same.

    Raises NotAVideoError or MediaTooLargeError.
    """
    if is_webp(path):
        return Need(footprint(_webp_pixels(path), _WEBP_BITS, 1), 1)
    with opened(path) as source:
        codec = source.stream.codec_context
        bits = codec.format.bits_per_pixel if codec.format else _USUAL_BITS
        pixels = source.stream.width * source.stream.height
        whole = source.stream.codec.intra_only
    for threads in range(THREADS, 1, -1):
        if footprint(pixels, bits, threads, whole=whole) <= most_bytes:
            return Need(footprint(pixels, bits, threads, whole=whole), threads)
    return Need(footprint(pixels, bits, 1, whole=whole), 1)


def _webp_pixels(path: str) -> int:
    """0 for a file that is damaged or too large: what is wrong with it is told when it is read."""
    try:
        with Image.open(path, formats=("WEBP",)) as image:
            return image.width * image.height
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, EOFError, SyntaxError):
        return 0


def footprint(pixels: int, bits: int, threads: int, *, whole: bool = False) -> int:
    """Bytes for decoding pictures of so many pixels and bits a pixel; `whole`: each packet is a picture of its own."""
    kept = _AHEAD_PACKETS if whole else min(max(_KEPT_PIXELS // max(1, pixels), _LEAST_KEPT), _MOST_KEPT)
    return PROCESS_BYTES + pixels * bits // 8 * (kept + _WAITING + _PER_THREAD * threads)

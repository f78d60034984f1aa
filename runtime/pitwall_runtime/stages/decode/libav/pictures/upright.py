"""Turns decoded pictures into pool pictures: upright, in the aspect that people see, scaled down, RGB."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from pitwall_runtime.media import Rgb
from pitwall_runtime.stages.decode.libav.codecs.side_data import display_matrix
from pitwall_runtime.stages.decode.libav.pictures import tone
from pitwall_runtime.stages.decode.libav.pictures.aperture import Aperture
from pitwall_runtime.stages.decode.libav.pictures.chain import FilterChain

_UNIT = 1 << 16
"""1.0 in a display matrix."""

_LONGEST_SIDE = 4096
"""Of a pool picture. JPEG ends at 65 500, and the runtime holds some pictures in its own memory."""

_MOST_UNLIKE = 64
"""How many times longer one side of a pool picture may be than the other: some encoders scale the short one up."""

_MOST_PIXEL_ASPECT = 10
"""What claims to have wider or higher pixels has square ones: broadcasts know none beyond 3:1."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a chain is built for; a picture of another kind needs another one."""

    size: tuple[int, int]
    seen: tuple[int, int, int, int]
    format: str
    colorspace: int
    color_range: int
    transfer: int
    pixel_aspect: Fraction
    matrix: tuple[int, ...]


class Upright:
    """Makes pool pictures of at most `height` pixels, through one chain of filters for each kind of picture."""

    def __init__(self, height: int, aperture: Aperture = Aperture()) -> None:  # noqa: B008 - nothing in it changes
        self._height, self._aperture = height, aperture
        self._kind: _Kind | None = None
        self._chain: FilterChain | None = None

    def rgb(self, frame: VideoFrame, pixel_aspect: Fraction, matrix: tuple[int, ...] = ()) -> Rgb:
        """[height, width, 3]. Pictures change their size and shape in mid-stream; each gets its own. `matrix`: how they
        are turned that do not say it."""
        kind = _Kind(
            (frame.width, frame.height), self._aperture.of(frame), frame.format.name, frame.colorspace,
            frame.color_range, frame.color_trc,
            _credible(pixel_aspect), display_matrix(frame) or matrix,
        )  # fmt: skip
        if kind != self._kind or self._chain is None:
            self._kind, self._chain = kind, FilterChain(frame, _filters(kind, self._height))
        self._chain.push(frame)
        made = self._chain.pull()
        assert made is not None, "each picture in gives one picture out"
        image = made.to_ndarray()
        if kind.transfer in (tone.PQ, tone.HLG):
            return tone.to_sdr(np.asarray(image, dtype=np.uint16), kind.transfer)
        return np.ascontiguousarray(image, dtype=np.uint8)


def _filters(kind: _Kind, height: int) -> list[tuple[str, str]]:
    turns, sideways = _turns(kind.matrix)
    width, height = _size(kind, height, sideways=sideways)
    pixels = "rgb48le" if kind.transfer in (tone.PQ, tone.HLG) else "rgb24"
    left, top, wide, high = kind.seen
    cut = [("crop", f"{wide}:{high}:{left}:{top}:exact=1")] if kind.seen[2:] != kind.size else []
    return [*cut, ("scale", f"{width}:{height}:flags=bicubic"), *turns, ("format", pixels)]


def _turns(matrix: tuple[int, ...]) -> tuple[list[tuple[str, str]], bool]:
    """The filters that set a picture upright, and whether they swap width and height; ffmpeg's own rules
    (`-autorotate`, fftools/ffmpeg_filter.c)."""
    if not matrix:
        return [], False
    a, b, c, d = (matrix[place] / _UNIT for place in (0, 1, 3, 4))
    theta = round(np.degrees(np.arctan2(b, a))) % 360 if (a, b) != (0.0, 0.0) else 0
    if theta in (90, 270):
        flipped = c > 0 if theta == 90 else c < 0
        name = {90: ("clock", "cclock_flip"), 270: ("cclock", "clock_flip")}[theta][flipped]
        return [("transpose", name)], True
    if theta == 180:
        return [("hflip", "")] * (a < 0) + [("vflip", "")] * (d < 0), False
    if theta:
        return [("rotate", f"{theta}*PI/180")], False
    return [("vflip", "")] * (d < 0), False


def _size(kind: _Kind, height: int, *, sideways: bool) -> tuple[int, int]:
    """Width and height before turning."""
    wide, high = kind.seen[2] * kind.pixel_aspect, Fraction(kind.seen[3])
    if sideways:
        rows, columns = size_of(high, wide, height)[::-1]
        return rows, columns
    return size_of(wide, high, height)


def _credible(pixel_aspect: Fraction) -> Fraction:
    return pixel_aspect if 1 <= _MOST_PIXEL_ASPECT * pixel_aspect <= _MOST_PIXEL_ASPECT**2 else Fraction(1)


def size_of(wide: Fraction | int, high: Fraction | int, height: int) -> tuple[int, int]:
    """(width, height) of a pool picture: the pool's height, or the picture's own if that is less; smaller where it
    would be wider than any may be."""
    wide, high = max(Fraction(wide), Fraction(high) / _MOST_UNLIKE), max(Fraction(high), Fraction(wide) / _MOST_UNLIKE)
    rows = max(2, min(height, round(high), int(_LONGEST_SIDE * high / wide)))
    return max(2, round(rows * wide / high / 2) * 2), rows

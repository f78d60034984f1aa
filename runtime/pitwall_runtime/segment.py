"""Cuts the pool frames into shots, with PySceneDetect's detectors on frames that are already decoded."""

from fractions import Fraction

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from pitwall_runtime.media import Frame, PoolSpec, Rgb, Shot

NATIVE_THRESHOLD = 27.0
"""PySceneDetect's default, meant for neighbouring native frames."""

SPARSE_THRESHOLD = 33.0
"""Between frames a second apart motion alone changes a picture: the threshold rises (docs/runtime.md, Shots)."""

_NATIVE_RATE = 8
"""Pool frames a second from which neighbours count as native."""


class Segmenter:
    """Watches pool frames pass by and remembers where shots begin."""

    def __init__(self, spec: PoolSpec, threshold: float | None = None) -> None:
        self._rate = Fraction(spec.frames_per_minute, 60)
        default = NATIVE_THRESHOLD if self._rate >= _NATIVE_RATE else SPARSE_THRESHOLD
        # A flash filter over less than a second makes no sense between frames a second apart: 1 frame turns it off.
        shortest = max(1, int(self._rate / 2))
        self._detector = ContentDetector(threshold=threshold or default, min_scene_len=shortest)
        self._starts = [0]
        self._count = 0
        self._size: tuple[int, int] | None = None

    def watch(self, frame: Frame) -> None:
        """Compare `frame` with the one before it."""
        position = FrameTimecode(self._count, fps=self._rate)
        self._count += 1
        self._note(self._detector.process_frame(position, self._bgr(frame.image)))

    def shots(self) -> tuple[Shot, ...]:
        """Shots that tile the frames watched so far, half-open, in pool indices."""
        if not self._count:
            return ()
        self._note(self._detector.post_process(FrameTimecode(self._count - 1, fps=self._rate)))
        starts = sorted({start for start in self._starts if start < self._count})
        return tuple(Shot(start, end) for start, end in zip(starts, [*starts[1:], self._count], strict=True))

    def _note(self, cuts: list[FrameTimecode]) -> None:
        self._starts += [int(cut.frame_num) for cut in cuts]

    def _bgr(self, image: Rgb) -> Rgb:
        """Blue first, as detectors want it, and of the first picture's size: a video may change its own."""
        height, width = image.shape[:2]
        self._size = self._size or (width, height)
        if self._size != (width, height):
            image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.ascontiguousarray(image[:, :, ::-1])

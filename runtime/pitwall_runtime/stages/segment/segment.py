"""Cuts the pool frames into shots, with PySceneDetect's detectors on frames that are already decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall_runtime.media import Frame, PoolSpec, Rgb, Shot
from pitwall_runtime.stages.segment.network import TransNetDetector, network

if TYPE_CHECKING:
    from scenedetect import FrameTimecode

_NATIVE_RATE = 8
"""Pool frames a second from which neighbours count as native, for which PySceneDetect's own thresholds are meant."""

_QUALITY_SIDE, _DEFAULT_SIDE = 320, 720


def _of_pyscenedetect(name: str) -> Callable[..., Any]:
    """Its class, imported where the first film is cut: that starts ffmpeg to see whether there is one."""

    def build(*, threshold: float, min_scene_len: int) -> Any:
        import scenedetect

        return getattr(scenedetect, name)(threshold, min_scene_len=min_scene_len)

    return build


DETECTORS: Final[Mapping[str, Callable[..., Any]]] = {
    "content": _of_pyscenedetect("ContentDetector"),
    "adaptive": _of_pyscenedetect("AdaptiveDetector"),
    "threshold": _of_pyscenedetect("ThresholdDetector"),
    "hash": _of_pyscenedetect("HashDetector"),
    "histogram": _of_pyscenedetect("HistogramDetector"),
    "transnetv2": TransNetDetector,
}
"""PySceneDetect's detectors by name, and a network; each takes `threshold` and `min_scene_len` (frames)."""


class Preset(StrEnum):
    """How carefully cuts are looked for. docs/runtime.md has the F1 and the time of each."""

    QUALITY = "quality"
    DEFAULT = "default"
    FAST = "fast"


@dataclass(frozen=True, slots=True)
class CutDetection:
    """A detector with its thresholds, between sparse frames and between native ones.

    Between frames a second apart motion alone changes a picture: the threshold rises. `rows` is the height at which
    pictures are compared; None leaves them as they are.
    """

    detector: str
    sparse_threshold: float
    native_threshold: float
    rows: int | None = None


DETECTIONS: Final[Mapping[Preset, CutDetection]] = {
    Preset.QUALITY: CutDetection("content", 36.0, 27.0),
    Preset.DEFAULT: CutDetection("content", 33.0, 27.0, rows=64),
    Preset.FAST: CutDetection("histogram", 0.3, 0.2, rows=64),
}


TRANSNET: Final = CutDetection("transnetv2", 0.5, 0.5)
"""The network's own threshold."""


def detection_of(name: str) -> CutDetection | None:
    """What a process was told to find cuts with: `transnetv2`, or none for the presets.

    Raises BadVariantError where the network's package is missing.
    """
    if name != TRANSNET.detector:
        return None
    network()
    return TRANSNET


def preset_for(short_side: int, *, overloaded: bool = False) -> Preset:
    """Small pictures are compared whole, large ones scaled down; `fast` only when there is no time for more."""
    if overloaded and short_side > _DEFAULT_SIDE:
        return Preset.FAST
    return Preset.QUALITY if short_side <= _QUALITY_SIDE else Preset.DEFAULT


class Segmenter:
    """Watches pool frames pass by and remembers where shots begin. Without a `detection`, the first picture's size
    decides which preset is used, and whether the machine is `overloaded` then."""

    def __init__(
        self,
        spec: PoolSpec,
        detection: CutDetection | None = None,
        *,
        overloaded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rate = Fraction(spec.frames_per_minute, 60)
        self._detection, self._overloaded = detection, overloaded
        self._detector: Any = None
        self._starts = [0]
        self._count = 0
        self._size: tuple[int, int] | None = None

    def watch(self, frame: Frame) -> None:
        """Compare `frame` with the one before it."""
        if self._detector is None:
            self._begin(frame.image)
        position = self._position(self._count)
        self._count += 1
        self._note(self._detector.process_frame(position, self._bgr(frame.image)))

    def shots(self) -> tuple[Shot, ...]:
        """Shots that tile the frames watched so far, half-open, in pool indices."""
        if not self._count:
            return ()
        self._note(self._detector.post_process(self._position(self._count - 1)))
        starts = sorted({start for start in self._starts if start < self._count})
        return tuple(Shot(start, end) for start, end in zip(starts, [*starts[1:], self._count], strict=True))

    def _begin(self, image: Rgb) -> None:
        height, width = image.shape[:2]
        chosen = self._detection or DETECTIONS[preset_for(min(height, width), overloaded=self._overloaded())]
        rows = min(height, chosen.rows or height)
        self._size = (max(1, round(width * rows / height)), rows)
        threshold = chosen.native_threshold if self._rate >= _NATIVE_RATE else chosen.sparse_threshold
        # A flash filter over less than a second makes no sense between frames a second apart: 1 frame turns it off.
        shortest = max(1, int(self._rate / 2))
        self._detector = DETECTORS[chosen.detector](threshold=threshold, min_scene_len=shortest)

    def _position(self, number: int) -> "FrameTimecode":
        from scenedetect import FrameTimecode

        return FrameTimecode(number, fps=self._rate)

    def _note(self, cuts: "list[FrameTimecode]") -> None:
        self._starts += [int(cut.frame_num) for cut in cuts]

    def _bgr(self, image: Rgb) -> Rgb:
        """Blue first, as detectors want it, and all of one size: a video may change its own."""
        if self._size != (image.shape[1], image.shape[0]):
            import cv2

            image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.ascontiguousarray(image[:, :, ::-1])

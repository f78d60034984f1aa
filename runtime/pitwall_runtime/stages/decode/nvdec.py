"""Decodes on an NVIDIA GPU, through FFmpeg's hardware acceleration; what the GPU cannot decode is left to PyAV.

Pictures are copied to memory, where all else is done as PyAV's pictures: turned, deinterlaced, tone-mapped.
"""

from collections.abc import Iterator

from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError

from pitwall_runtime.errors import BadVariantError, UnsupportedVideoError
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.libav.files.opening import opened
from pitwall_runtime.stages.decode.libav.pictures.webp import is_webp
from pitwall_runtime.stages.decode.libav.pyav import FilmReader
from pitwall_runtime.stages.decode.port import THREADS, Ended


class Nvdec:
    """Raises BadVariantError where there is no NVIDIA GPU, or no driver for it."""

    def __init__(self) -> None:
        self._accelerator = HWAccel("cuda", allow_software_fallback=False)
        try:
            self._accelerator.create(Codec("h264"))
        except (FFmpegError, OSError, RuntimeError, NotImplementedError) as error:
            raise BadVariantError(
                f"decode.backend nvdec cannot run here: no NVIDIA GPU or driver was found ({error}); "
                "ask for nvidia.com/gpu in runtime.resources.limits, or use pyav"
            ) from None

    def read(self, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
        """See `Decoder.read`."""
        if is_webp(path):
            raise UnsupportedVideoError("FFmpeg reads no moving WebP")
        try:
            with opened(path, self._accelerator, threads) as source:
                yield from FilmReader(source, spec).frames()
        except (NotImplementedError, RuntimeError) as error:
            raise UnsupportedVideoError(f"the GPU does not decode it: {error}") from None

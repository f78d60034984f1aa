"""All decoders by name; each is imported when it is first asked for."""

from collections.abc import Callable, Iterator
from typing import Final

from pitwall_runtime.errors import BadVariantError, UnsupportedVideoError
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.port import THREADS, Decoder, Ended

DEFAULT: Final = "pyav"


def _pyav() -> Decoder:
    from pitwall_runtime.stages.decode.libav.pyav import PyAv

    return PyAv()


def _torchcodec() -> Decoder:
    from pitwall_runtime.stages.decode.with_torchcodec import TorchCodec

    return TorchCodec()


def _decord() -> Decoder:
    from pitwall_runtime.stages.decode.with_decord import Decord

    return Decord()


def _nvdec() -> Decoder:
    from pitwall_runtime.stages.decode.nvdec import Nvdec

    return Nvdec()


DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    DEFAULT: _pyav,
    "torchcodec": _torchcodec,
    "decord": _decord,
    "nvdec": _nvdec,
}


def build(name: str) -> Decoder:
    """The decoder of this name. Raises BadVariantError if there is none, or if it cannot run here."""
    if name not in DECODERS:
        raise BadVariantError(f"unknown decode.backend {name!r}; use one of {', '.join(DECODERS)}")
    return DECODERS[name]()


def read(name: str, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
    """The video's pool from the decoder of this name. Of a video that it cannot show rightly, PyAV reads what is left.

    Raises what `Decoder.read` raises but UnsupportedVideoError, and BadVariantError.
    """
    last = -1
    try:
        for item in build(name).read(path, spec, threads):
            last = item.pts if isinstance(item, Frame) else last
            yield item
    except UnsupportedVideoError:
        for item in build(DEFAULT).read(path, spec, threads):
            if isinstance(item, Ended) or item.pts > last:
                yield item

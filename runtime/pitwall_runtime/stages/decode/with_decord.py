"""Decodes plain videos with decord; all others with PyAV. For comparison: decord has had no release since 2021."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.indexed import Fetch, Survey, read_indexed
from pitwall_runtime.stages.decode.port import THREADS, Ended

_LEAST_SIDE = 64
"""Smaller pictures crash its scaler."""


class Decord:
    """Raises BadVariantError where decord is not installed."""

    def __init__(self) -> None:
        try:
            import decord  # noqa: F401 - found out now, not at the first video
        except (ImportError, OSError) as error:
            raise BadVariantError(
                f"decode.backend decord cannot run here: install the extra 'decord'; {str(error).splitlines()[0]}"
            ) from None

    def read(self, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
        """See `Decoder.read`."""
        return read_indexed(path, spec, partial(_opened, threads))


def _opened(threads: int, path: str, known: Survey) -> tuple[int, Fetch]:
    """It chooses the stream by itself."""
    import decord

    width, height = known.size
    if known.streams > 1:
        raise ValueError("decord may choose another one of its video streams")
    if min(known.size) < _LEAST_SIDE:
        raise ValueError(f"{width}×{height} is too small for decord")
    decord.logging.set_level(decord.logging.QUIET)
    with _told():
        reader = decord.VideoReader(path, width=width, height=height, num_threads=threads)

    def fetch(numbers: Sequence[int]) -> np.ndarray:
        with _told():
            return np.asarray(reader.get_batch(list(numbers)).asnumpy(), dtype=np.uint8)

    return len(reader), fetch


@contextmanager
def _told() -> Iterator[None]:
    """Its own errors, as one that Python knows."""
    from decord import DECORDError

    try:
        yield
    except DECORDError as error:
        raise ValueError(str(error).splitlines()[0]) from None

"""Decodes plain videos with torchcodec; all others with PyAV."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.indexed import Fetch, Survey, read_indexed
from pitwall_runtime.stages.decode.port import THREADS, Ended


class TorchCodec:
    """Raises BadVariantError where torchcodec, or the FFmpeg libraries that it looks for, are not installed."""

    def __init__(self) -> None:
        try:
            import torchcodec.decoders  # noqa: F401 - found out now, not at the first video
        except (ImportError, RuntimeError, OSError) as error:
            raise BadVariantError(
                "decode.backend torchcodec cannot run here: install the extra 'torchcodec' and FFmpeg's libraries "
                f"(versions 4 to 9); {str(error).splitlines()[0]}"
            ) from None

    def read(self, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
        """See `Decoder.read`."""
        return read_indexed(path, spec, partial(_opened, threads))


def _opened(threads: int, path: str, known: Survey) -> tuple[int, Fetch]:
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    width, height = known.size
    decoder = VideoDecoder(
        path,
        stream_index=known.stream,
        dimension_order="NHWC",
        transforms=[Resize((height, width))],
        num_ffmpeg_threads=threads,
    )

    def fetch(numbers: Sequence[int]) -> np.ndarray:
        return np.asarray(decoder.get_frames_at(list(numbers)).data.numpy(), dtype=np.uint8)

    return int(decoder.metadata.num_frames or 0), fetch

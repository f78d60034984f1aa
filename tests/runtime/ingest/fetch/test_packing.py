"""What a server packs is unpacked to its last byte, wherever a piece of it ends."""

import asyncio
import gzip
import zlib

import pytest

from pitwall_runtime.ingest.fetch.packing import unpacked

ONE_PIECE = 1 << 16


def raw(content: bytes) -> bytes:
    packing = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


@pytest.mark.parametrize("beyond", [0, 1, 50, 257, 258, 259, ONE_PIECE, ONE_PIECE + 100])
@pytest.mark.parametrize(
    ("coding", "pack"), [("deflate", raw), ("deflate", zlib.compress), ("gzip", gzip.compress)], ids=["raw", "", "gzip"]
)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_the_last_match_may_reach_beyond_a_piece(beyond, coding, pack, step):
    content = bytes(ONE_PIECE + beyond)
    packed = pack(content)

    async def sent():
        for start in range(0, len(packed), step):
            yield packed[start : start + step]

    async def whole() -> bytes:
        return b"".join([piece async for piece in unpacked(sent(), coding)])

    assert asyncio.run(whole()) == content

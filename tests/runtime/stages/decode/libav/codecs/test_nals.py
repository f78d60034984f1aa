"""What no other picture refers to may be skipped; a broken picture that others refer to is told."""

import av
import pytest
from av.video.frame import PictureType
from films.making import H264, encode
from films.pools import RANDOM_KINDS, pool, untold

from pitwall_runtime.stages.decode.libav.codecs.nals import Nals

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_b_pictures_alone_may_be_skipped(tmp_path, suffix):
    path = tmp_path / f"film.{suffix}"
    encode(path, range(50), 25, *H264, "-bf", 2, "-x264-params", "b-pyramid=none")
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        nals, packets = Nals(stream), [packet for packet in film.demux(stream) if packet.size]
        skipped = {packet.pts for packet in packets if nals.may_be_skipped(packet)}
        pictures = [frame for packet in [*packets, None] for frame in stream.decode(packet)]

    assert {frame.pts for frame in pictures if frame.pict_type == PictureType.B} == skipped
    assert len(pictures) == 50
    assert 10 < len(skipped) < 40


@pytest.mark.parametrize("seed", [0x33, 0x63])
def test_a_picture_whose_head_is_broken_is_told_though_it_is_seen_at_no_instant(tmp_path, seed):
    """Told to skip what no other picture refers to, FFmpeg's decoder passes over it in silence."""
    path = tmp_path / "film.mp4"
    encode(path, range(250), 25, *RANDOM_KINDS["avc"][1])
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        wanted = [packet for packet in film.demux(stream) if packet.size and packet.pts * packet.time_base > 6.3]
        nals = Nals(stream)
        broken = next(packet for packet in wanted if not nals.may_be_skipped(packet) and not packet.is_keyframe)
    content = bytearray(path.read_bytes())
    content[broken.pos + 5 : broken.pos + 12] = bytes((seed, 0x63, 0x05, 0x38, 0xAB, 0x80, 0xD8))
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert any(one.start_seconds < 7 < one.end_seconds for one in timeline.damage)
    assert numbers[8] == 200, "the next key picture ends it"

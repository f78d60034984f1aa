"""Whole Matroska files are followed from block to block, whatever their sizes look like, and torn ones are told."""

import struct

import av
import pytest
from films.making import H264, encode
from films.pools import pool, untold

from pitwall_runtime.errors import MediaBrokenError
from pitwall_runtime.stages.decode.libav.losses.elements import Elements

LIKE_A_HEADER = 0xA385
"""A block of so many bytes has a size that ends like the header of one of five bytes."""


def element(name, content):
    return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8) + content


def block(size):
    """As every muxer writes it: its size takes as few bytes as it can."""
    head = (size | 0x80).to_bytes(1) if size < 0x7F else (size | 0x20_0000).to_bytes(3)
    return b"\xa3" + head + b"\x11" * size


def followed(path, content, places):
    """What is said of the block at each place, and of the end."""
    path.write_bytes(content)
    with path.open("rb") as file:
        elements = Elements(file)
        return [elements.lead_to(place) for place in places], elements.lead_to_end()


def test_a_size_that_looks_like_a_header_is_none(tmp_path):
    blocks = [block(90), block(LIKE_A_HEADER), block(90)]
    content = element("18538067", element("1f43b675", b"".join(blocks)))
    begin = 24
    places = [begin + 2, begin + 92 + 4, begin + 92 + len(blocks[1]) + 2]
    assert followed(tmp_path / "film.mkv", content, places) == ([True] * 3, True)

    torn = content[: begin + 92] + bytes(50) + content[begin + 92 :]
    said, _ = followed(tmp_path / "film.mkv", torn, [places[0], places[2] + 50])
    assert said == [True, False]


def test_behind_a_segment_of_more_bytes_than_any_file_has_nothing_goes_on(tmp_path):
    path = tmp_path / "film.mkv"
    path.write_bytes(bytes.fromhex("18538067017fffffffffffff") + element("1f43b675", block(90)))
    with path.open("rb") as file:
        elements = Elements(file)
        assert elements.lead_to(24 + 2)
        assert not elements.goes_on


def test_pictures_that_are_laced_share_one_block(tmp_path):
    content = element("18538067", element("1f43b675", block(90) + block(80) + block(70)))
    assert followed(tmp_path / "film.mkv", content, [26, 26, 118, 118, 118, 200, 200]) == ([True] * 7, True)
    torn = content.replace(block(80), bytes(82))
    assert followed(tmp_path / "film.mkv", torn, [26, 26, 200, 200]) == ([True, True, False, True], True)


@pytest.mark.parametrize("padding", [bytes(512), b"\xff" * 7, b"TAG" + bytes(125)])
def test_behind_a_segment_anything_may_stand(tmp_path, padding):
    content = element("18538067", element("1f43b675", block(90) + block(80)))
    places = [26, 118]
    assert followed(tmp_path / "film.mkv", content + padding, places) == ([True] * 2, True)
    assert followed(tmp_path / "film.mkv", content[:-30], places) == ([True] * 2, False)
    assert followed(tmp_path / "film.mkv", content[:-82] + bytes(82) + padding, places[:1]) == ([True], False)


def test_a_laced_film_is_whole(tmp_path):
    source, path = tmp_path / "film.webm", tmp_path / "laced.mkv"
    encode(source, range(100), 25, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-g", 50)
    path.write_bytes(laced(source))
    with av.open(str(path)) as film:
        places = [packet.pos for packet in film.demux(video=0) if packet.size]
    assert (len(places), len(set(places))) == (100, 50)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert untold(timeline, numbers) == []


def laced(source):
    """A film of VP8 with two pictures in each block, for which ffmpeg has no writer."""
    with av.open(str(source)) as film:
        packets = [(bytes(packet), packet.is_keyframe) for packet in film.demux(video=0) if packet.size]
    size = element("e0", element("b0", struct.pack(">H", 320)) + element("ba", struct.pack(">H", 240)))
    ones = b"".join(element(name, b"\1") for name in ("d7", "73c5", "83", "9c"))
    track = element("ae", ones + element("23e383", struct.pack(">I", 40_000_000)) + element("86", b"V_VP8") + size)
    lasts = element("2ad7b1", struct.pack(">I", 1_000_000)) + element("4489", struct.pack(">d", 40 * len(packets)))
    blocks = b""
    for number in range(0, len(packets), 2):
        (first, is_key), (second, _) = packets[number : number + 2]
        lace = b"\1" + b"\xff" * (len(first) // 255) + bytes((len(first) % 255,))
        head = b"\x81" + struct.pack(">h", 40 * number) + bytes((0x80 * is_key | 2,))
        blocks += element("a3", head + lace + first + second)
    content = element("1549a966", lasts) + element("1654ae6b", track)
    content += element("1f43b675", element("e7", b"\0") + blocks)
    return element("1a45dfa3", element("4282", b"matroska")) + element("18538067", content)


@pytest.mark.slow
@pytest.mark.parametrize("said", [14.0, 60.0])
def test_a_whole_file_is_whole_whatever_length_it_says(tmp_path, said):
    path = tmp_path / "film.mkv"
    encode(path, range(250), 25, *H264, "-g", 50)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x44\x89\x88") + 3
    content[at : at + 8] = struct.pack(">d", said * 1000)
    path.write_bytes(content)
    timeline, numbers = pool(path)
    assert (timeline.damage, len(numbers)) == ((), 10)

    path.write_bytes(content[: len(content) * 3 // 4])
    try:
        timeline, _ = pool(path)
    except MediaBrokenError as refusal:
        assert "truncated" in refusal.message  # noqa: PT017
    else:
        assert timeline.damage[-1].end_seconds == pytest.approx(said, abs=0.1)

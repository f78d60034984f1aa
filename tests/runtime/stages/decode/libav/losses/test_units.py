"""Bytes of every container are told from lost ones."""

import av
import pytest
from films.making import H264, encode

from pitwall_runtime.stages.decode.libav.losses.units import UNITS, Units

KINDS = {
    "mpegts": ("ts", H264),
    "mpeg": ("mpg", ("-c:v", "mpeg2video")),
    "ogg": ("ogv", ("-c:v", "libtheora")),
    "asf": ("wmv", ("-c:v", "wmv2")),
    "flv": ("flv", H264),
    "avi": ("avi", ("-c:v", "mpeg4")),
}


def edges(path):
    """Where the first and the last picture lie."""
    with av.open(str(path)) as film:
        places = [packet.pos for packet in film.demux(video=0) if packet.pos is not None]
        return film.format.name, min(places), max(places)


@pytest.mark.parametrize("container", KINDS)
def test_a_whole_file_is_nothing_but_units_and_one_with_zeros_is_not(tmp_path, container):
    suffix, options = KINDS[container]
    path = tmp_path / f"film.{suffix}"
    encode(path, range(100), 25, "-f", "lavfi", "-i", "sine=d=4", *options)
    name, begin, end = edges(path)
    assert name == container
    assert Units(str(path), name).lost_between(begin, end) == 0

    whole, at = path.read_bytes(), (begin + end) // 2
    size = min(20_000, (end - begin) // 3)
    path.write_bytes(whole[:at] + bytes(size) + whole[at + size :])
    assert Units(str(path), name).lost_between(begin, end) > size * 0.5


@pytest.mark.parametrize("length", [188, 192, 204])
def test_packets_of_all_three_lengths_are_known_and_a_little_between_them_is_no_loss(tmp_path, length):
    packet = (b"\x0a\x0b\x0c\x0d\x47" if length == 192 else b"\x47").ljust(length, b"\xaa")
    path = tmp_path / "film.ts"
    path.write_bytes(packet * 3000 + b"joined here" + packet * 3000)
    units = Units(str(path), "mpegts")
    assert units.lost_between(0, length * 5999 + 11) == 0
    assert units.lost_between(7, length * 5999 + 11) == 0, "nothing is said from where no packet begins"
    path.write_bytes(packet * 3000 + bytes(2000) + packet * 3000)
    assert units.lost_between(0, length * 3000 + 2000) == pytest.approx(2000, abs=length)


def test_an_ogg_page_whose_checksum_is_wrong_is_lost(tmp_path):
    path = tmp_path / "film.ogv"
    encode(path, range(50), 25, "-c:v", "libtheora")
    _, begin, end = edges(path)
    content = bytearray(path.read_bytes())
    content[(begin + end) // 2] ^= 1
    path.write_bytes(content)
    assert Units(str(path), "ogg").lost_between(begin, end) > 0


def test_of_other_containers_nothing_is_known():
    assert not Units("film.mkv", "matroska,webm").known
    assert set(KINDS) | {"live_flv"} == set(UNITS)

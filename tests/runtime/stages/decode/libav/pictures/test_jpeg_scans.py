"""Data of a Motion JPEG picture that nobody reads are told, filling is not."""

import io
from functools import partial

import av
import numpy as np
import pytest
from films.making import encode
from films.pools import pool, untold
from films.reading import decode
from PIL import Image

from pitwall_runtime.media import PoolSpec

pytestmark = pytest.mark.slow
END = b"\xff\xd9"


def _with(path, more):
    """The film with something before the end of each picture, by its number."""
    made = path.with_name("made.avi")
    with av.open(str(path)) as film, av.open(str(made), "w") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(packet for packet in film.demux(video=0) if packet.size):
            content = bytes(packet)
            written = av.Packet(content[:-2] + more(number) + END)
            written.pts = written.dts = packet.pts
            written.time_base, written.stream, written.is_keyframe = packet.time_base, stream, True
            out.mux(written)
    return made


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.avi"
    encode(path, range(100), 25, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    return path


@pytest.mark.parametrize("more", [b"\x28\xa2\x8a", b"\x28\xa2\x8a\x28\xa2\x8a\0\0"])
def test_data_that_no_picture_is_made_of_are_told_where_they_begin_in_mid_film(film, more):
    """Wrong bits were read as fewer blocks."""
    timeline, numbers = pool(_with(film, lambda number: more if 50 <= number < 60 else b""))

    [told] = timeline.damage
    assert told.start_seconds > 1, "of pictures that nobody sees nothing was decoded"
    assert told.end_seconds == pytest.approx(2.4)
    assert untold(timeline, numbers) == []


def test_a_camera_may_write_them_into_every_picture(film):
    timeline, numbers = pool(_with(film, lambda _: b"\x28\xa2\x8a"))

    assert timeline.damage == ()
    assert [numbers[second] for second in range(4)] == [0, 25, 50, 75]


@pytest.mark.parametrize("filling", [b"\xff", b"\0"])
def test_filling_before_the_end_is_no_damage(film, filling):
    """Of each picture another number of bytes, none of the first one."""
    timeline, numbers = pool(_with(film, lambda number: filling * (number % 9)))

    assert timeline.damage == ()
    assert [numbers[second] for second in range(4)] == [0, 25, 50, 75]


def _jpeg(picture, **options):
    out = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(out, "JPEG", **options)
    return out.getvalue()


def _flat(quality):
    """Faded pictures of a size at whose edge blocks are cut off."""
    return [_jpeg(np.full((480, 854, 3), 7 * number % 256), quality=quality, subsampling=2) for number in range(25)]


def _noisy():
    random = np.random.default_rng(0)
    return [_jpeg(random.integers(0, 256, (48, 64, 3)), quality=90, subsampling=0) for _ in range(500)]


@pytest.mark.parametrize(
    "pictures",
    [
        pytest.param(partial(_flat, 50), id="flat"),
        pytest.param(partial(_flat, 90), id="flat and fine"),
        pytest.param(_noisy, id="noisy"),
    ],
)
def test_healthy_pictures_of_any_kind_are_no_damage(tmp_path, pictures):
    path = tmp_path / "film.mjpeg"
    path.write_bytes(b"".join(pictures()))

    assert decode(path, PoolSpec(1500), lambda _: None).damage == ()

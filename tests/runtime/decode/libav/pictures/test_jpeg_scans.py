"""Data of a Motion JPEG picture that nobody reads are told, filling is not."""

import av
import pytest
from films.making import encode
from films.pools import pool, untold

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

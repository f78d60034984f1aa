"""A last picture of which nothing says how long it is held is not held for as long as another one."""

import pytest
from films.making import at_times, encode, every, remux
from films.pools import beside_ffmpeg, pool

pytestmark = pytest.mark.slow
HELD_BEFORE = [(0, 0), (1, 33), (2, 66), (3, 100), (4, 5000)]
MOVING = [*every(25, 40), (25, 4000), (26, 4040), (27, 4080)]


@pytest.mark.parametrize(
    ("pictures", "last_seen", "end"),
    [
        pytest.param(HELD_BEFORE, 4, 5.04, id="few pictures, so that a usual one is held for long"),
        pytest.param(MOVING, 25, 4.12, id="many"),
    ],
)
def test_a_fragments_last_picture_that_is_not_in_order_is_held_as_long_as_all_say(tmp_path, pictures, last_seen, end):
    path, options = tmp_path / "held.mp4", ("-c", "copy", "-movflags", "+frag_keyframe+empty_moov")
    remux(path, lambda part: at_times(part, "libx264", [((160, 90), pictures)], last=40), *options)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(end, abs=0.02)
    assert numbers[int(end)] == last_seen


SLIDES = (
    "setpts='if(lt(N,1),0,if(lt(N,2),4,if(lt(N,3),7,if(lt(N,4),12.52,if(lt(N,5),14.52,if(lt(N,6),20.52,30.52))))))/TB'"
)
FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("slides.mp4", (), id="MP4"),
        pytest.param("slides.mov", (), id="MOV"),
        pytest.param("slides.mp4", FRAGMENTED, id="fragments"),
        pytest.param("slides.mkv", (), id="Matroska"),
    ],
)
def test_the_last_slide_of_a_show_ends_where_the_show_does(tmp_path, name, options):
    """As ffmpeg makes a show of pictures of odd lengths: the last one for a moment, since it names that one twice."""
    path = tmp_path / name
    avc = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", 3)
    encode(path, range(7), 25, "-vf", SLIDES, "-vsync", "vfr", *avc, *options, size=(160, 90))
    timeline, ours, theirs = beside_ffmpeg(path, 1)

    assert timeline.damage == ()
    assert ours == theirs or ours[:-1] == theirs
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(30.56, abs=0.03)


def test_the_last_slide_is_held_as_long_as_header_and_edit_list_say(tmp_path):
    path = tmp_path / "slides.mp4"
    shown = [(number, ms) for number, ms in enumerate((0, 4000, 9000, 12000, 14500, 20000, 24000, 28000))]
    remux(path, lambda part: at_times(part, "libx264", [((160, 90), shown)], last=2500), "-c", "copy")
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: sum(ms <= 1000 * second for _, ms in shown) - 1 for second in range(31)}
    assert timeline.end_pts * timeline.time_base == pytest.approx(30.5, abs=0.001)

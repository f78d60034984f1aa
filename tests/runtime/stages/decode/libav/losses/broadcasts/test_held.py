"""A broadcast's clock that leaps ahead: a picture is held, or something is missing, which is told."""

import pytest
from films.making import H264, at_times, encode, join, remux
from films.pools import pool

pytestmark = pytest.mark.slow
SOUND = ("-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac")
TIMES = [0, 40, 80, 12_000, 12_040, 13_000]


@pytest.mark.parametrize("sound", [(), SOUND], ids=["silent", "with sound"])
def test_what_may_be_lost_where_the_clock_leaps_is_told(tmp_path, sound):
    """Segments of a stream of which one is missing: nothing tells that there was none."""
    path = tmp_path / "segments.ts"

    def part(numbers, offset):
        return lambda out: encode(out, numbers, 25, *sound, *H264, "-bf", 0, "-output_ts_offset", offset)

    join(path, part(range(50), 0), part(range(350, 400), 14))
    timeline, numbers = pool(path)

    [lost] = timeline.damage
    assert (lost.start_seconds, lost.end_seconds) == pytest.approx((1.96, 2))
    assert numbers == {0: 0, 1: 25, 2: 350, 3: 375}


@pytest.mark.parametrize(
    "options", [("-mpegts_m2ts_mode", 1), ("-f", "mpegts", "-muxrate", "1M")], ids=["Blu-ray", "filled"]
)
def test_a_held_picture_is_known_by_what_counts_on_in_every_kind_of_transport_stream(tmp_path, options):
    path = tmp_path / "held.m2ts"
    frames = list(enumerate(TIMES))
    remux(
        path, lambda out: at_times(out, "libx264", [((320, 240), frames)], options={"bf": "0"}), "-c", "copy", *options
    )
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert list(numbers.values()) == [0, *[2] * 11, 3, 5]

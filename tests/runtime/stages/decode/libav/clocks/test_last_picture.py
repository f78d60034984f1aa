"""A last picture of which nothing says how long it is held is not held for as long as another one."""

import pytest
from films.making import at_times, every, remux
from films.pools import pool

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

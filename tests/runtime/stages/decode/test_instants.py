"""Which picture is seen at each instant, and what is told of the stretches that are lost; without any decoder."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.errors import MediaBrokenError, MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import TICKS, Damage, PoolSpec
from pitwall_runtime.stages.decode.instants import Instants, Shown
from pitwall_runtime.stages.decode.port import Ended

MILLISECOND = Fraction(1, 1000)
SPEC = PoolSpec()


def shown(start, duration, **more):
    picture = np.full((2, 2, 3), start % 251, np.uint8)
    return Shown(start, duration, lambda: picture, **more)


def pool(pictures, *, last_end=None, declared_end=None, lost_from=None, spec=SPEC, **more):
    """The pool's (second, milliseconds at which its picture begins), and the end."""
    instants = Instants(spec, MILLISECOND, lost_from)
    starts = {one.start % 251: one.start for one in pictures}
    items = [item for picture in pictures for item in instants.show(picture)]
    end = pictures[-1].start + pictures[-1].duration if last_end is None and pictures else last_end
    items += instants.close(end or 0, declared_end, **more)
    assert isinstance(items[-1], Ended)
    frames = [(Fraction(item.pts, TICKS) * spec.interval, starts[int(item.image[0, 0, 0])]) for item in items[:-1]]
    return frames, items[-1]


def test_a_picture_is_seen_until_the_next_one_and_at_the_instant_it_begins():
    frames, ended = pool([shown(0, 400), shown(999, 1), shown(1000, 500), shown(2500, 1000)])
    assert frames == [(0, 0), (1, 1000), (2, 1000), (3, 2500)]
    assert ended == Ended(round(3.5 * TICKS))


def test_times_count_from_the_first_picture_wherever_the_clock_begins():
    frames, _ = pool([shown(-2300, 1500), shown(-800, 800)])
    assert frames == [(0, -2300), (1, -2300), (2, -800)]


def test_a_clock_that_runs_backwards_shows_nothing_anew():
    frames, _ = pool([shown(0, 1000), shown(1000, 1000), shown(500, 1000), shown(2000, 1000)])
    assert frames == [(0, 0), (1, 1000), (2, 2000)]


def test_a_loss_is_not_filled_with_the_picture_before_it():
    frames, ended = pool([shown(0, 1000), shown(1000, 500), shown(4200, 1800, after_loss=True)])
    assert frames == [(0, 0), (1, 1000), (5, 4200)]
    assert ended.damage == (Damage(1.5, 4.2),)


def test_of_very_many_losses_the_nearest_are_told_as_one():
    pictures = [shown(3000 * at, 2000, after_loss=True) for at in range(1001)]
    _, ended = pool(pictures)
    assert len(ended.damage) == 100
    assert (ended.damage[0].start_seconds, ended.damage[-1].end_seconds) == (2.0, 3000.0)
    assert sum(one.stretches for one in ended.damage) == 1000
    assert sum(one.damaged_seconds for one in ended.damage) == pytest.approx(1000)


def test_smeared_pictures_are_kept_and_told():
    frames, ended = pool([shown(0, 1000), shown(1000, 1000, faulty=True, after_loss=True), shown(2000, 1000)])
    assert frames == [(0, 0), (1, 1000), (2, 2000)]
    assert ended.damage == (Damage(1.0, 2.0),)


def test_pictures_made_of_nothing_after_a_loss_are_left_out_until_a_whole_one():
    dark = {"faulty": True, "after_loss": True}
    pictures = [shown(0, 3000), shown(4000, 1000, **dark), shown(5000, 1000, **dark), shown(6000, 9000)]
    frames, ended = pool(pictures)
    assert [second for second, _ in frames] == [0, 1, 2, *range(6, 15)]
    assert ended.damage == (Damage(3.0, 6.0),)


def test_the_first_frame_from_a_key_picture_on_is_a_key_frame():
    pictures = [shown(0, 300, key=True), shown(300, 2200), shown(2500, 300, key=True), shown(2800, 900)]
    instants = Instants(SPEC, MILLISECOND)
    items = [item for picture in pictures for item in instants.show(picture)] + list(instants.close(3700))

    assert [(frame.pts // TICKS, frame.key) for frame in items[:-1]] == [(0, True), (1, False), (2, False), (3, True)]


def test_a_key_picture_that_no_frame_shows_before_a_loss_marks_none_behind_it():
    pictures = [shown(0, 1100, key=True), shown(1100, 100, key=True), shown(4200, 1800, after_loss=True)]
    instants = Instants(SPEC, MILLISECOND)
    items = [item for picture in pictures for item in instants.show(picture)] + list(instants.close(6000))

    assert [(frame.pts // TICKS, frame.key) for frame in items[:-1]] == [(0, True), (1, False), (5, False)]


def test_a_lost_beginning_counts():
    frames, ended = pool([shown(1500, 3500, after_loss=True)], lost_from=0)
    assert frames == [(2, 1500), (3, 1500), (4, 1500)]
    assert ended.damage == (Damage(0.0, 1.5),)


def test_the_end_that_the_file_declares_is_missed_by_more_than_rounding():
    assert pool([shown(0, 3000)], declared_end=3400)[1].damage == ()
    assert pool([shown(0, 3000)], declared_end=4000)[1].damage == (Damage(3.0, 4.0),)


def test_the_last_packets_that_did_not_decode_are_missing():
    _, ended = pool([shown(0, 3000)], last_end=4000, after_loss=True)
    assert ended.damage == (Damage(3.0, 4.0),)


@pytest.mark.parametrize(
    ("pictures", "more", "error", "words"),
    [
        pytest.param([], {}, NotAVideoError, "not one picture", id="nothing"),
        pytest.param([shown(0, 1000)], {"declared_end": 9000}, MediaBrokenError, "9 s but only 1 s", id="a-ruin"),
        pytest.param([shown(0, 1000), shown(1 << 40, 1)], {}, MediaTooLargeError, "longer than", id="a-wild-clock"),
        pytest.param(
            [shown(0, 40_000_000)], {"spec": PoolSpec(1800, 240)}, MediaTooLargeError, "50000 pool frames", id="dense"
        ),
    ],
)
def test_what_makes_no_pool_is_refused_in_words(pictures, more, error, words):
    with pytest.raises(error, match=words):
        pool(pictures, **more)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30), st.sampled_from([6, 7, 60, 240]))
def test_at_every_instant_stands_the_last_picture_that_has_begun(durations, rate):
    starts = [sum(durations[:count]) for count in range(len(durations))]
    pictures = [Shown(start, 1, lambda start=start: start) for start in starts]
    spec = PoolSpec(rate, 240)
    instants = Instants(spec, MILLISECOND)
    items = [item for picture in pictures for item in instants.show(picture)]
    items += instants.close(sum(durations))

    seen = {Fraction(item.pts, TICKS) * spec.interval: item.image for item in items[:-1]}
    expected, at = {}, Fraction(0)
    while at * 1000 < sum(durations):
        expected[at] = max(start for start in starts if start <= at * 1000)
        at += spec.interval
    assert seen == expected

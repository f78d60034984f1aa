"""The nouns keep their promises."""

from fractions import Fraction

import pytest

from pitwall_runtime.media import FramePool, PoolSpec, Selection, Shot, clock


@pytest.mark.parametrize(
    "indices",
    [
        pytest.param((3, 2), id="unsorted"),
        pytest.param((2, 2), id="twice-the-same"),
        pytest.param((-1, 2), id="negative"),
    ],
)
def test_a_selection_refuses(indices):
    with pytest.raises(ValueError, match="sorted, unique and not negative"):
        Selection(indices)


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 3), (-1, 2)])
def test_a_shot_is_half_open_and_not_empty(start, end):
    with pytest.raises(ValueError, match=r"\[start, end\)"):
        Shot(start, end)


def test_times_come_from_ticks_and_the_end_of_the_pool_is_the_end_of_the_video():
    pool = FramePool("hash", PoolSpec(), Fraction(1, 12288), (0, 12288, 24576), 30720, (Shot(0, 2), Shot(2, 3)))
    assert [pool.seconds(index) for index in range(4)] == [0.0, 1.0, 2.0, 2.5]
    assert pool.shot_of(1) == Shot(0, 2)
    assert pool.shot_of(2) == Shot(2, 3)
    assert pool.shot_of(0) == Shot(0, 2)
    with pytest.raises(IndexError):
        pool.shot_of(3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (187, "3:07"), (596.4, "9:56"), (3727, "1:02:07")]
)
def test_times_are_written_as_people_write_them(seconds, text):
    assert clock(seconds) == text

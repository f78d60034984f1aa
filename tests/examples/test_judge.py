"""Judgements of hand-made answers."""

import pytest
from examples.demo.annotations import AnnotatedMoment, AnnotatedQuestion, Annotations
from examples.demo.judge import NamedMoment, Satisfaction, judge

FILM = Annotations(
    100.0,
    {
        "apple": AnnotatedMoment("apple", 10.0, 20.0, "An apple.", ()),
        "bite": AnnotatedMoment("bite", 15.0, 20.0, "A bite.", ()),
        "kite": AnnotatedMoment("kite", 50.0, 51.0, "A kite.", ()),
        "bird": AnnotatedMoment("bird", 80.0, 90.0, "A bird.", ()),
    },
    (),
)
ONE = AnnotatedQuestion("one", "?", "??", ("apple", "kite"), 1)
TWO = AnnotatedQuestion("two", "?", "??", ("apple", "bite", "kite"), 2)


def named(*pts_seconds: float) -> list[NamedMoment]:
    return [NamedMoment(pts - 5, pts + 5, pts, "frame", 1.0) for pts in pts_seconds]


@pytest.mark.parametrize(
    ("question", "pts", "satisfied", "hits", "precision"),
    [
        pytest.param(ONE, [15], True, ("apple",), 1.0, id="inside"),
        pytest.param(ONE, [9.0], True, ("apple",), 1.0, id="a-second-before"),
        pytest.param(ONE, [8.9], False, (), 0.0, id="more-than-a-second-before"),
        pytest.param(ONE, [20.9], True, ("apple",), 1.0, id="less-than-a-second-after"),
        pytest.param(ONE, [21.0], False, (), 0.0, id="half-open-at-the-end"),
        pytest.param(ONE, [85], False, (), 0.0, id="another-questions-moment"),
        pytest.param(ONE, [], False, (), 0.0, id="nothing-named"),
        pytest.param(ONE, [0, 99, 15], True, ("apple",), 1 / 3, id="third-is-read"),
        pytest.param(ONE, [0, 99, 98, 15], False, (), 0.0, id="fourth-is-not-read"),
        pytest.param(ONE, [12, 50, 14], True, ("apple", "kite"), 1.0, id="all-right"),
        pytest.param(TWO, [12, 50], True, ("apple", "kite"), 1.0, id="two-distinct"),
        pytest.param(TWO, [12, 13], False, ("apple",), 1.0, id="the-same-twice-is-one-evidence"),
        pytest.param(TWO, [17], False, ("apple", "bite"), 1.0, id="one-frame-in-two-moments-is-one-evidence"),
        pytest.param(TWO, [17, 18], True, ("apple", "bite"), 1.0, id="two-frames-in-two-overlapping-moments"),
        pytest.param(TWO, [0, 1, 12, 2, 50], True, ("apple", "kite"), 0.4, id="fifth-is-read-for-several"),
        pytest.param(TWO, [0, 1, 12, 2, 3, 50], False, ("apple",), 0.2, id="sixth-is-not-read"),
    ],
)
def test_judgement(
    question: AnnotatedQuestion, pts: list[float], satisfied: bool, hits: tuple[str, ...], precision: float
):
    assert judge(question, named(*pts), FILM) == Satisfaction(satisfied, hits, pytest.approx(precision))


def test_the_frame_counts_not_the_span_it_stands_for() -> None:
    """A sampler of eight frames names spans of a minute each; that would answer everything."""
    wide = [NamedMoment(0.0, 100.0, 40.0, "frame", 1.0)]

    assert not judge(ONE, wide, FILM).satisfied

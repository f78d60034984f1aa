"""Logic over curves, worked by hand, and trees that a model may send."""

import json

import numpy as np
import pytest

from pitwall_runtime.samplers.composed.satisfaction import Branch, Join, Leaf, Sense, in_order, parse, satisfaction

CURVES = {
    "a": np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.5]),
    "b": np.array([0.0, 0.5, 0.0, 1.0, 0.0, 0.0]),
}
A, B = Leaf(Sense.SEE, "a"), Leaf(Sense.SEE, "b")


def curve(join, *parts, memory=3.0):
    return satisfaction(Branch(join, parts), lambda leaf: CURVES[leaf.words], memory)


def test_all_is_the_product_and_any_what_not_all_miss():
    assert curve(Join.ALL, A, B).tolist() == [0, 0.5, 0, 0, 0, 0]
    assert curve(Join.ANY, A, B).tolist() == [0, 1, 0, 1, 0, 0.5]


def test_then_keeps_every_step_that_has_its_partner_in_time():
    # a at 1 has b at 3 behind it; b at 3 has a at 1 before it; a at 5 has no b behind, b at 1 no a before.
    assert curve(Join.THEN, A, B) == pytest.approx([0, 1, 0, 1, 0, 0])
    assert curve(Join.THEN, B, A) == pytest.approx([0, 0.25, 0, 0.5, 0, 0.5])


def test_right_after_fades_with_the_time_between():
    assert curve(Join.RIGHT_AFTER, A, B) == pytest.approx([0, np.exp(-2 / 3), 0, np.exp(-2 / 3), 0, 0])


def test_three_steps_in_order():
    steps = [np.eye(1, 9, at)[0] for at in (1, 4, 7)]

    assert in_order(steps, np.inf) == pytest.approx(sum(steps))
    assert in_order(steps[::-1], np.inf) == pytest.approx(np.zeros(9))


def test_a_tree_out_of_a_reply():
    reply = 'Here it is: {"then": [{"see": "a dog"}, {"any": [{"hear": "bark"}, {"find": "ball"}]}]} Good luck!'
    hear, find = Leaf(Sense.HEAR, "bark"), Leaf(Sense.FIND, "ball")

    assert parse(reply) == Branch(Join.THEN, (Leaf(Sense.SEE, "a dog"), Branch(Join.ANY, (hear, find))))


DEEP = json.loads('{"all": [' * 40 + '{"see": "x"}' + "]}" * 40)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("", id="nothing"),
        pytest.param("I cannot do that.", id="words"),
        pytest.param('{"see": 5}', id="a number to see"),
        pytest.param('{"see": " "}', id="nothing to see"),
        pytest.param('{"all": []}', id="all of nothing"),
        pytest.param('{"xor": [{"see": "a"}]}', id="an unknown join"),
        pytest.param('{"see": "a", "hear": "b"}', id="two keys"),
        pytest.param('{"see": "a"', id="no end"),
        pytest.param(json.dumps({"all": [{"see": f"{n}"} for n in range(17)]}), id="too many leaves"),
        pytest.param(json.dumps(DEEP), id="too deep"),
        pytest.param("{" * 5000 + "}" * 5000, id="braces"),
        pytest.param('{"all": ' + "[" * 100_000 + "]" * 100_000 + "}", id="deeper than Python goes"),
    ],
)
def test_what_is_no_tree(reply):
    assert parse(reply) is None

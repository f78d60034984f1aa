"""What an evaluation may cost, whoever wrote the rule and whoever asks; what it answers is tested in test_fuzz.py."""

import pytest
from harness.effort import effort

from pitwall_flags.flag.evaluate import EvaluationFault
from pitwall_flags.flag.flagset import FlagSet

ACCUMULATOR = {"var": "accumulator"}
LONG = "9" * 128_000


def reduced(body: object, first: object = "aaaa") -> dict[str, object]:
    return {"reduce": [{"var": "xs"}, body, first]}


def evaluate(rule: object, **context: object):
    """The answer, and what it took in readings of a megabyte. The document is not checked: as a stranger's set."""
    document = {"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "defaultVariant": "a", "targeting": rule}
    flags = FlagSet({"flags": {"f": document}})
    with effort() as spent:
        answer = flags.evaluate("f", "u", context)
    return answer, spent.megabytes


@pytest.mark.parametrize("elements", [29, 2_000, 60_000])
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param({"cat": [reduced({"cat": [ACCUMULATOR, ACCUMULATOR]})]}, "50000 steps", id="text that doubles"),
        pytest.param({"in": ["b", reduced({"merge": [ACCUMULATOR] * 2})]}, "50000 steps", id="a list that doubles"),
        pytest.param({"+": [reduced({"*": [ACCUMULATOR, ACCUMULATOR]}, 7)]}, "limit is 1024", id="digits that double"),
        pytest.param({"cat": [reduced([ACCUMULATOR, ACCUMULATOR])]}, "", id="a list of lists"),
        pytest.param({"fractional": [reduced([ACCUMULATOR, 1, 1]), ["a", 1]]}, "", id="deep lists, hashed"),
        pytest.param(reduced([ACCUMULATOR, ACCUMULATOR]), "", id="a list of lists as the answer"),
        pytest.param({"cat": [{"map": [{"var": "xs"}, LONG]}] * 40}, "50000 steps", id="a long text for each"),
        pytest.param({"+": [reduced({"+": [ACCUMULATOR, {"var": "current"}]}, 0)] * 80}, "", id="loops in a row"),
        pytest.param({"cat": [{"var": "text"}] * 1_900}, "50000 steps", id="a long text again and again"),
        pytest.param({"or": [{"sem_ver": [{"var": "text"}, "=", "1.0.0"]}] * 900}, "256 characters", id="versions"),
    ],
)
def test_what_would_take_long_or_grow_ends_as_an_error_in_words(rule, words, elements):
    answer, megabytes = evaluate(rule, xs=[1] * elements, text=LONG)

    assert answer.fault in (EvaluationFault.GENERAL, None)
    assert words in answer.message or answer.fault is None
    assert len(answer.message) < 1_000
    assert megabytes < 100


def test_a_loop_over_a_thousand_elements_is_within_the_budget():
    members = {"some": [{"var": "groups"}, {"and": [{"==": [{"var": "name"}, "beta"]}, {">": [{"var": "age"}, 30]}]}]}
    groups = [{"name": "beta", "age": age % 30} for age in range(1_000)]

    assert evaluate({"if": [members, "b", "a"]}, groups=groups)[0].value == "x"
    assert evaluate({"if": [members, "b", "a"]}, groups=[*groups[1:], {"name": "beta", "age": 31}])[0].value == "y"


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        pytest.param({"if": []}, "x", id="no branches: the default"),
        pytest.param({"?:": [0, "a", "", "a", "b"]}, "y", id="the last of an odd number"),
        pytest.param({"if": [False, "b"]}, "x", id="no branch fits"),
        pytest.param({"and": ["a", "b"]}, "y", id="the last of and"),
        pytest.param({"or": ["", "b"]}, "y", id="the first of or"),
        pytest.param({"if": [{"filter": [[1, 2], {">": [{"var": ""}, 1]}]}, "b", "a"]}, "y", id="filter"),
        pytest.param({"if": [{"all": [[], True]}, "b", "a"]}, "x", id="all of none"),
        pytest.param({"if": [{"none": [[1], False]}, "b", "a"]}, "y", id="none"),
        pytest.param({"if": [{"some": [7, True]}, "b", "a"]}, "x", id="some of no list"),
        pytest.param({"if": [{"==": [{"reduce": [7, 1, "z"]}, "z"]}, "b", "a"]}, "y", id="reduce of no list"),
        pytest.param({"if": [{"in": [3, {"map": [[1, 2], {"+": [{"var": ""}, 1]}]}]}, "b", "a"]}, "y", id="map"),
    ],
)
def test_branches_and_loops_answer_as_those_of_json_logic(rule, value):
    assert evaluate(rule)[0].value == value


def test_an_operator_that_there_is_not_is_told_by_its_name():
    answer, _ = evaluate({"nonsense": [1]})

    assert (answer.fault, answer.message) == (EvaluationFault.PARSE_ERROR, "there is no operator 'nonsense'")

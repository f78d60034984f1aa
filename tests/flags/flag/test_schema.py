"""flagd's schema, checked quickly: what is valid is what a validator that tries everything finds valid."""

import json
import sys
from functools import cache
from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from pitwall_flags.flag.schema import schema_problem

OPERATORS = ["if", "==", "<", "substr", "!", "and", "var", "missing", "missing_some", "reduce", "*", "starts_with"]
OPERATORS += ["sem_ver", "fractional", "$ref", "$ref\t", "nonsense", ""]
leaves = st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["a", "1.2.3", "^", "$flagd.x", 0.5, "xs"])
rules = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(OPERATORS), st.lists(inner, max_size=3) | inner, max_size=2)
    ),
    max_leaves=12,
)
variants = st.dictionaries(st.sampled_from(["a", "b", ""]), leaves | st.just({}), max_size=3)


def flag(targeting):
    return {"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "defaultVariant": "a", "targeting": targeting}


@cache
def patient_validator():
    """Of flagd's own schema as it is."""
    texts = resources.files("pitwall_flags.flag") / "schemas"
    flags, targeting = (json.loads((texts / name).read_text("utf-8")) for name in ("flags.json", "targeting.json"))
    registry = Registry().with_resource("./targeting.json", Resource.from_contents(targeting))
    return Draft7Validator({**flags, "$ref": "#/definitions/anyFlag"}, registry=registry)


def condition(rule):
    return {"if": [rule, "a", "b"]}


@given(rules)
@example({})
@example(condition({}))
@example(condition({"$ref": "other"}))
@example(condition({"$ref": 1}))
@example(condition({"$ref": "other", "var": "x"}))
@example(condition({"!": [{"nonsense": 1}]}))
@example(condition({"!": {"nonsense": 1}}))
@example(condition({"==": [1, 2], ">": [1, 2]}))
@example(condition({"==": [1, 2], "<": [1, 2]}))
@example({"fractional": [{"var": "x"}, ["a", 1], ["b", 1]]})
@example({"fractional": [["a", 1], ["b", {"var": "w"}]]})
@example({"fractional": [{"fractional": []}, ["a"]]})
@example({"fractional": []})
@example({"fractional": ["a", ["b", 1]]})
@example([])
def test_of_any_targeting_the_verdict_is_that_of_flagds_schema(targeting):
    document = flag(targeting)

    assert (schema_problem(document) is None) == patient_validator().is_valid(document)


@given(st.fixed_dictionaries({"state": st.sampled_from(["ENABLED", "ON", 1]), "variants": variants | leaves}))
def test_of_any_variants_the_verdict_is_that_of_flagds_schema(document):
    assert (schema_problem(document) is None) == patient_validator().is_valid(document)


def comparisons(count):
    return flag(condition({"and": [{"==": [{"var": "x"}, 1]}] * count}))


def nested_shares(depth):
    shares = {"fractional": [["a", 1], ["b", 1]]}
    for _ in range(depth):
        shares = {"fractional": [[shares, 1], ["b", 1]]}
    return flag(shares)


def nested_negations(count):
    rule = {"or": [{"cat": [{"cat": [{"var": "x"}]}]}] * count}
    for _ in range(4):
        rule = {"!": [rule]}
    return flag(condition(rule))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(comparisons(100), id="one after the other"),
        pytest.param(nested_shares(6), id="shares within shares"),
        pytest.param(nested_negations(50), id="one in the other"),
        pytest.param(flag(condition({"and": [{"nope": 1}] * 300})), id="faults"),
        pytest.param(flag(condition({"and": [{}] * 300})), id="nothing"),
    ],
)
def test_what_a_check_costs_grows_with_the_document_and_no_faster(document):
    schema_problem(document)  # what is made once is there

    assert calls_of(lambda: schema_problem(document)) < 200 * values_of(document)


def calls_of(work):
    """How many calls of functions it takes, which no other load on the machine changes."""
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def values_of(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_of, inside))

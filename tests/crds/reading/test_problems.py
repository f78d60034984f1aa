"""Every kind of problem, in the words that a user reads."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from pitwall_crds.reading.parse import parse_documents
from pitwall_crds.reading.problems import Problem, floats_in, problems_of, shown, suggestion


class FieldLeaf(BaseModel, extra="forbid"):
    count: int = Field(ge=1, le=9, default=1)
    word: str = Field(min_length=2, max_length=4, pattern="^[a-z]+$", default="ab")


class Tree(BaseModel, extra="forbid"):
    leaves: tuple[FieldLeaf, ...] = Field(default=(), max_length=2)
    either: bool | int | None = None
    size: float = Field(gt=0, default=1)
    names: dict[str, str] = {}


def words(**data: object) -> dict[str, str]:
    """What is said of this tree, by field."""
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate_json(json.dumps(data), strict=True)
    return {problem.field: problem.message for problem in problems_of(caught.value.errors(), data, Tree)}


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        pytest.param({"leaves": 3}, "leaves", "3 must be a list", id="no list"),
        pytest.param({"leaves": [3]}, "leaves[0]", "3 must be a mapping", id="no mapping"),
        pytest.param({"names": []}, "names", "[] must be a mapping", id="a list for a mapping"),
        pytest.param({"names": {"a": 1}}, "names.a", "1 must be text", id="a number for a text"),
        pytest.param({"leaves": [{"count": "7"}]}, "leaves[0].count", '"7" must be an integer; remove the quotes',
                     id="a quoted number"),
        pytest.param({"leaves": [{"count": "-7"}]}, "leaves[0].count", '"-7" must be an integer; remove the quotes',
                     id="a quoted number below zero"),
        pytest.param({"leaves": [{"count": "many"}]}, "leaves[0].count", '"many" must be an integer', id="a word"),
        pytest.param({"leaves": [{}, {"count": 0}]}, "leaves[1].count", "0 must be at least 1; raise it", id="too low"),
        pytest.param({"leaves": [{"count": 10}]}, "leaves[0].count", "10 must be at most 9; lower it", id="too high"),
        pytest.param({"leaves": [{"word": "abcde"}]}, "leaves[0].word",
                     '"abcde" must have at most 4 characters; shorten it', id="too long"),
        pytest.param({"leaves": [{"word": "a"}]}, "leaves[0].word", '"a" must have at least 2 characters; write more',
                     id="too short"),
        pytest.param({"leaves": [{"word": "AB"}]}, "leaves[0].word", '"AB" must be text matching ^[a-z]+$',
                     id="another pattern"),
        pytest.param({"leaves": [{}, {}, {}]}, "leaves", "has 3 entries and must have at most 2; remove some",
                     id="too many"),
        pytest.param({"either": "x"}, "either", '"x" must be true or false or an integer', id="neither of two"),
        pytest.param({"leaves": [{"wrod": "ab"}]}, "leaves[0].wrod", 'is not a field here; did you mean "word"?',
                     id="misspelt in a list"),
        pytest.param({"colour": "red"}, "colour", "is not a field here; known are leaves, either, size, names",
                     id="like nothing known"),
        pytest.param({"size": 0}, "size", "0: Input should be greater than 0", id="a rule without words of ours"),
    ],
)  # fmt: skip
def test_a_problem_names_the_field_the_value_and_what_to_do(data, field, message):
    assert message in words(**data)[field]


def test_a_problem_of_the_whole_has_no_field_and_each_field_has_one_problem():
    assert Problem((), "x").field == ""
    assert Problem(("spec", "stages", 1, "weight"), "x").field == "spec.stages[1].weight"
    assert set(words(leaves=[{"count": 0, "word": "A"}, 7], either=[])) == {
        "leaves[0].count", "leaves[0].word", "leaves[1]", "either",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), ("ü", '"ü"'), ("\x1b[31m", '"\\u001b[31m"'), ([1, {"a": True}], '[1, {"a": true}]')],
)
def test_a_value_is_shown_as_files_spell_it(value, text):
    assert shown(value) == text


VALUES = st.recursive(
    st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_a_value_is_shown_short_and_on_one_line(value):
    text = shown(value)

    assert len(text) <= 60
    assert "\n" not in text
    assert "\x1b" not in text


def test_each_float_is_named_where_it_stands_and_told_how_to_write_it():
    data = {"a": [1, 0.1, {"b": -2.5}], "c": True, "d": "0.1"}
    found = {problem.field: problem.message for problem in floats_in(data)}

    assert set(found) == {"a[1]", "a[2].b"}
    assert found["a[2].b"].endswith('write it as text: "-2.5"')


def test_what_is_like_nothing_is_answered_with_all_that_is_known():
    assert suggestion("rolout", ["Rollout", "SamplerVariant"]) == '; did you mean "Rollout"?'
    assert suggestion("x", ["Rollout", "SamplerVariant"]) == "; known are Rollout, SamplerVariant"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param((), 1, id="the document"),
        pytest.param(("b", 1, "c"), 5, id="the value itself"),
        pytest.param(("b", 1, "missing"), 5, id="a field that is not there: its mapping"),
        pytest.param(("b", 9), 4, id="an entry that is not there: its list"),
        pytest.param(("b", "word"), 4, id="a name in a list: the list"),
        pytest.param(("a", "deeper"), 2, id="below a plain value: the value"),
    ],
)
def test_a_path_leads_to_the_line_of_the_deepest_thing_that_is_there(path, line):
    (document,) = parse_documents("z: 0\na: 1\nb:\n  - x\n  - c: 2\n")

    assert document.line(path) == line

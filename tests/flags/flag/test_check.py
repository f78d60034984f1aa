"""What is refused of a flag before it reaches an evaluator, at each bound and one step beyond."""

import pytest

from pitwall_flags.flag.check import MAX_BYTES, MAX_DEPTH, MAX_LOOPS, MAX_NODES, problems
from pitwall_flags.flag.compare import differences
from pitwall_flags.flag.document import shadow_document

PLAIN = {"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "defaultVariant": "a"}


def nested(depth: int) -> object:
    rule: object = True
    for _ in range(depth):
        rule = {"!": rule}
    return rule


def shares(*weighed: list[object]) -> dict[str, object]:
    return {"fractional": list(weighed)}


ACCUMULATOR = {"var": "accumulator"}


def growing(body: object) -> dict[str, object]:
    return PLAIN | {"targeting": {"if": [{"==": [{"reduce": [{"var": "xs"}, body, "a"]}, "b"]}, "a", "b"]}}


def loop(inner: object) -> dict[str, object]:
    return {"some": [[1], inner]}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(PLAIN, id="a plain flag"),
        pytest.param(PLAIN | {"metadata": {"owner": "video"}}, id="with metadata"),
        pytest.param(PLAIN | {"variants": {"a": "\U0001f4fa é\x00", "b": "9" * 400}}, id="any text"),
        pytest.param({"state": "ENABLED", "variants": {"a": 2**53, "b": -1.7e308}}, id="numbers as large as may be"),
        pytest.param(PLAIN | {"defaultVariant": None}, id="the caller's default"),
        pytest.param({"state": "DISABLED", "variants": {"on": True}, "defaultVariant": "on"}, id="disabled"),
        pytest.param(PLAIN | {"targeting": nested(MAX_DEPTH - 2)}, id="as deep as allowed"),
        pytest.param(PLAIN | {"targeting": loop({"==": [{"var": ""}, 1]})}, id="one loop"),
        pytest.param(PLAIN | {"targeting": {"if": [loop(True), "a", loop(True), "b", "a"]}}, id="two loops in a row"),
        pytest.param(PLAIN | {"targeting": {"and": [loop(True)] * MAX_LOOPS}}, id="as many loops as allowed"),
        pytest.param(growing({"+": [ACCUMULATOR, {"var": "current"}]}), id="a sum"),
        pytest.param(
            growing({"cat": [{"if": [ACCUMULATOR, ACCUMULATOR, "a"]}, {"var": "current"}]}), id="growing once"
        ),
        pytest.param(growing({"max": [ACCUMULATOR, {"var": "current.age"}]}), id="what does not grow"),
        pytest.param(PLAIN | {"targeting": shares(["a", 2**31 - 2], ["b", 1])}, id="weights as large as they may be"),
        pytest.param(PLAIN | {"targeting": shares(["a"], ["b"])}, id="shares without a weight"),
        pytest.param(PLAIN | {"targeting": shares(["a", {"var": "w"}], ["b", 5])}, id="a weight that is computed"),
        pytest.param(PLAIN | {"targeting": {"if": [{"var": "vip"}, None, "b"]}}, id="null is the default"),
        pytest.param(PLAIN | {"targeting": {"if": [{"==": [{"var": "c"}, "de"]}, "a", "b"]}}, id="words in conditions"),
        pytest.param(shadow_document("aks-v2", 5, salt="run-1"), id="a shadow of ours"),
        pytest.param(shadow_document("aks-v2", 5, salt="r") | {"metadata": {"owner": "x"}}, id="ours with metadata"),
    ],
)
def test_a_good_flag_has_no_problem(document):
    assert problems(document) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(PLAIN | {"state": "ON"}, "state: 'ON' is not one of", id="a state that is none"),
        pytest.param({"state": "ENABLED"}, "document: ", id="no variants"),
        pytest.param(
            PLAIN | {"variants": {"a": "x", "b": 1}}, "must all be booleans, all numbers", id="variants of two types"
        ),
        pytest.param(PLAIN | {"targeting": {"if": [True, "z", "a"]}}, "answers with ['z']", id="no such answer"),
        pytest.param(PLAIN | {"targeting": {"if": [True, "a", "z"]}}, "answers with ['z']", id="at last"),
        pytest.param(
            PLAIN | {"targeting": {"if": [True, shares(["a", 1], ["z", 1]), "y"]}},
            "answers with ['y', 'z']",
            id="no such share",
        ),
        pytest.param(PLAIN | {"targeting": shares(["a", 2**31], ["b", 1])}, "weighs [2147483648, 1]", id="too heavy"),
        pytest.param(
            PLAIN | {"targeting": shares(["a", 2**31 - 1], ["b", 1])},
            "all together at most 2147483647",
            id="weights too large together",
        ),
        pytest.param(
            PLAIN | {"defaultVariant": "c"}, "'c' is not one of the variants ['a', 'b']", id="no such default"
        ),
        pytest.param(
            PLAIN | {"targeting": {"var": {"log": "x"}}}, "must not use log", id="a log where flagd allows it"
        ),
        pytest.param(PLAIN | {"owner": "me"}, "unknown fields ['owner']", id="a field nobody reads"),
        pytest.param(PLAIN | {"targeting": nested(MAX_DEPTH)}, f"deeper than {MAX_DEPTH} levels", id="too deep"),
        pytest.param(PLAIN | {"targeting": loop(loop(True))}, "inside each other", id="a loop in a loop"),
        pytest.param(
            PLAIN | {"targeting": {"and": [loop(True)] * (MAX_LOOPS + 1)}}, f"limit is {MAX_LOOPS}", id="many loops"
        ),
        pytest.param(growing({"cat": [ACCUMULATOR, ACCUMULATOR]}), "doubles it", id="text that doubles"),
        pytest.param(growing({"merge": [ACCUMULATOR, {"var": ["accumulator", 1]}]}), "doubles it", id="a list, too"),
        pytest.param(growing({"*": [{"+": [1, ACCUMULATOR]}, ACCUMULATOR]}), "doubles it", id="digits"),
        pytest.param(growing([ACCUMULATOR, ACCUMULATOR]), "doubles it", id="a list of it twice"),
        pytest.param(growing({"cat": [{"var": ""}, {"var": {"cat": ["accu", "mulator"]}}]}), "doubles it", id="hidden"),
        pytest.param(
            PLAIN | {"targeting": {"in": [1, [1] * MAX_NODES]}}, f"more than {MAX_NODES} values", id="too many values"
        ),
        pytest.param(PLAIN | {"variants": {"a": "x" * MAX_BYTES}}, f"the limit is {MAX_BYTES}", id="too large"),
        pytest.param(PLAIN | {"variants": {"a": float("nan")}}, "is not JSON", id="not a number"),
        pytest.param(PLAIN | {"variants": {"a": float("inf")}}, "is not JSON", id="without end"),
        pytest.param(PLAIN | {"variants": {"a": {1, 2}}}, "is not JSON", id="no JSON at all"),
        pytest.param(shadow_document("v", 5, salt="r") | {"metadata": {"a": []}}, "metadata", id="ours, odd metadata"),
        pytest.param(PLAIN | {"variants": {"a": "\ud800"}}, "half of a character", id="a value that is no text"),
        pytest.param(
            {"state": "ENABLED", "variants": {"\udfff": "x"}, "defaultVariant": "\udfff"},
            "half of a character",
            id="a name that is no text",
        ),
        pytest.param(PLAIN | {"metadata": {"m": "\ud800"}}, "half of a character", id="metadata that are no text"),
        pytest.param(
            PLAIN | {"targeting": {"if": [{"==": [{"var": "x"}, "\ud800"]}, "a", "b"]}},
            "half of a character",
            id="a rule that is no text",
        ),
        pytest.param(
            shadow_document("v\ud800", 5, salt="r"), "half of a character", id="ours, of a variant that is no text"
        ),
        pytest.param(PLAIN | {"variants": {"a": 10**400}}, "beyond 9007199254740992", id="hundreds of digits"),
        pytest.param(PLAIN | {"variants": {"a": -(2**53) - 1}}, "beyond 9007199254740992", id="not exact everywhere"),
        pytest.param(PLAIN | {"metadata": {"m": 2**63}}, "write it as a text", id="metadata not exact everywhere"),
        pytest.param(
            {"state": "ENABLED", "variants": {f"v{n}": 1 for n in range(999)}, "defaultVariant": "a"},
            "'v146', 'v147', '…",
            id="many names",
        ),
    ],
)
def test_a_bad_flag_is_refused_with_the_place_or_the_limit(document, words):
    (problem,) = problems(document)

    assert words in problem
    assert len(problem) < 500


def test_several_faults_beyond_the_schema_are_told_at_once():
    found = problems(PLAIN | {"defaultVariant": "c", "owner": 1, "targeting": {"var": {"log": "x"}}})

    assert len(found) == 3


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="equal"),
        pytest.param({"a": 1}, {"a": 2}, [{"path": "/a", "before": 1, "after": 2}], id="another value"),
        pytest.param({}, {"a": None}, [{"path": "/a", "after": None}], id="a null that was not there"),
        pytest.param({"a": None}, {}, [{"path": "/a", "before": None}], id="a null that is gone"),
        pytest.param({"a": 1}, {"a": True}, [{"path": "/a", "before": 1, "after": True}], id="1 is not true"),
        pytest.param([1, [2]], [1, [3]], [{"path": "/1/0", "before": 2, "after": 3}], id="inside lists"),
        pytest.param([1], [1, 2], [{"path": "", "before": [1], "after": [1, 2]}], id="a longer list, whole"),
        pytest.param({"a": {}}, {"a": []}, [{"path": "/a", "before": {}, "after": []}], id="another kind"),
        pytest.param({"a/b": 1, "c~": 1}, {"a/b": 2, "c~": 1}, [{"path": "/a~1b", "before": 1, "after": 2}],
                     id="a name with a slash"),
        pytest.param(None, {"a": 1}, [{"path": "", "before": None, "after": {"a": 1}}], id="a flag that was gone"),
    ],
)  # fmt: skip
def test_a_difference_is_a_path_with_both_sides(before, after, found):
    assert differences(before, after) == found


def test_a_long_name_is_not_repeated_for_each_value_in_it():
    before, after = ({"n" * 30_000: {str(number): value for number in range(3_000)}} for value in (1, 2))

    (found,) = differences(before, after)

    assert (len(found["path"]), found["after"]["7"]) == (30_001, 2)

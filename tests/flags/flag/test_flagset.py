"""Flag sets: what changed, what is compiled once, and what a stranger's configuration may hold."""

import json

import pytest

from pitwall_flags.flag.evaluate import EvaluationFault, ResolutionReason
from pitwall_flags.flag.flagset import FlagSet


def one(value: str, **more) -> dict:
    return {"state": "ENABLED", "variants": {"a": value}, "defaultVariant": "a", **more}


def test_changed_keys_are_those_added_removed_or_changed():
    before = FlagSet({"flags": {"same": one("x"), "changed": one("x"), "removed": one("x")}})
    after = FlagSet({"flags": {"same": one("x"), "changed": one("y"), "added": one("x")}})
    assert after.changed_keys(before) == ["added", "changed", "removed"]
    assert before.changed_keys(None) == ["changed", "removed", "same"]


def test_a_rule_is_compiled_once_while_its_flag_stays_the_same():
    before = FlagSet({"flags": {"same": one("x"), "changed": one("x")}, "metadata": {"version": "1"}})
    for key in ("same", "changed"):
        before.evaluate(key, "u", {})
    after = FlagSet({"flags": {"same": one("x"), "changed": one("y")}, "metadata": {"version": "2"}}, before)
    assert after._rules == {"same": before._rules["same"]}
    assert after.evaluate("changed", "u", {}).value == "y"


def test_metadata_of_the_set_reaches_every_flag_unless_the_flag_says_otherwise():
    flags = {"plain": one("x"), "own": one("x", metadata={"owner": "kim"})}
    flag_set = FlagSet({"flags": flags, "metadata": {"owner": "all", "flagSetId": "s", "writtenAtMs": 5}})
    assert flag_set.evaluate("plain", "u", {}).metadata == {"owner": "all", "flagSetId": "s"}
    assert flag_set.evaluate("own", "u", {}).metadata == {"owner": "kim", "flagSetId": "s"}
    changed = FlagSet({"flags": flags, "metadata": {"owner": "new"}}, flag_set)
    assert changed.evaluate("plain", "u", {}).metadata == {"owner": "new"}


def test_shared_evaluators_of_a_flagd_configuration_are_used():
    rule = {"if": [{"==": [{"var": "plan"}, "pro"]}, "b", "a"]}
    flag = {**one("x", targeting={"$ref": "plans"}), "variants": {"a": "x", "b": "y"}}
    flag_set = FlagSet({"flags": {"f": flag}, "$evaluators": {"plans": rule}})
    assert flag_set.evaluate("f", "u", {"plan": "pro"}).value == "y"


@pytest.mark.parametrize(
    "document", [7, None, [], {}, {"state": "ON"}, {"state": "ENABLED", "variants": 5}, one({"a": 1})]
)
def test_one_unusable_flag_does_not_spoil_the_others(document):
    flag_set = FlagSet({"flags": {"bad": document, "good": one("x")}})
    assert flag_set.evaluate("good", "u", {}).value == "x"
    assert flag_set.evaluate("bad", "u", {}).reason in (ResolutionReason.ERROR, ResolutionReason.STATIC)


def test_a_rule_that_fails_is_a_fault():
    flag_set = FlagSet({"flags": {"f": one("x", targeting={"nonsense": [1]})}})
    resolution = flag_set.evaluate("f", "u", {})
    assert (resolution.fault, resolution.value) == (EvaluationFault.PARSE_ERROR, None)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"flags": []}', '{"metadata": 1}', "[" * 200_000])
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(ValueError, match=r"configuration|Expecting|column"):
        FlagSet.parse(text)


def test_evaluation_does_not_change_the_documents():
    configuration = {"flags": {"f": one("x")}}
    text = json.dumps(configuration)
    FlagSet(configuration).evaluate("f", "u", {})
    assert json.dumps(configuration) == text

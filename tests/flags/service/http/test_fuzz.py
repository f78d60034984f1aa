"""Fuzzers: whatever a document or a request holds, the service neither fails nor hangs.

`make soak` makes PITWALL_FUZZ_EXAMPLES documents; docs/flags.md tells of the largest run.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from pitwall_crds.reading.sent import read_json
from pitwall_flags.flag import check
from pitwall_flags.flag.document import shadow_document
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.record import FlagRecord

MANY = int(os.environ.get("PITWALL_FUZZ_EXAMPLES", "3000"))
AMOUNTS = [
    pytest.param(100, id="some", marks=pytest.mark.timeout(240)),
    pytest.param(MANY, id="many", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
OPERATORS = [
    "if",
    "==",
    "===",
    "!=",
    "<",
    ">=",
    "!",
    "!!",
    "and",
    "or",
    "in",
    "cat",
    "substr",
    "var",
    "missing",
    "+",
    "-",
]
OPERATORS += [
    "missing_some",
    "min",
    "max",
    "*",
    "/",
    "%",
    "map",
    "filter",
    "reduce",
    "all",
    "none",
    "some",
    "merge",
    "log",
]
OPERATORS += ["fractional", "sem_ver", "starts_with", "ends_with", "$ref", "nonsense", ""]

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 10_000), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["a", "b", "targetingKey", "plan", "$flagd.timestamp", "1.2.3", "^"]),
    st.sampled_from(["\ud800", "a\udfff", "\x00", "é"]), st.sampled_from([10**400, -(2**63), 2**53 + 1, 1.7e308, -0.0]),
)  # fmt: skip


def rules(inner):
    arguments = st.one_of(st.lists(inner, max_size=4), inner)
    return st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(OPERATORS), arguments, max_size=2))


logic = st.recursive(leaves, rules, max_leaves=25)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
variants = st.one_of(
    st.dictionaries(st.sampled_from(["a", "b", "true", ""]), st.text(max_size=5), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "1"]), st.integers() | st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=3) | st.just("\ud800"), st.booleans(), max_size=3),
    st.dictionaries(st.text(max_size=3), json_values, max_size=3),
)
documents = st.fixed_dictionaries(
    {"state": st.sampled_from(["ENABLED", "ENABLED", "DISABLED"]), "variants": variants},
    optional={
        "defaultVariant": st.sampled_from(["a", "b", "1", "", "true"]) | st.none() | json_values,
        "targeting": st.one_of(logic, st.just({}), rules(logic)),
        "metadata": st.dictionaries(st.text(max_size=5), leaves, max_size=3) | json_values,
    },
)
contexts = st.dictionaries(st.sampled_from(["plan", "a", "", "$flagd", "targetingKey"]), json_values, max_size=3)


@st.composite
def damaged_splits(draw):
    """A document of ours with one value at a random place replaced."""
    document = json.loads(json.dumps(shadow_document("air-v1", draw(st.integers(0, 100)), salt="s")))
    node, path = document, []
    while isinstance(node, dict | list) and node and (not path or draw(st.booleans())):
        names = list(node) if isinstance(node, dict) else list(range(len(node)))
        path.append((node, draw(st.sampled_from(names))))
        node = path[-1][0][path[-1][1]]
    holder, name = path[-1]
    holder[name] = draw(logic)
    return document


def judge(document, key, context):
    """Refuse the document in words, or evaluate it: totally, quickly, and as flagd's own evaluator does."""
    began = time.thread_time()
    found = check.problems(document)
    assert all(isinstance(problem, str) for problem in found)
    if not found:
        effective = FlagRecord("f", document, 3).effective()
        ours = FlagSet({"flags": {"f": effective}}).evaluate("f", key, context)
        told = json.dumps([ours.value, ours.variant, dict(ours.metadata)], allow_nan=False, ensure_ascii=False)
        assert read_json(told.encode()) == json.loads(told), "others can read it"
        json.dumps(ours.message)
        agree_with_flagd(effective, key, context, ours)
    assert time.thread_time() - began < 2.0


def agree_with_flagd(document, key, context, ours):
    kinds = {bool: "boolean", str: "string", int: "integer", float: "float", dict: "object"}
    if type(ours.value) not in kinds:
        return
    core = FlagdCore()
    core.set_flags(json.dumps({"flags": {"f": document}}))
    try:
        theirs = getattr(core, f"resolve_{kinds[type(ours.value)]}_value")(
            "f", None, EvaluationContext(key or None, context)
        )
    except OpenFeatureError as error:
        raise AssertionError(f"flagd refuses what we answered with {ours}") from error
    assert (theirs.value, theirs.variant) == (ours.value, ours.variant)


whatever = st.one_of(documents, damaged_splits(), json_values.filter(lambda value: isinstance(value, dict)))


@pytest.mark.parametrize("examples", AMOUNTS)
def test_any_document_is_refused_in_words_or_evaluated_totally(examples):
    fuzzing = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    fuzzing(given(whatever, st.text(), contexts)(judge))()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"if": [{"var": "x"}] * 5000}, id="wide"),
        pytest.param({"fractional": [["a", 1]] * 3000}, id="many-shares"),
        pytest.param({"cat": ["x" * 60_000] * 2}, id="large"),
        pytest.param({"map": [[1] * 100, {"map": [[1] * 100, {"map": [[1] * 100, {"var": ""}]}]}]}, id="nested-loops"),
        pytest.param({"fractional": [["a", 2_147_483_647], ["b", 2_147_483_647]]}, id="overflow"),
        pytest.param({"substr": ["x", -(10**300), 10**300]}, id="huge-numbers"),
        pytest.param({"*": [1e308, 1e308]}, id="infinity"),
        pytest.param({"%": [1, 0]}, id="division"),
    ],
)
def test_a_hostile_rule_costs_little(document):
    judge({"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "defaultVariant": "a", "targeting": document}, "u", {})


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_deep_rule_costs_little(operator):
    rule = {"var": "x"}
    for _ in range(11):
        rule = {operator: [rule, ["a", 1], ["b", 1]]}
    judge({"state": "ENABLED", "variants": {"a": "x", "b": "y"}, "defaultVariant": "a", "targeting": rule}, "u", {})


@pytest.mark.slow
@pytest.mark.parametrize("examples", AMOUNTS)
def test_the_http_api_keeps_to_its_openapi_document(service, examples):
    with httpx.Client(base_url=service.url) as http:
        for key in ("0", "00", "A"):  # keys that the generator makes, so that it gets beyond "not found"
            body = {"document": shadow_document("air-v1", 5, salt="s"), "actor": "fuzzer", "reason": "a flag to find"}
            assert http.put(f"/v1/flags/{key}", json=body, headers={"If-None-Match": "*"}).status_code == 201
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--max-examples", str(max(5, examples // 30)), "--phases", "coverage,fuzzing", "--no-color"]
    # A flag document has rules that no JSON schema says (defaultVariant is one of the variants), hence one check less.
    options += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--request-timeout", "10"]
    config = Path(__file__).with_name("schemathesis.toml")
    command = [str(program), f"--config-file={config}", "run", f"{service.url}/openapi.json", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(service.database.split("///")[1]).parent
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "generated" in done.stdout
    print(done.stdout[-500:])  # how many inputs were made, for -s
    with httpx.Client(base_url=service.url) as http:
        assert http.get("/readyz").text == "ready"

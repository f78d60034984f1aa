"""What the wizard is told is checked as a file would be; what it writes can be applied."""

import pytest
import yaml

from pitwall_crds.reading.load import load_resources

VARIANT = ("create", "variant", "made", "--sampler", "aks")
ROLLOUT = ("create", "rollout", "made", "--variant", "aks-v1")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("create", "variant", "made"), 2, "Sampler: give it as an option", id="no sampler, no terminal"),
        pytest.param(("create", "rollout", "made"), 2, "SamplerVariant that should serve: give it", id="no variant"),
        pytest.param((*VARIANT, "--parameter", "maxDepth"), 2, "'maxDepth' must be NAME=VALUE", id="no value"),
        pytest.param((*VARIANT, "--max-frames", "0"), 2, "maxFrames", id="no frames"),
        pytest.param((*VARIANT, "--engine", "openai"), 2, "Base URL of the OpenAI", id="no server"),
        pytest.param((*VARIANT, "--engine", "oracle"), 2, "Invalid value", id="no such engine"),
        pytest.param((*VARIANT, "--replicas", "-1"), 2, "replicas", id="fewer than none"),
        pytest.param(("create", "variant", "Made_X", "--sampler", "aks"), 2, "name", id="a name that is none"),
        pytest.param((*ROLLOUT, "--weights", "1,ten,100"), 2, "'ten' must be a percentage", id="a word for a weight"),
        pytest.param((*ROLLOUT, "--weights", "1,,100"), 2, "'' must be a percentage", id="nothing for a weight"),
        pytest.param((*ROLLOUT, "--weights", "inf"), 2, "'inf' must be a percentage", id="an infinite weight"),
        pytest.param((*ROLLOUT, "--weights", "nan"), 2, "'nan' must be a percentage", id="no number"),
        pytest.param((*ROLLOUT, "--weights", "10,5,100"), 2, "must climb", id="weights that fall"),
        pytest.param((*ROLLOUT, "--weights", "1,50"), 2, "10000", id="weights that end too early"),
        pytest.param((*ROLLOUT, "--weights", "200"), 2, "weightBasisPoints", id="more than everybody"),
        pytest.param((*ROLLOUT, "--shadow", "101"), 2, "percent", id="more copies than questions"),
        pytest.param((*ROLLOUT, "--gates", "vibes=3"), 2, "gate 'vibes' is unknown", id="a gate that there is not"),
        pytest.param((*ROLLOUT, "--gates", "errors=x"), 2, "NAME=MARGIN with a whole number", id="no margin"),
        pytest.param((*ROLLOUT, "--gates", "latency-p=3"), 2, "is unknown", id="no percentile"),
        pytest.param((*ROLLOUT, "--gates", "errors,errors"), 2, "must differ", id="a gate twice"),
        pytest.param((*ROLLOUT, "--flag", "-x"), 2, "flag", id="a flag that is none"),
        pytest.param((*ROLLOUT, "--on-inconclusive", "Shrug"), 2, "Invalid value", id="no such outcome"),
    ],
)
def test_what_is_no_resource_is_said_where(say, arguments, code, words):
    said = say(*arguments)

    assert (said.code, said.out) == (code, "")
    assert words in said.err


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=5", 5), ("a=-5", -5), ("a=true", True), ("a=false", False), ("a=0.5", "0.5"), ("a=", ""), ("a=b=c", "b=c")],
)
def test_a_parameter_is_what_it_looks_like(say, text, value):
    said = say("create", "variant", "made", "--sampler", "paper", "--parameter", text)

    assert yaml.safe_load(said.out)["spec"]["sampler"]["parameters"] == {"a": value}


def test_a_variant_says_only_what_was_said(say):
    said = say(*VARIANT, "--token-budget", 64, "--gpus", 2, "--encoder", "conse", "--image", "i:1")
    spec = yaml.safe_load(said.out)["spec"]

    assert spec["runtime"] == {"image": "i:1", "replicas": 1, "resources": {"limits": {"nvidia.com/gpu": 2}}}
    assert (spec["reducer"], spec["encoder"]) == ({"tokenBudget": 64}, {"name": "conse"})
    assert "parameters" not in spec["sampler"]


def test_a_rollout_has_its_stages_its_gates_and_its_people(say):
    said = say(
        *ROLLOUT, "--weights", "0.5%, 10, 100", "--approve", "10", "--gates", "latency-p99=5, errors=1, selection-p999"
    )
    spec = yaml.safe_load(said.out)["spec"]

    assert [stage.get("weightBasisPoints") for stage in spec["stages"]] == [None, 50, 1000, 10_000]
    assert [stage.get("approval") for stage in spec["stages"]] == [None, None, "Manual", None]
    assert spec["stages"][-1]["bakeSeconds"] == 3600
    assert [gate["name"] for gate in spec["analysis"]["gates"]] == ["latency-p99", "errors", "selection-p999"]
    assert spec["analysis"]["gates"][1]["absoluteMarginBasisPoints"] == 100
    assert spec["analysis"]["gates"][2]["quantile"]["perMille"] == 999
    assert len(load_resources(said.out, source="made")) == 1


def test_no_shadow_is_a_rollout_that_begins_with_users(say):
    spec = yaml.safe_load(say(*ROLLOUT, "--shadow", 0).out)["spec"]

    assert "shadow" not in spec["stages"][0]


def test_applied_at_once_it_is_stored_and_nothing_is_printed_as_yaml(say, stored):
    said = say(*VARIANT, "--apply")

    assert said.out == "samplervariant.pitwall.dev/made created\n"
    assert "made" in [one.metadata.name for one in stored.variants()]

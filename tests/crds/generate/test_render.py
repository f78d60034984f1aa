"""The CRDs as files, and every cross-field rule told twice: to pydantic and, as CEL, to the API server."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pitwall_crds.generate.render import KINDS, KindDescription, definition, write_definitions
from pitwall_crds.reading.load import KINDS as MODELS

COMMITTED = Path(__file__).parents[3] / "crds"
CLIENT_SIDE_APPLY_LIMIT = 262_144

GATE = {"name": "tokens", "mean": {"metric": "TokensPerQuery"}}
STAGES = [{"shadow": {"percent": 5}}, {"weightBasisPoints": 100}, {"weightBasisPoints": 10_000}]
ROLLOUT = {"flag": "sampler.variant", "variantRef": {"name": "aks"}, "stages": STAGES, "analysis": {"gates": [GATE]}}
VARIANT = {"sampler": {"name": "aks", "parameters": {"depth": 5, "peak": "0.8", "merge": True}}}
SHADOW, FULL = STAGES[0], STAGES[2]
RATE = {"metric": "Errors"}


def resource(kind: str, spec: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A resource whose spec differs at dotted paths."""
    spec = copy.deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = spec
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return {"apiVersion": "pitwall.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


GOOD = {
    "variant": resource("SamplerVariant", VARIANT),
    "openai-with-url": resource("SamplerVariant", VARIANT, answer={"engine": "openai", "endpointUrl": "http://x/v1"}),
    "openai-with-ref": resource(
        "SamplerVariant", VARIANT, answer={"engine": "openai", "endpointRef": {"name": "vllm"}}
    ),
    "openai-inside": resource(
        "SamplerVariant", VARIANT, answer={"engine": "openai", "endpointUrl": "https://10.0.0.7:8443/a/v1/"}
    ),
    "openai-by-ipv6": resource(
        "SamplerVariant", VARIANT, answer={"engine": "openai", "endpointUrl": "http://[fd00::1]:8000/v1"}
    ),
    "a-tag": resource("SamplerVariant", VARIANT, encoder={"name": "siglip-base-224", "weights": "webli"}),
    "a-hubs-name": resource(
        "SamplerVariant", VARIANT, encoder={"name": "vit", "weights": "hf-hub:timm/ViT-B-16-SigLIP"}
    ),
    "a-path": resource("SamplerVariant", VARIANT, encoder={"name": "vit", "weights": "/models/vit..b/best.pt"}),
    "gpu": resource("SamplerVariant", VARIANT, runtime__resources={"limits": {"nvidia.com/gpu": 1, "memory": "16Gi"}}),
    "rollout": resource("Rollout", ROLLOUT),
    "at-once": resource("Rollout", ROLLOUT, stages=[FULL]),
    "objectives": resource(
        "Rollout",
        ROLLOUT,
        analysis__gates=[
            {"name": "p99", "quantile": {"metric": "QueryLatency", "objectiveMilliseconds": 2000}},
            {"name": "errors", "rate": RATE | {"objectiveBasisPoints": 100}},
            {"name": "tasks", "rate": {"metric": "TaskAbandoned", "unit": "User"}},
        ],
    ),
    "sixteen-stages": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 625 * n} for n in range(1, 17)]),
}
BAD = {
    "two-shadow-stages": resource("Rollout", ROLLOUT, stages=[SHADOW, SHADOW, FULL]),
    "shadow-stage-second": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 100}, SHADOW, FULL]),
    "weights-fall": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 500}, {"weightBasisPoints": 100}, FULL]),
    "weights-stay": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 500}, {"weightBasisPoints": 500}, FULL]),
    "sixteenth-stage-falls": resource(
        "Rollout", ROLLOUT, stages=[*({"weightBasisPoints": n} for n in range(1, 15)), FULL, {"weightBasisPoints": 9}]
    ),
    "not-to-the-end": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 5000}]),
    "flag-of-copies": resource("Rollout", ROLLOUT, flag="sampler.variant.shadow"),
    "flag-of-an-experiment": resource("Rollout", ROLLOUT, flag="sampler.variant.experiment.aks-v2"),
    "flag-whose-copies-are-anothers": resource("Rollout", ROLLOUT, flag="sampler.variant.experiment"),
    "shadow-only": resource("Rollout", ROLLOUT, stages=[SHADOW]),
    "stage-with-both": resource("Rollout", ROLLOUT, stages=[FULL | SHADOW]),
    "stage-with-neither": resource("Rollout", ROLLOUT, stages=[{"minSeconds": 5}, FULL]),
    "gate-with-two-rules": resource("Rollout", ROLLOUT, analysis__gates=[GATE | {"rate": RATE}]),
    "difference-of-means": resource("Rollout", ROLLOUT, analysis__gates=[GATE | {"absoluteMarginBasisPoints": 100}]),
    "errors-per-user": resource("Rollout", ROLLOUT, analysis__gates=[{"name": "x", "rate": RATE | {"unit": "User"}}]),
    "tasks-per-query": resource(
        "Rollout", ROLLOUT, analysis__gates=[{"name": "x", "rate": {"metric": "TaskAbandoned", "unit": "Query"}}]
    ),
    "selection-of-a-minute": resource(
        "Rollout",
        ROLLOUT,
        analysis__gates=[{"name": "x", "quantile": {"metric": "FrameSelection", "objectiveMilliseconds": 60_000}}],
    ),
    "gate-without-rule": resource("Rollout", ROLLOUT, analysis__gates=[{"name": "x"}]),
    "gate-twice": resource("Rollout", ROLLOUT, analysis__gates=[GATE, GATE]),
    "no-gates": resource("Rollout", ROLLOUT, analysis__gates=[]),
    "no-stages": resource("Rollout", ROLLOUT, stages=[]),
    "weight-too-large": resource("Rollout", ROLLOUT, stages=[{"weightBasisPoints": 10_001}]),
    "unknown-metric": resource("Rollout", ROLLOUT, analysis__gates=[{"name": "x", "rate": {"metric": "Weather"}}]),
    "no-flag-name": resource("Rollout", ROLLOUT, flag=""),
    "openai-without-server": resource("SamplerVariant", VARIANT, answer={"engine": "openai"}),
    "openai-with-empty-url": resource("SamplerVariant", VARIANT, answer={"engine": "openai", "endpointUrl": ""}),
    **{
        f"server-{name}": resource("SamplerVariant", VARIANT, answer={"endpointUrl": url})
        for name, url in {
            "of-a-file": "file:///etc/passwd",
            "of-another-protocol": "gopher://vllm:70/1",
            "without-a-scheme": "vllm:8000/v1",
            "without-a-host": "http:///v1",
            "with-a-port-alone": "http://:8000/v1",
            "with-credentials": "http://me:secret@vllm/v1",
            "with-a-query": "http://vllm/delete?all=",
            "with-a-line": "http://vllm/v1\n",
        }.items()
    },
    **{
        f"weights-{name}": resource("SamplerVariant", VARIANT, encoder={"name": "vit", "weights": weights})
        for name, weights in {
            "that-climb": "../../../etc/passwd",
            "that-climb-on-the-way": "/models/../etc/passwd",
            "that-climb-at-the-end": "/models/..",
            "that-climb-behind-the-hub": "hf-hub:../../etc",
            "of-a-url": "file:///etc/passwd",
            "with-a-zero": "webli\0",
        }.items()
    },
    "float-parameter": resource("SamplerVariant", VARIANT, sampler__parameters={"peak": 0.8}),
    "list-as-parameter": resource("SamplerVariant", VARIANT, sampler__parameters={"peak": [1]}),
    "long-parameter": resource("SamplerVariant", VARIANT, sampler__parameters={"peak": "x" * 257}),
    "too-many-frames": resource("SamplerVariant", VARIANT, maxFrames=1025),
    "no-quantity": resource("SamplerVariant", VARIANT, runtime__resources={"limits": {"memory": "much"}}),
}


def validations(schema: Any) -> Iterator[dict[str, str]]:
    """Every CEL rule in a schema."""
    match schema:
        case dict():
            yield from schema.get("x-kubernetes-validations", ())
            for part in schema.values():
                yield from validations(part)
        case list():
            for part in schema:
                yield from validations(part)


def all_rules() -> list[dict[str, str]]:
    return [rule for kind in KINDS for rule in validations(definition(kind))]


def problem(bad: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        MODELS[bad["kind"]].model_validate(bad, strict=False)
    return str(caught.value)


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD.keys())
def test_a_good_resource_is_accepted(good: dict[str, Any]):
    assert MODELS[good["kind"]].model_validate(good).to_yaml_dict()["spec"]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_resource_is_refused(bad: dict[str, Any]):
    assert problem(bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two-shadow-stages", "a shadow stage must be the first stage, and there must be at most one"),
        ("weights-fall", "stages must climb"),
        ("not-to-the-end", "the last stage must have weightBasisPoints 10000"),
        ("stage-with-both", "a stage must set exactly one of shadow and weightBasisPoints"),
        ("gate-with-two-rules", "must set exactly one of quantile, rate and mean"),
        ("difference-of-means", "absoluteMarginBasisPoints is a difference of rates: leave it out with mean"),
        ("errors-per-user", "Errors and ColdQueries are counted per query"),
        ("tasks-per-query", "with TaskAbandoned set unit to Session or User, or leave it out"),
        ("selection-of-a-minute", "frame selection is measured up to 16 s: set objectiveMilliseconds to at most 16000"),
        ("server-of-a-file", "answer.endpointUrl must be http:// or https:// and a host"),
        ("weights-that-climb", "encoder.weights must be a tag such as webli"),
        ("openai-without-server", "answer.engine openai must name a server: set endpointUrl or endpointRef"),
    ],
)
def test_a_validator_and_its_cel_rule_say_the_same(name: str, message: str):
    assert message in problem(BAD[name])
    assert [rule for rule in all_rules() if message in rule["message"]]


def test_each_validator_of_the_types_has_its_rule():
    """What pydantic refuses on its own: names that differ, which in CEL is a list keyed by name; a time zone and a
    memory that is no JSON, which CEL cannot know. What only the API server can refuse: a change."""
    rooms = ("pitwall_crds", "pitwall_crds/rollout", "pitwall_crds/variant")
    source = "".join(path.read_text() for room in rooms for path in (COMMITTED / room).glob("*.py"))
    raised = re.findall(r"^ +raise ValueError\(", source, re.MULTILINE)
    rules = [rule for rule in all_rules() if "oldSelf" not in rule["rule"]]

    assert len(raised) == len(rules) + 3


def test_cel_rules_name_fields_of_their_schema():
    for kind in KINDS:
        text = yaml.safe_dump(definition(kind))
        for rule in validations(definition(kind)):
            plain = re.sub(r"'[^']*'", "", rule["rule"])
            for field in re.findall(r"\.(?!size|matches|all|filter|exists_one|endsWith|contains)([a-z]\w+)", plain):
                assert f"{field}:" in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_the_committed_file_is_what_the_types_give(kind: KindDescription, tmp_path: Path):
    write_definitions(tmp_path)

    assert (tmp_path / kind.file_name).read_bytes() == (COMMITTED / kind.file_name).read_bytes()
    assert yaml.safe_load((tmp_path / kind.file_name).read_text()) == definition(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_a_definition_is_far_below_the_limit_of_client_side_apply(kind: KindDescription):
    assert (COMMITTED / kind.file_name).stat().st_size < CLIENT_SIDE_APPLY_LIMIT // 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_columns_read_fields_that_exist(kind: KindDescription):
    version = definition(kind)["spec"]["versions"][0]
    for column in version["additionalPrinterColumns"]:
        steps = re.sub(r"\[\?\(.*?\)\]", "[]", column["jsonPath"]).removeprefix(".").split(".")
        schema = version["schema"]["openAPIV3Schema"]
        for step in [] if steps[0] == "metadata" else steps:
            assert step.removesuffix("[]") in schema["properties"], column["jsonPath"]
            schema = schema["properties"][step.removesuffix("[]")]
            schema = schema["items"] if step.endswith("[]") else schema


def test_names_do_not_collide_with_other_rollouts():
    names = [definition(kind)["spec"]["names"] for kind in KINDS]

    assert all(each["categories"] == ["pitwall"] for each in names)
    assert "ro" not in [short for each in names for short in each["shortNames"]]

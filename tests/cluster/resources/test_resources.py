"""Our resources on a real API server: what a person applies, reads and is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.plane.kube import CRDS, OPENAPI, Kubectl, KubectlRefusedError
from harness.rollouts.examples import edited

from pitwall_crds.generate.render import KINDS
from pitwall_crds.generate.schema import fields
from pitwall_crds.rollout.action import ABORT_GOES_FIRST
from pitwall_crds.rollout.rollout import RESERVED_FLAG
from pitwall_crds.variant.addresses import SERVER_WORDS, WEIGHTS_WORDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "crds").glob("*.yaml"))
ROLLOUTS = sorted((ROOT / "examples").glob("rollout*.yaml"))
CLIENT_SIDE_APPLY_BYTES = 262_144
"""What the annotation of `kubectl apply` may hold."""

VARIANT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "SamplerVariant",
    "metadata": {"name": "uniform-v1"},
    "spec": {"sampler": {"name": "uniform"}},
}
ROLLOUT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "sampler"},
    "spec": {
        "flag": "sampler.variant",
        "variantRef": {"name": "uniform-v1"},
        "stages": [{"shadow": {"percent": 5}}, {"weightBasisPoints": 100}, {"weightBasisPoints": 10_000}],
        "analysis": {"gates": [{"name": "errors", "rate": {"metric": "Errors"}}]},
    },
}


def rule_messages(node: object) -> Iterator[str]:
    """The message of every CEL rule below a schema."""
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", ()):
            yield rule["message"]
        for child in node.values():
            yield from rule_messages(child)
    elif isinstance(node, list):
        for child in node:
            yield from rule_messages(child)


GATE = "spec.analysis.gates"
RULES = [
    pytest.param(
        edited(VARIANT, "spec.runtime", {"scaling": {"minReplicas": 3, "maxReplicas": 2}}),
        "scaling.maxReplicas must be at least scaling.minReplicas",
        id="scaling-has-room",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.stages", [{"weightBasisPoints": 1}, {"shadow": {}}, {"weightBasisPoints": 10_000}]),
        "a shadow stage must be the first stage, and there must be at most one",
        id="shadow-comes-first",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.stages", [{"weightBasisPoints": weight} for weight in (500, 500, 10_000)]),
        "stages must climb: each weightBasisPoints must be larger than the one before",
        id="stages-climb",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.stages", [{"weightBasisPoints": 5000}]),
        "the last stage must have weightBasisPoints 10000",
        id="the-last-stage-is-full",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.stages", [{"minSeconds": 5}, {"weightBasisPoints": 10_000}]),
        "a stage must set exactly one of shadow and weightBasisPoints",
        id="a-stage-is-one-thing",
    ),
    pytest.param(
        edited(ROLLOUT, GATE, [{"name": "none"}]),
        "a gate must set exactly one of quantile, rate and mean",
        id="a-gate-has-one-rule",
    ),
    pytest.param(
        edited(
            ROLLOUT,
            GATE,
            [{"name": "slow", "quantile": {"metric": "FrameSelection", "objectiveMilliseconds": 16_001}}],
        ),
        "frame selection is measured up to 16 s: set objectiveMilliseconds to at most 16000",
        id="selection-is-measured-up-to-16-s",
    ),
    pytest.param(
        edited(ROLLOUT, f"{GATE}.0.rate.unit", "Session"),
        "Errors and ColdQueries are counted per query: leave unit out, or set it to Query",
        id="errors-are-per-query",
    ),
    pytest.param(
        edited(ROLLOUT, f"{GATE}.0.rate", {"metric": "TaskAbandoned", "unit": "Query"}),
        "a task belongs to a session: with TaskAbandoned set unit to Session or User, or leave it out",
        id="tasks-are-per-session",
    ),
    pytest.param(
        edited(VARIANT, "spec.answer.engine", "openai"),
        "answer.engine openai must name a server: set endpointUrl or endpointRef",
        id="openai-needs-a-server",
    ),
    pytest.param(edited(VARIANT, "spec.answer.endpointUrl", "file:///etc/passwd"), SERVER_WORDS, id="servers-are-http"),
    pytest.param(
        edited(VARIANT, "spec.encoder", {"name": "vit", "weights": "../etc"}), WEIGHTS_WORDS, id="weights-stay"
    ),
    pytest.param(
        edited(ROLLOUT, "spec.stages", [{"weightBasisPoints": 10_000, "minSeconds": 60, "maxSeconds": 59}]),
        "maxSeconds must be 0 (no deadline) or at least minSeconds",
        id="a-deadline-comes-after-the-least-time",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.experiments", [{"variantRef": {"name": "air-v1"}}] * 2),
        "experiments must name different variants, and not the one in variantRef",
        id="experiments-differ",
    ),
    pytest.param(
        edited(ROLLOUT, "spec.schedule.windows", [{"startTime": "08:00", "endTime": "08:00"}]),
        "startTime and endTime must differ",
        id="windows-are-not-empty",
    ),
    pytest.param(
        edited(
            ROLLOUT, f"{GATE}.0", {"name": "t", "mean": {"metric": "TokensPerQuery"}, "absoluteMarginBasisPoints": 9}
        ),
        "absoluteMarginBasisPoints is a difference of rates: leave it out with mean",
        id="means-have-no-rates",
    ),
    pytest.param(edited(ROLLOUT, "spec.flag", "sampler.variant.shadow"), RESERVED_FLAG, id="copies-have-flags"),
    pytest.param(
        edited(ROLLOUT, "spec.flag", "sampler.other"),
        "flag must not change: its users are bucketed; delete the Rollout and apply it anew",
        id="flags-stay",
    ),
]
BOUNDS = [
    pytest.param(edited(VARIANT, "spec.maxFrames", 0), "spec.maxFrames", id="too-few-frames"),
    pytest.param(edited(VARIANT, "spec.maxFrames", 1025), "spec.maxFrames", id="too-many-frames"),
    pytest.param(edited(VARIANT, "spec.sampler.parameters.peak", 0.5), "peak", id="no-floats"),
    pytest.param(edited(VARIANT, "spec.sampler.name", "Uniform"), "spec.sampler.name", id="names-are-dns-labels"),
    pytest.param(edited(VARIANT, "spec", None), "spec: Required value", id="a-variant-has-a-spec"),
    pytest.param(edited(VARIANT, "metadata.name", "a" * 64), "metadata.name", id="names-have-63-letters"),
    pytest.param(edited(ROLLOUT, "spec.flag", "a flag"), "spec.flag", id="flags-have-no-blanks"),
    pytest.param(edited(ROLLOUT, "spec.stages", []), "spec.stages", id="no-stages"),
    pytest.param(edited(ROLLOUT, GATE, ROLLOUT["spec"]["analysis"]["gates"] * 2), "Duplicate value", id="gates-differ"),
    pytest.param(edited(ROLLOUT, "spec.onInconclusive", "Guess"), "spec.onInconclusive", id="unknown-policy"),
    pytest.param(edited(ROLLOUT, "spec.action", {"id": "1", "verb": "Explode"}), "spec.action.verb", id="unknown-verb"),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_definition_fits_client_side_apply(file: Path):
    [definition] = yaml.safe_load_all(file.read_text())

    assert len(json.dumps(definition)) < CLIENT_SIDE_APPLY_BYTES


@pytest.mark.usefixtures("crds")
def test_definitions_are_accepted_as_they_are(kubectl: Kubectl):
    kubectl("apply", "-f", str(ROOT / "crds"))  # another test of this control plane may have upgraded older ones
    assert kubectl("apply", "-f", str(ROOT / "crds")).count("unchanged") == len(CRDS)
    for name in CRDS:
        conditions = {each["type"]: each["status"] for each in kubectl.get("crd", name)["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.usefixtures("crds")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_field_is_explained(kubectl: Kubectl, kind: Any):
    document = json.loads(kubectl("get", "--raw", OPENAPI))
    schema = document["components"]["schemas"][f"dev.pitwall.v1alpha1.{kind.model.__name__}"]
    below = [(path, field) for path, field, _ in fields(schema) if not path.startswith("metadata.")]

    assert len(below) > 20
    assert [path for path, field in below if not field.get("description") and "allOf" not in field] == []


@pytest.mark.usefixtures("crds")
def test_kubectl_explain_tells_a_nested_field(kubectl: Kubectl):
    told = kubectl("explain", "rollouts.spec.analysis.gates.quantile.perMille")

    assert "990 is p99" in told


@pytest.mark.parametrize("rollout", ROLLOUTS, ids=lambda file: file.name)
def test_examples_apply_and_apply_again_unchanged(kubectl: Kubectl, namespace: str, rollout: Path):
    files = ("-f", str(ROOT / "examples" / "variants.yaml"), "-f", str(rollout))

    first = kubectl("apply", "--validate=strict", *files, namespace=namespace).splitlines()
    again = kubectl("apply", "--validate=strict", *files, namespace=namespace).splitlines()
    server_side = [
        kubectl("apply", "--server-side", "--force-conflicts", *files, namespace=namespace) for _ in range(2)
    ]
    versions = kubectl.get("rollout", "sampler", namespace)["metadata"]

    assert {line.split()[-1] for line in first} == {"created"}
    assert {line.split()[-1] for line in again} == {"unchanged"}
    assert server_side[0] == server_side[1]
    assert versions["generation"] == 1


def test_every_rule_is_tested():
    told = {message for file in FILES for message in rule_messages(yaml.safe_load(file.read_text()))}

    assert told == {case.values[1] for case in RULES} | {ABORT_GOES_FIRST[1]}


ABORT = {"id": "a1", "verb": "Abort"}


@pytest.mark.parametrize(
    "wanted",
    [*({"id": "p1", "verb": verb} for verb in ("Promote", "Retry", "Undo")), {"id": "a1", "verb": "Promote"}, None],
    ids=["promote", "retry", "undo", "under the same id", "none"],
)
def test_nothing_takes_the_place_of_an_abort_that_waits(kubectl: Kubectl, namespace: str, wanted: Any):
    kubectl.apply([VARIANT, edited(ROLLOUT, "spec.action", ABORT)], namespace)
    patch = ("patch", "rollout", ROLLOUT["metadata"]["name"], "--type=json", "-p")
    change = {"op": "replace", "path": "/spec/action", "value": wanted}
    operation = json.dumps([change if wanted else {"op": "remove", "path": "/spec/action"}])

    with pytest.raises(KubectlRefusedError) as refusal:
        kubectl(*patch, operation, namespace=namespace)
    kubectl.apply(edited(ROLLOUT, "spec.action", {"id": "a2", "verb": "Abort"}), namespace)
    kubectl.patch_status("rollout", ROLLOUT["metadata"]["name"], {"lastActionId": "a2"}, namespace)
    kubectl(*patch, operation, namespace=namespace)

    assert ABORT_GOES_FIRST[1] in str(refusal.value)
    assert kubectl.get("rollout", ROLLOUT["metadata"]["name"], namespace)["spec"].get("action") == wanted


@pytest.mark.parametrize("old", ["a1", "r1"], ids=["an earlier one", "the last one"])
def test_an_abort_that_was_dealt_with_does_not_take_the_place_of_one_that_waits(
    kubectl: Kubectl, namespace: str, old: str
):
    name = ROLLOUT["metadata"]["name"]
    kubectl.apply([VARIANT, ROLLOUT], namespace)
    kubectl.patch_status("rollout", name, {"lastActionId": "r1", "pastActionIds": ["a1", "r1"]}, namespace)
    kubectl.apply(edited(ROLLOUT, "spec.action", {"id": "a2", "verb": "Abort"}), namespace)

    with pytest.raises(KubectlRefusedError) as refusal:
        kubectl.apply(edited(ROLLOUT, "spec.action", {"id": old, "verb": "Abort"}), namespace)
    kubectl.apply(edited(ROLLOUT, "spec.action", {"id": "a3", "verb": "Abort"}), namespace)

    assert ABORT_GOES_FIRST[1] in str(refusal.value)
    assert kubectl.get("rollout", name, namespace)["spec"]["action"]["id"] == "a3"


@pytest.mark.parametrize(("manifest", "message"), RULES + BOUNDS)
def test_the_api_server_refuses(kubectl: Kubectl, namespace: str, manifest: dict[str, Any], message: str):
    kubectl.apply([VARIANT, ROLLOUT], namespace)

    with pytest.raises(KubectlRefusedError) as refusal:
        kubectl.apply(manifest, namespace)

    assert message in str(refusal.value)


@pytest.mark.parametrize("manifest", [VARIANT, ROLLOUT], ids=["variant", "rollout"])
def test_unknown_fields_are_refused_or_pruned(kubectl: Kubectl, namespace: str, manifest: dict[str, Any]):
    misspelt = edited(manifest, "spec.misspelt", 1)

    with pytest.raises(KubectlRefusedError, match=r'unknown field "spec\.misspelt"'):
        kubectl("apply", "--validate=strict", "-f", "-", manifest=misspelt, namespace=namespace)
    kubectl("apply", "--validate=ignore", "-f", "-", manifest=misspelt, namespace=namespace)

    kept = kubectl.get(manifest["kind"], manifest["metadata"]["name"], namespace)
    assert kept["spec"] == manifest["spec"]


DEEP = '{"a":' * 3000 + "1" + "}" * 3000
"""Deeper than Python's readers go, less deep than the API server's."""


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(VARIANT, '"runtime": {"template": {"spec": {"free": %s}}}', id="a pod template"),
        pytest.param(VARIANT, '"runtime": {"free": %s}', id="beside known fields"),
        pytest.param(ROLLOUT, '"free": %s', id="a rollout"),
    ],
)
def test_no_object_can_be_deeper_than_its_schema(
    kubectl: Kubectl, namespace: str, tmp_path: Path, kind: Any, field: str
):
    spec = json.dumps(kind["spec"]).removesuffix("}")
    head = json.dumps({name: value for name, value in kind.items() if name != "spec"}).removesuffix("}")
    file = tmp_path / "deep.json"
    file.write_text(f'{head}, "spec": {spec}, {field % DEEP}}}}}')

    kubectl("create", "--validate=ignore", "-f", str(file), namespace=namespace)

    assert "free" not in json.dumps(kubectl.get(kind["kind"], kind["metadata"]["name"], namespace))


def test_status_is_written_only_through_its_subresource(kubectl: Kubectl, namespace: str):
    kubectl.apply([VARIANT, ROLLOUT | {"status": {"stableVariant": "sneaked-in"}}], namespace)
    sneaked = kubectl.get("rollout", "sampler", namespace).get("status", {})
    kubectl.patch_status("rollout", "sampler", {"stableVariant": "uniform-v1"}, namespace)
    after = kubectl.get("rollout", "sampler", namespace)

    assert sneaked.get("stableVariant") is None
    assert after["status"]["stableVariant"] == "uniform-v1"
    assert after["metadata"]["generation"] == 1


@pytest.mark.parametrize("names", ["pwv,pwr", "pitwall"])
def test_short_names_and_category(kubectl: Kubectl, namespace: str, names: str):
    kubectl.apply([VARIANT, ROLLOUT], namespace)

    told = kubectl("get", names, "-o", "name", namespace=namespace).splitlines()

    assert sorted(told) == ["rollout.pitwall.dev/sampler", "samplervariant.pitwall.dev/uniform-v1"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_columns(kubectl: Kubectl, namespace: str, kind: Any):
    kubectl.apply([VARIANT, ROLLOUT], namespace)

    narrow = kubectl("get", kind.plural, namespace=namespace).splitlines()[0]
    wide = kubectl("get", kind.plural, "-o", "wide", namespace=namespace).splitlines()[0]

    assert heading(narrow) == ["NAME", *(column.name.upper() for column in kind.columns if column.priority == 0)]
    assert heading(wide) == ["NAME", *(column.name.upper() for column in kind.columns)]


def heading(line: str) -> list[str]:
    """The titles of a table; more than one blank is between two."""
    return [title.strip() for title in line.split("   ") if title.strip()]

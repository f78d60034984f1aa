"""What a user may write into a file, and what is said when it cannot be read."""

from pathlib import Path

import pytest

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.reading.load import LONGEST_LINE, load_file, load_resources, spec_hash
from pitwall_crds.reading.parse import parse_documents
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant

VARIANT = """\
apiVersion: pitwall.dev/v1alpha1
kind: SamplerVariant
metadata: {name: aks-v2, namespace: video-qa}
spec:
  sampler: {name: aks, parameters: {peakThreshold: "0.8", maxDepth: 5, merge: true}}
  runtime: {image: x, replicas: 2, resources: {limits: {nvidia.com/gpu: 1}}}
"""
ROLLOUT = """\
apiVersion: pitwall.dev/v1alpha1
kind: Rollout
metadata: {name: sampler, namespace: video-qa}
spec:
  flag: sampler.variant
  variantRef: {name: aks-v2}
  stages:
    - shadow: {percent: 5}
      minSeconds: 600
    - weightBasisPoints: 100
    - weightBasisPoints: 10000
  analysis:
    gates:
      - {name: latency-p99, quantile: {metric: QueryLatency, perMille: 990}, marginPercent: 10}
"""
BOTH = f"{VARIANT}---\n{ROLLOUT}"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def refusal(text: str) -> str:
    with pytest.raises(InvalidResourceError) as caught:
        load_resources(text, source="f.yaml")
    return str(caught.value)


def test_a_stream_gives_its_resources_in_order():
    variant, rollout = load_resources(f"---\n{BOTH}---\n# nothing more\n", source="f.yaml")

    assert isinstance(variant, SamplerVariant)
    assert isinstance(rollout, Rollout)
    assert variant.spec.sampler.parameters == {"peakThreshold": "0.8", "maxDepth": 5, "merge": True}
    assert [stage.weight for stage in rollout.spec.stages] == [0, 100, 10_000]


def test_the_status_in_a_file_is_ignored_as_by_an_api_server():
    (variant,) = load_resources(VARIANT + "status: {readyReplicas: 7}\n", source="f.yaml")

    assert variant.status.ready_replicas == 0  # type: ignore[union-attr]


def test_every_problem_of_a_file_is_told_at_once():
    text = BOTH.replace("percent: 5", "percent: 500").replace("replicas: 2", "replicas: 0")

    assert refusal(text).splitlines() == [
        "f.yaml:6: SamplerVariant/aks-v2: spec.runtime.replicas: 0 must be at least 1; raise it",
        "f.yaml:15: Rollout/sampler: spec.stages[0].shadow.percent: 500 must be at most 100; lower it",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "f.yaml: holds no resource", id="empty"),
        pytest.param("---\n---\n# only words\n", "f.yaml: holds no resource", id="only-comments"),
        pytest.param("a: [1,2", "f.yaml:1:8: not valid YAML", id="unclosed-list"),
        pytest.param("a: b: c", "f.yaml:1:5: not valid YAML: mapping values are not allowed", id="two-colons"),
        pytest.param("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' stands here and in line 1", id="key-twice"),
        pytest.param("x: !!python/name:os.system", "tag 'tag:yaml.org,2002:python/name:os.system'", id="python-tag"),
        pytest.param("[" * 5000, "f.yaml:1:49: nested deeper than 48 levels", id="deep-nesting"),
        pytest.param("a: &a [*a]", "f.yaml:1:8: an alias refers to the value that contains it", id="endless-alias"),
        pytest.param("a: *b", "f.yaml:1:4: not valid YAML: found undefined alias 'b'", id="unknown-alias"),
        pytest.param(BOMB, "f.yaml:5:8: expands to more than 20000 values", id="alias-bomb"),
        pytest.param("- a\n" * 100_000, "f.yaml:20000:3: expands to more than 20000 values", id="endless-list"),
        pytest.param("x" * 1_048_577, "has 1048577 bytes and must have at most 1048576", id="over-1-MiB"),
        pytest.param("1: 2", "f.yaml:1:1: the key '1' is not text; put it in quotes", id="number-as-key"),
        pytest.param("yes: 2", "f.yaml:1:1: the key 'yes' is not text; put it in quotes", id="yes-as-key"),
        pytest.param("? [a]\n: 2", "f.yaml:1:3: the key (a list or mapping) is not text", id="list-as-key"),
        pytest.param("a: " + "9" * 5000, "f.yaml:1:1: a value in this document cannot be read", id="5000-digits"),
        pytest.param('a: "\\ud800"', "f.yaml:1:4: holds half of a surrogate pair", id="surrogate"),
        pytest.param("a: \x00", "not valid YAML: unacceptable character #x0000", id="control-character"),
        pytest.param("<<: 3", "f.yaml:1:5: not valid YAML", id="merge-of-a-number"),
        pytest.param("- 1", "f.yaml:1: document: [1] must be a mapping", id="list-as-resource"),
        pytest.param("a: 1", 'apiVersion: is required; write "apiVersion: pitwall.dev/v1alpha1"', id="no-apiVersion"),
        pytest.param("apiVersion: pitwall.dev/v1alpha1", "kind: is required", id="no-kind"),
        pytest.param("apiVersion: pitwall.dev/v1alpha1\nkind: [a]", 'kind: ["a"] is not a kind', id="kind-no-text"),
        pytest.param(
            "apiVersion: pitwall.dev/v1alpha1\nkind: Rollout\nspec: 3", "spec: 3 must be a mapping", id="spec-no-map"
        ),
        pytest.param(
            f"{BOTH}---\n{VARIANT}", "SamplerVariant/aks-v2 stands 2 times for namespace video-qa", id="twice"
        ),
    ],
)
def test_text_that_is_no_resource_is_refused(text: str, words: str):
    assert words in refusal(text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(
            "kind: Rollout",
            "kind: Rolout",
            'kind: "Rolout" is not a kind of pitwall.dev; did you mean "Rollout"?',
            id="kind-misspelt",
        ),
        pytest.param(
            "pitwall.dev/v1alpha1",
            "argoproj.io/v1alpha1",
            '"argoproj.io/v1alpha1" must be "pitwall.dev/v1alpha1"',
            id="another-group",
        ),
        pytest.param(
            "minSeconds",
            "minSecond",
            'spec.stages[0].minSecond: is not a field here; did you mean "minSeconds"?',
            id="field-misspelt",
        ),
        pytest.param("flag: sampler.variant", "paused: true", "spec.flag: is required; add it", id="field-missing"),
        pytest.param(
            "flag: sampler.variant", "flag: ''", 'spec.flag: "" must have at least 1 characters', id="text-too-short"
        ),
        pytest.param(
            "name: sampler,", f"name: {'a' * 64},", "must have at most 63 characters; shorten it", id="text-too-long"
        ),
        pytest.param(
            "name: sampler,", "name: Sampler_1,", '"Sampler_1" must be lower-case letters', id="name-with-capitals"
        ),
        pytest.param(
            "QueryLatency", "Latency", "must be one of 'QueryLatency' or 'FrameSelection'", id="unknown-metric"
        ),
        pytest.param(
            '"0.8"',
            "0.8",
            'parameters.peakThreshold: 0.8 is a float, and resources hold none; write it as text: "0.8"',
            id="float",
        ),
        pytest.param(
            '"0.8"', "[1]", "peakThreshold: [1] must be true or false or an integer or text", id="union-told-as-one"
        ),
        pytest.param(
            "replicas: 2", "replicas: '2'", 'replicas: "2" must be an integer; remove the quotes', id="quoted-integer"
        ),
        pytest.param("replicas: 2", "replicas: true", "replicas: true must be an integer", id="boolean-is-no-integer"),
        pytest.param(
            "replicas: 2",
            "replicas: 2000",
            "f.yaml:6: SamplerVariant/aks-v2: spec.runtime.replicas: 2000 must be at most 1000",
            id="integer-too-large",
        ),
        pytest.param(
            "weightBasisPoints: 100\n",
            "weightBasisPoints: 20000\n",
            "spec.stages[1].weightBasisPoints: 20000 must be at most 10000",
            id="weight-too-large",
        ),
        pytest.param(
            "quantile: {metric",
            "quantil: {metric",
            "spec.analysis.gates[0].quantil: is not a field here",
            id="fields-of-a-gate",
        ),
        pytest.param(
            "gates:\n      - {",
            "gates: []\n  x: [{",
            "spec.analysis.gates: [] has 0 entries and must have at least 1",
            id="no-gates",
        ),
    ],
)
def test_a_wrong_field_is_named_with_value_limit_and_remedy(old: str, new: str, words: str):
    text = BOTH.replace(old, new)
    text = text + "]" if "[{" in new else text

    assert words in refusal(text)


def test_an_invalid_entry_is_not_also_told_as_a_list_too_short():
    assert len(refusal(ROLLOUT.replace("QueryLatency", "Latency")).splitlines()) == 1


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    assert "\x1b" not in refusal(ROLLOUT.replace("name: sampler", 'name: "\\e[31mred"'))


def test_a_fields_name_may_be_anything_and_is_told_in_one_printable_line_of_bounded_length():
    (line,) = refusal(f'{ROLLOUT}\n? "\\e[31m{"é" * 60_000}"\n: 1').splitlines()

    assert "Rollout/sampler: \\x1b[31mé" in line
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE


def test_anchors_and_merge_keys_are_read():
    text = VARIANT.replace("sampler: {name: aks, ", "sampler: &s {name: aks, ")
    again = VARIANT.replace("aks-v2", "aks-v3")

    assert len(load_resources(f"{text}---\n{again}", source="f.yaml")) == 2


def test_a_file_is_read(tmp_path: Path):
    file = tmp_path / "both.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + BOTH.encode())

    assert len(load_file(file)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "cannot be read (No such file or directory)", id="missing"),
        pytest.param(b"\xff\xfea", "byte 0 is not UTF-8", id="utf-16"),
        pytest.param(b"#" * 1_048_577, "must have at most 1048576", id="large"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, words: str):
    file = tmp_path / "f.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidResourceError) as caught:
        load_file(file)

    assert words in str(caught.value)


def test_a_revision_ignores_order_and_defaults_but_no_change():
    (variant,) = load_resources(VARIANT, source="f.yaml")
    (same,) = load_resources(VARIANT.replace("replicas: 2,", "replicas: 2, template: {},"), source="f.yaml")
    (other,) = load_resources(VARIANT.replace("maxDepth: 5", "maxDepth: 6"), source="f.yaml")

    assert spec_hash(variant.spec) == spec_hash(same.spec)
    assert spec_hash(variant.spec) != spec_hash(other.spec)
    assert len(spec_hash(variant.spec)) == 12


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("22:30", "22:30", id="a time is text and not 1350"),
        pytest.param("22:30:15", "22:30:15", id="a time with seconds"),
        pytest.param("1:2.5", "1:2.5", id="a time with a fraction"),
        pytest.param("00:00", "00:00", id="midnight"),
        pytest.param("2026-01-01", "2026-01-01", id="a date"),
        pytest.param("2026-01-01T22:30:00Z", "2026-01-01T22:30:00Z", id="a moment"),
        pytest.param("10", 10, id="a number"),
        pytest.param("-7", -7, id="a negative number"),
        pytest.param("010", 8, id="an octal number"),
        pytest.param("09", "09", id="no octal number"),
        pytest.param("0x1f", 31, id="a hexadecimal number"),
        pytest.param("1_000", 1000, id="a number with a mark"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param("1e3", 1000.0, id="a power"),
        pytest.param("on", True, id="a word of YAML 1.1"),
        pytest.param("~", None, id="nothing"),
    ],
)
def test_a_plain_value_means_what_kubectl_takes_it_for(written: str, read: object):
    (document,) = parse_documents(f"value: {written}\nlist: [{written}]\n")

    assert document.data == {"value": read, "list": [read]}
    assert type(document.data["value"]) is type(read)

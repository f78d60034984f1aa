"""Whatever a file holds, reading it gives resources or an InvalidResourceError, never another error."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.reading.load import load_resources

WORDS = st.sampled_from(
    ["apiVersion", "kind", "metadata", "name", "spec", "sampler", "stages", "shadow", "percent", "flag", "variantRef",
     "analysis", "gates", "quantile", "metric", "weightBasisPoints", "runtime", "resources", "limits", "status",
     "pitwall.dev/v1alpha1", "Rollout", "SamplerVariant", "aks", "QueryLatency"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=6), inner, max_size=6),
    max_leaves=30,
)
HEADED = st.fixed_dictionaries(
    {
        "apiVersion": st.just("pitwall.dev/v1alpha1"),
        "kind": st.sampled_from(["Rollout", "SamplerVariant"]),
        "metadata": st.just({"name": "x"}) | VALUES,
        "spec": st.dictionaries(WORDS, VALUES, max_size=8) | VALUES,
    }
)
YAML_PIECES = st.lists(
    st.sampled_from(["a", ":", " ", "\n", "- ", "&x ", "*x", "{", "}", "[", "]", "'", '"', "---\n", "<<: ", "!!map ",
                     "? ", "|\n", "#", "\t", "1", "0x", ".", "%YAML 1.1\n", "\u0085", "\ufeff", ","]),
    max_size=60,
)  # fmt: skip


def lines_of(text: str) -> tuple[str, ...]:
    """What is said about a text; nothing if it is read."""
    try:
        load_resources(text, source="f.yaml")
    except InvalidResourceError as error:
        return error.lines or ("",)
    return ()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | YAML_PIECES.map("".join))
def test_any_text(text: str):
    assert all(line.startswith("f.yaml") for line in lines_of(text))


@settings(max_examples=200, deadline=None)
@given(st.lists(HEADED | VALUES, min_size=1, max_size=3))
def test_any_values(documents: list[Any]):
    text = "\n---\n".join(json.dumps(document) for document in documents)

    assert all(line.startswith("f.yaml") for line in lines_of(text))

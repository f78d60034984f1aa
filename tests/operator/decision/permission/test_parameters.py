"""A variant's parameters are explained by the schema that its image declares, which may be anything at all."""

import pytest

from pitwall_crds.variant.builtin import CATALOGUE
from pitwall_crds.variant.variant import SamplerSpec
from pitwall_operator.decision.permission.parameters import parameter_problems

AKS = next(entry["parameters"] for entry in CATALOGUE if entry["name"] == "aks")
BOMB = {
    "$defs": {str(k): {"allOf": [{"$ref": f"#/$defs/{k + 1}"}] * 9} for k in range(40)} | {"40": {"type": "integer"}},
    "properties": {"depth": {"$ref": "#/$defs/0"}},
}


def problems(schema, **parameters):
    return list(parameter_problems(SamplerSpec(name="paper", parameters=parameters), schema))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"maxDept": 5},
            'maxDept is not a parameter of paper; did you mean "maxDepth"?; it takes deviationThreshold',
        ),
        ({"maxDepth": 99}, "maxDepth = 99: 99 is greater than the maximum of 10 (How often a stretch may be halved.)"),
        ({"maxDepth": "deep"}, "maxDepth = 'deep': 'deep' is not of type 'integer'"),
        (
            {"peakThreshold": "1.5"},
            "peakThreshold = '1.5': 1.5 is greater than the maximum of 1.0 (A stretch",
        ),
        ({"maxDepth": True}, "maxDepth = True: True is not of type 'integer'"),
    ],
)
def test_what_the_sampler_does_not_take_is_explained_in_its_own_words(parameters, words):
    (problem,) = problems(AKS, **parameters)
    assert words in problem


@pytest.mark.parametrize("parameters", [{}, {"maxDepth": 10}, {"peakThreshold": "0.55"}, {"peakThreshold": 1}])
def test_what_it_takes_is_no_problem(parameters):
    assert problems(AKS, **parameters) == []


def test_what_it_must_be_given_is_told():
    schema = {"properties": {"depth": {"type": "integer"}}, "required": ["depth"]}
    assert problems(schema) == ["spec.sampler.parameters.depth is missing: paper needs it"]


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(BOMB, id="references that multiply"),
        pytest.param({"properties": {"depth": {"$ref": "http://169.254.169.254/"}}}, id="a reference that leads away"),
        pytest.param({"properties": {"depth": {"pattern": "(a+)+$"}}}, id="a pattern that never ends"),
        pytest.param({"properties": {"depth": {"type": ["no", 5]}}}, id="no schema"),
        pytest.param({"properties": {"depth": [1]}, "required": 7}, id="lists where none belong"),
        pytest.param(
            {"properties": {"depth": {"enum": [[[[]]]] * 3, "anyOf": "x"}}, "required": []}, id="odd alternatives"
        ),
    ],
)
def test_a_hostile_schema_neither_hangs_nor_breaks_the_review(schema):
    assert all("depth" in problem for problem in problems(schema, depth="a" * 60 + "b"))


def test_a_schema_without_properties_takes_none():
    assert problems({"properties": "x"}, depth=1) == [
        "spec.sampler.parameters.depth is not a parameter of paper; it takes none"
    ]

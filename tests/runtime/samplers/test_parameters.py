"""Parameters are parsed by the sampler's own schema, a pydantic model or a JSON schema, with the same sentences."""

import pytest
from pydantic import BaseModel

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.samplers.contract import Sampler, Stability
from pitwall_runtime.samplers.parameters import parse, schema_of

DEPTH = {"type": "integer", "minimum": 0, "maximum": 10, "default": 5, "description": "How deep."}


class Depth(BaseModel):
    depth: int = 5


def sampler(parameters):
    return Sampler(
        name="mine", select=print, parameters=parameters, contract=1, stability=Stability.ALPHA, summary="Mine."
    )


BY_JSON = sampler({"properties": {"depth": DEPTH, "way": {"enum": ["up", "down"]}}})


def test_a_json_schema_gives_a_mapping_with_defaults_that_cannot_be_changed():
    parsed = parse(BY_JSON, {"way": "up"})

    assert dict(parsed) == {"depth": 5, "way": "up"}
    with pytest.raises(TypeError):
        parsed["depth"] = 6


def test_a_model_gives_its_instance():
    assert parse(sampler(Depth), {"depth": 3}) == Depth(depth=3)


@pytest.mark.parametrize(
    ("parameters", "given", "words"),
    [
        (BY_JSON.parameters, {"depth": 11}, "parameter depth = 11: 11 is greater than the maximum of 10"),
        (BY_JSON.parameters, {"way": "left"}, "parameter way = 'left': 'left' is not one of ['up', 'down']"),
        (BY_JSON.parameters, {"deep": 1}, "parameter deep is not known; it takes depth, way"),
        (Depth, {"deep": 1}, "parameter deep is not known; it takes depth"),
        (Depth, {"depth": "many"}, "parameter depth = 'many': Input should be a valid integer"),
        ({"properties": {"depth": {"type": "number of frames"}}}, {}, "its parameters are no JSON schema"),
        ({"properties": {"depth": {}}, "required": ["depth"]}, {}, "'depth' is a required property"),
    ],
)
def test_what_is_wrong_is_told_with_its_value(parameters, given, words):
    with pytest.raises(BadVariantError) as refusal:
        parse(sampler(parameters), given)
    assert words in refusal.value.message
    assert refusal.value.message.startswith("sampler 'mine': ")


def test_a_json_schema_is_shown_as_one_that_refuses_other_names():
    assert schema_of(BY_JSON)["additionalProperties"] is False

"""JSON that cannot be read is told in words that are not about Python."""

import json

import pytest

from pitwall_crds.reading.json_words import json_fault


def _refuse(name: str) -> float:
    raise ValueError(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b'{"a"', "line 1 column 5", id="an end that comes too soon"),
        pytest.param(b'{"a": "\xff"}', "byte 7 is not UTF-8", id="another encoding"),
        pytest.param(b"[" * 100_000, "nested too deeply, hundreds of levels; send it flatter", id="depth without end"),
        pytest.param(b"9" * 6000, "a number of more than 4300 digits; send it as a string", id="digits without end"),
        pytest.param(b"[NaN]", "a number that JSON does not have", id="a number that is none"),
    ],
)
def test_what_cannot_be_read_is_told_with_limit_and_remedy(text, words):
    with pytest.raises((ValueError, RecursionError)) as fault:
        json.loads(text, parse_constant=_refuse)

    said = json_fault(fault.value)
    assert words in said
    assert "sys." not in said
    assert "recursion" not in said


def test_a_number_that_cannot_be_written_again_is_told_too():
    with pytest.raises(ValueError, match="JSON compliant") as fault:
        json.dumps(json.loads("1e999"), allow_nan=False)

    assert "NaN or Infinity" in json_fault(fault.value)

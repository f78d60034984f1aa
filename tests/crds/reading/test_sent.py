"""JSON that somebody sent is read if it holds no more than a request can need, and costs no more than that."""

import json

import pytest
from harness.effort import effort
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.reading.sent import MOST_VALUES, BodyFaultError, has_more_values, read_json

MIB = 1 << 20
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a,[{"\\é\n')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('k,[{"\\')), inner),
)


def nodes(value: object) -> int:
    """Fields and entries, and for each list and object one more where it is empty."""
    if not isinstance(value, dict | list):
        return 0
    children = list(value.values()) if isinstance(value, dict) else value
    return max(1, len(children)) + sum(map(nodes, children))


@given(json_values, st.booleans())
def test_what_is_counted_is_what_the_body_holds_whatever_its_texts_hold(value, plain):
    body = json.dumps(value, ensure_ascii=plain).encode()
    there = nodes(value)

    assert not has_more_values(body, there)
    assert there == 0 or has_more_values(body, there - 1)
    assert read_json(body) == value


def filled(unit: str, count: int = MIB) -> bytes:
    """A list of so many of them, or a megabyte."""
    return ("[" + ",".join([unit] * min(count, MIB // (len(unit) + 1))) + "]").encode()


@pytest.mark.parametrize("unit", ["[]", "{}", '{"":[]}', "0", "1e-320", '""', '",,"', "[" * 199 + "]" * 199])
def test_more_values_than_a_request_can_need_are_told_by_the_limit_and_not_made(unit):
    with effort() as spent, pytest.raises(BodyFaultError, match=f"more than {MOST_VALUES} fields and entries, the li"):
        read_json(filled(unit))
    assert spent.megabytes < 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(filled("[]", MOST_VALUES // 2 - 1), id="lists"),
        pytest.param(filled('{"":[]}', MOST_VALUES // 3 - 1), id="objects"),
        pytest.param(("[" + "[" * 150 + "]" * 150 + "]").encode(), id="depth"),
        pytest.param(json.dumps({f"{n:016x}": f"{n:08x}" for n in range(MOST_VALUES)}).encode(), id="names"),
        pytest.param(filled('",,,":",,,,,,,,"', MOST_VALUES - 1).replace(b"[", b"{").replace(b"]", b"}"), id="commas"),
        pytest.param(json.dumps(",[{" * (MIB // 3)).encode(), id="a text of brackets"),
        pytest.param(json.dumps("\\" * (MIB // 2)).encode(), id="a text of backslashes"),
        pytest.param(json.dumps('"' * (MIB // 2)).encode(), id="a text of quotes"),
        pytest.param(json.dumps("é" * (MIB // 6)).encode(), id="a text of escapes"),
        pytest.param(filled("9" * 308), id="digits"),
        pytest.param(b" " * (MIB - 1) + b"0", id="blanks"),
    ],
)
def test_the_most_that_may_be_sent_costs_about_what_plain_text_of_its_length_does(body):
    with effort() as spent:
        read_json(body)
    assert spent.megabytes < 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "line 1 column 0", id="nothing"),
        pytest.param(b'{"a"', "line 1 column 4", id="an end that comes too soon"),
        pytest.param(b'{"a": "\xff"}', "byte 7 is not UTF-8", id="another encoding"),
        pytest.param("[]".encode("utf-16"), "byte 0 is not UTF-8", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf[]", "byte order mark", id="a byte order mark"),
        pytest.param(b"[" * 300, "nested too deeply, hundreds of levels; send it flatter", id="depth"),
        pytest.param(b"9" * 6000, "a number of more than 4300 digits; send it as a string", id="digits without end"),
        pytest.param(b"[NaN]", "line 1 column 2", id="a number that is none"),
        pytest.param(b'["\\ud800"]', "ends within a character, with half of it, at line 1 column", id="half of one"),
    ],
)
def test_what_is_no_json_is_told_with_its_place_or_the_remedy(body, words):
    with pytest.raises(BodyFaultError, match=r"^the body is not JSON \(") as fault:
        read_json(body)
    assert words in str(fault.value)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("1" + "0" * 400, id="an integer"),
        pytest.param("-1" + "0" * 309, id="below zero"),
        pytest.param("1e400", id="an exponent"),
        pytest.param("-1.5E+999", id="another"),
        pytest.param("1" + "0" * 250 + "e99", id="some of each"),
        pytest.param("1" + "0" * 320 + ".5", id="a fraction"),
    ],
)
def test_a_number_that_no_double_holds_is_refused_wherever_it_is(number):
    for body in (number, f'{{"a": [1, {{"b": {number}}}]}}'):
        with pytest.raises(BodyFaultError, match="the largest that JSON"):
            read_json(body.encode())


@pytest.mark.parametrize("number", ["1.7e308", "1" + "0" * 308, "-1e-400", "1e0000001", "0.1" + "0" * 400])
def test_a_number_that_a_double_holds_is_read(number):
    assert read_json(f"[{number}]".encode()) == json.loads(f"[{number}]")


def test_digits_within_a_text_are_no_number():
    assert read_json(b'["1e999 %s"]' % (b"9" * 400)) == [f"1e999 {'9' * 400}"]

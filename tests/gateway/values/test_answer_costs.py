"""What an answer tells of its cost is believed only if it can be added up."""

import json

import pytest
from harness.effort import effort

from pitwall_gateway.values.answer import VariantAnswer, VariantFailure, read_reply


def answer(text):
    """A chat completion whose `pitwall` object is this JSON text."""
    choices = '[{"index": 0, "message": {"content": "at 12 s"}}]'
    return read_reply(200, f'{{"choices": {choices}, "pitwall": {text}}}'.encode(), 0.5)


def test_tokens_selection_encoder_and_cache_are_read():
    details = {"tokens": 12, "frame_selection_seconds": 0.25, "cache": "cold", "stages": {"encode": 1, "select": 0.25}}

    found = answer(json.dumps(details))

    assert (found.tokens, found.selection_seconds, found.encoder_seconds, found.cache) == (12, 0.25, 1, "cold")


@pytest.mark.parametrize(
    "value", ["null", "-1", "-0.5", "NaN", "Infinity", "1e400", "1e13", "true", '"7"', "[7]", "{}", "9" * 400]
)
def test_an_impossible_amount_is_none_and_the_answer_is_an_answer(value):
    found = answer(f'{{"tokens": {value}, "frame_selection_seconds": {value}, "stages": {{"encode": {value}}}}}')

    assert isinstance(found, VariantAnswer)
    assert (found.tokens, found.selection_seconds, found.encoder_seconds) == (None, None, None)


@pytest.mark.parametrize(
    "details", ["null", "[]", '[90, "warm"]', '"x"', "{}", '{"stages": []}', '{"stages": "encode"}', '{"cache": 7}']
)
def test_missing_or_misshapen_details_are_none(details):
    found = answer(details)

    assert (found.tokens, found.selection_seconds, found.encoder_seconds, found.cache) == (None, None, None, "")


@pytest.mark.parametrize("tokens", ["7.5", "90.0"])
def test_tokens_are_whole(tokens):
    assert answer(f'{{"tokens": {tokens}}}').tokens is None


def test_an_impossible_amount_leaves_the_others_as_they_are():
    found = answer('{"tokens": -3, "frame_selection_seconds": 0.25, "cache": "warm"}')

    assert (found.tokens, found.selection_seconds, found.cache) == (None, 0.25, "warm")


def test_a_reply_of_values_without_end_is_no_answer_and_is_not_made():
    filling = ",".join(["[]"] * 340_000)
    with effort() as spent:
        found = answer(f'{{"x": [{filling}]}}')
    assert isinstance(found, VariantFailure)
    assert spent.megabytes < 2

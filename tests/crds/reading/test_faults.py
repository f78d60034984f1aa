"""What is wrong with a body is told by the body's own names, and never by those of our types."""

import json
from typing import Annotated, Any, Literal

import pytest
from harness.effort import effort
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from pitwall_crds.reading.faults import LONGEST_FAULT, MOST_FAULTS, fault_in_words, first_faults, read_body
from pitwall_crds.reading.sent import MOST_VALUES, BodyFaultError


class Words(BaseModel):
    """One kind of part."""

    type: Literal["text"]
    text: str


class PartOfFilm(BaseModel):
    """Another, whose tag is the name of a field too."""

    type: Literal["film"]
    film: Words
    url: int = 0


def short(text: str) -> str:
    """Refuses what is long."""
    if len(text) > 3:
        raise ValueError("is too long; shorten it")
    return text


class SaidInUnions(BaseModel):
    """Unions of every make."""

    model_config = {"extra": "forbid"}

    content: str | tuple[Annotated[Words | PartOfFilm, Field(discriminator="type")], ...] | None = None
    part: Words | PartOfFilm | None = None
    mixed: dict[str, int] | Annotated[str, AfterValidator(short)] | bool | None = None
    parts: Annotated[tuple[Words, ...], Field(min_length=1, max_length=2)] = ()


def told(body: object, *, furthest: bool = True) -> str:
    text = body if isinstance(body, str | bytes) else json.dumps({"messages": [body]})
    with pytest.raises(ValidationError) as error:
        Conversation.model_validate_json(text)
    return fault_in_words(error.value, furthest=furthest)


class Conversation(BaseModel):
    """What is sent."""

    messages: tuple[SaidInUnions, ...]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param({"content": [{"type": "text"}]}, "messages.0.content.0.text: Field required", id="tag-and-field"),
        pytest.param(
            {"content": [{"type": "film", "film": {"type": "text", "text": 5}}]},
            "messages.0.content.0.film.text is 5: Input should be a valid string",
            id="a-field-called-as-its-tag",
        ),
        pytest.param(
            {"content": [{"type": "film", "film": {"type": "text", "text": ""}, "url": "x"}]},
            'messages.0.content.0.url is "x": Input should be a valid integer',
            id="a-field-called-as-a-type",
        ),
        pytest.param(
            {"content": [{"type": "tex"}]},
            "messages.0.content.0: 'type' is \"tex\", and must be one of 'text', 'film'",
            id="unknown-tag",
        ),
        pytest.param({"content": [{}]}, "messages.0.content.0: 'type' is missing", id="no-tag"),
        pytest.param({"content": [5]}, "messages.0.content.0 is 5: Input should be an object", id="no-object"),
        pytest.param({"content": 5}, "messages.0.content is 5: Input should be a valid string", id="a-plain-type"),
        pytest.param({"part": {"type": "text"}}, "messages.0.part.text: Field required", id="untagged-classes"),
        pytest.param({"mixed": {"a": "x"}}, 'messages.0.mixed.a is "x": Input should be a valid', id="a-mapping"),
        pytest.param({"mixed": "long"}, 'messages.0.mixed is "long": ', id="a-checked-text"),
        pytest.param({"parts": []}, "messages.0.parts: there must be at least 1, not 0", id="too-few"),
        pytest.param({"a[b]": 1}, "messages.0.a[b] is 1: Extra inputs", id="the-senders-own-brackets"),
        pytest.param({"Str": 1}, "messages.0.Str is 1: Extra inputs", id="the-senders-own-capitals"),
    ],
)
def test_a_place_is_told_as_the_body_has_it(message: dict[str, Any], words: str):
    assert told(message).startswith(words)


@pytest.mark.parametrize("furthest", [True, False])
@pytest.mark.parametrize(
    "message",
    [{"content": [{"type": "text"}]}, {"content": [{}]}, {"content": {}}, {"part": 5}, {"part": {}}, {"mixed": []}, 7],
)
def test_no_type_of_ours_is_named(message: object, furthest: bool):
    words = told(message, furthest=furthest)
    assert not [
        name
        for name in ("Words", "PartOfFilm", "SaidInUnions", "[", "tuple", "function", "str:", "bool:")
        if name in words
    ]


def test_a_tag_without_end_and_with_controls_is_told_short_and_spelled_out():
    words = told({"content": [{"type": "\x1b]0;" + "x" * 1_000_000}]})
    assert "\x1b" not in words
    assert len(words) < 250


def test_what_is_no_object_is_told_without_a_place():
    assert told("5") == "the body: Input should be an object"


MIB = 1 << 20


def filled(head: str, unit: str, tail: str) -> bytes:
    """A megabyte of so many units."""
    count = (MIB - len(head) - len(tail)) // (len(unit) + 1)
    return (head + ",".join([unit] * count) + tail).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            "{" + ",".join(f'"{number}":0' for number in range(30_000)) + "}",
            f"the body has 30001 faults, and no more than {MOST_FAULTS} are looked at",
            id="unknown names",
        ),
        pytest.param(filled('{"messages":[', "{}", "]}"), f"more than {MOST_VALUES} fields and entries", id="{}"),
        pytest.param(filled('{"messages":', "[", ""), f"more than {MOST_VALUES} fields and entries", id="depth"),
        pytest.param(
            filled('{"messages":[{"mixed":{', f'"a":"{"b" * 90}"', "}}]}"), "messages.0.mixed.a", id="one name"
        ),
        pytest.param("{", r"the body is not JSON \(line 1 column 1\)", id="no JSON"),
        pytest.param('{"messages": {}}', "messages: Input should be a list", id="no list"),
    ],
)
def test_a_megabyte_of_faults_is_told_at_once(body: str | bytes, words: str):
    sent = body if isinstance(body, bytes) else body.encode()
    with effort() as spent, pytest.raises(BodyFaultError, match=words):
        read_body(StrictConversation, sent, furthest=True)
    assert spent.megabytes < 5


class StrictConversation(Conversation):
    """What is sent, and nothing beside it."""

    model_config = {"extra": "forbid"}


def test_what_is_too_long_is_told_before_what_another_shape_would_have_been():
    many = {"content": [{"type": "text", "text": ""}] * 3}
    with pytest.raises(BodyFaultError, match=r"^content: there must be at most 2$"):
        read_body(FewParts, json.dumps(many).encode(), furthest=True)


def test_a_resources_field_may_be_called_anything_and_is_told_in_printable_words_of_bounded_length():
    with pytest.raises(ValidationError) as caught:
        StrictConversation.model_validate({"content": "", "\x1b[31m" + "é" * 60_000: 1})
    words = first_faults(caught.value, most=4)[-1]

    assert words.startswith("\\x1b[31mé")
    assert words.isprintable()
    assert len(words) <= LONGEST_FAULT


class FewParts(BaseModel):
    """Text, or a few parts."""

    content: str | Annotated[tuple[Words, ...], Field(max_length=2)]

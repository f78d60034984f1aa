"""The HTTP schema: what is read and written of OpenAI's chat completion, and Pitwall's extension of the answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.ingest.fragment import stretch_of
from pitwall_runtime.media import Damage, Stretch

MAX_QUESTION_CHARACTERS = 4000
MAX_BODY_BYTES = 1 << 20
MAX_MESSAGES = 256
MAX_PARTS = 32


class Part(BaseModel):
    """A frozen border type. OpenAI's clients send many fields that mean nothing here: they are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8192)]
"""Blanks around an address are of who copied it; a server is asked for one that ends in %20 where that is meant."""


class Address(Part):
    """Where something lies."""

    url: Url


class VideoAddress(Address):
    """Where a video lies, and its subtitles if they are a file of their own: SubRip, WebVTT or ASS."""

    subtitles_url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8192)] = ""


class TextPart(Part):
    """A part of the question in words."""

    type: Literal["text"]
    text: str


class VideoPart(Part):
    """The video asked about."""

    type: Literal["video_url"]
    video_url: VideoAddress


ContentPart = Annotated[TextPart | VideoPart, Field(discriminator="type")]


class Message(Part):
    """One message of a conversation."""

    role: Annotated[str, Field(max_length=64)]
    content: str | Annotated[tuple[ContentPart, ...], Field(max_length=MAX_PARTS, fail_fast=True)] | None = None


class ChatRequest(Part):
    """A chat completion request. A list is left at its first fault: each costs more than what is wrong was to send.
    Texts cost no more than that: the body's bound is theirs, but for the question's own."""

    model: Annotated[str, Field(max_length=256)] = ""
    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)]
    stream: bool = False


class MomentOut(Part):
    """One moment that the answer stands on, [start_seconds, end_seconds)."""

    start_seconds: float
    end_seconds: float
    pts_seconds: float
    label: str
    score: float


class DamageOut(Part):
    """A stretch of the video, [start_seconds, end_seconds), that could not be decoded, or only with visible faults. Of
    very many the nearest are joined: no damaged instant lies outside."""

    start_seconds: float
    end_seconds: float

    @classmethod
    def of(cls, stretch: Damage) -> "DamageOut":
        """As an answer tells it."""
        return cls(start_seconds=stretch.start_seconds, end_seconds=stretch.end_seconds)


class DamagedOut(Part):
    """How many stretches are damaged, before any are joined, and for how many seconds together."""

    stretches: int
    seconds: float

    @classmethod
    def of(cls, stretches: Sequence[Damage]) -> "DamagedOut":
        """Of all together."""
        seconds = sum(one.damaged_seconds for one in stretches)
        return cls(stretches=sum(one.stretches for one in stretches), seconds=round(seconds, 3))


class Extension(Part):
    """What Pitwall adds to a chat completion."""

    sampler_variant: str
    answer_engine: str
    moments: tuple[MomentOut, ...]
    frames: tuple[float, ...]
    damage: tuple[DamageOut, ...]
    damaged: DamagedOut
    tokens: int
    frame_selection_seconds: float
    cache: Literal["cold", "warm"]
    stages: dict[str, float]
    video: str
    """The digest of the video and, behind a plus, of its subtitles."""


class ReplyMessage(Part):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(Part):
    """The one choice."""

    index: int = 0
    message: ReplyMessage
    finish_reason: Literal["stop"] = "stop"


class Usage(Part):
    """Token counts; the prompt's include the visual tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatResponse(Part):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    pitwall: Extension


class ErrorBody(Part):
    """OpenAI's error object."""

    message: str
    type: str
    code: str


def error_json(message: str, kind: str, code: str) -> dict[str, Any]:
    """An error as OpenAI's clients expect it."""
    return {"error": ErrorBody(message=message, type=kind, code=code).model_dump()}


class AskedAbout(NamedTuple):
    """What is asked about which video, or about which part of it."""

    video: VideoAddress
    question: str
    stretch: Stretch


def question_of(request: ChatRequest) -> AskedAbout:
    """The latest video and the last user message's words. Raises BadQuestionError."""
    if request.stream:
        raise BadQuestionError("stream=true is not supported; send stream=false")
    users = [message for message in request.messages if message.role == "user"]
    if not users:
        raise BadQuestionError("no message has the role 'user'; send the question as one")
    question = " ".join(part.text for part in _parts(users[-1]) if isinstance(part, TextPart)).strip()
    check_question(question)
    video = _latest_video(users)
    address, stretch = stretch_of(video.url)
    return AskedAbout(video.model_copy(update={"url": address}), question, stretch)


def _latest_video(users: Sequence[Message]) -> VideoAddress:
    """A conversation may go on to another video; one message is about one."""
    by_message = [[part.video_url for part in _parts(user) if isinstance(part, VideoPart)] for user in users]
    latest = next((videos for videos in reversed(by_message) if videos), None)
    if latest is None:
        raise BadQuestionError("no video: add a content part {'type': 'video_url', 'video_url': {'url': …}}")
    if len(urls := {video.url for video in latest}) > 1:
        raise BadQuestionError(f"one message is about {len(urls)} videos; ask about one at a time")
    return latest[-1]


def check_question(question: str) -> None:
    """Raises BadQuestionError if there are no words or too many."""
    if not question:
        raise BadQuestionError(
            "no question: say what to look for, over HTTP in a content part {'type': 'text', 'text': …}"
        )
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise BadQuestionError(
            f"the question has {len(question)} characters; the limit is {MAX_QUESTION_CHARACTERS}, shorten it"
        )


def _parts(message: Message) -> tuple[TextPart | VideoPart, ...]:
    if isinstance(message.content, str):
        return (TextPart(type="text", text=message.content),)
    return message.content or ()

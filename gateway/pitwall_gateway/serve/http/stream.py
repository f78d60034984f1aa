"""Turns a complete chat completion into a stream of server-sent events, as OpenAI's API does."""

import json
from typing import Any

HEAD = ("id", "created", "model", "system_fingerprint")


def stream_events(document: dict[str, Any], *, usage: bool) -> bytes:
    """OpenAI's chunks of a finished answer; the usage chunk is added when it was asked for."""
    head: dict[str, Any] = {key: document[key] for key in HEAD if key in document}
    head["object"] = "chat.completion.chunk"
    choices = document["choices"]
    chunks = [{**head, "choices": [_delta(choice)]} for choice in choices]
    chunks += [{**head, "choices": [_end(choice)]} for choice in choices]
    if "pitwall" in document:
        chunks[-1] = {**chunks[-1], "pitwall": document["pitwall"]}
    if usage:
        chunks.append({**head, "choices": [], "usage": document.get("usage")})
    return b"".join(_event(json.dumps(chunk)) for chunk in chunks) + _event("[DONE]")


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    return {"index": choice.get("index", 0), "delta": message or {}, "finish_reason": None}


def _end(choice: dict[str, Any]) -> dict[str, Any]:
    return {"index": choice.get("index", 0), "delta": {}, "finish_reason": choice.get("finish_reason", "stop")}


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()

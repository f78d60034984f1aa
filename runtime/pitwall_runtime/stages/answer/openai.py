"""Asks an OpenAI-compatible server, such as vLLM, and sends it the chosen frames as JPEG images."""

import asyncio
import base64
import io
import json
import os
from contextlib import suppress
from math import isqrt
from typing import Any

import httpx
from PIL import Image

from pitwall_crds.host.http.frugal import allowing, bounded, frugal_client
from pitwall_crds.host.http.unpacked import UNPACKED, packing
from pitwall_crds.reading.sent import MOST_VALUES, has_more_values
from pitwall_crds.variant.variant import AnswerSpec
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.media import clock
from pitwall_runtime.stages.answer.port import Answer, Brief

_LIMIT_SECONDS = 120.0
_CONNECT_SECONDS = 5.0
_MOST_BYTES = 512 << 10
"""Of a reply: sixteen for each of the most tokens that an answer may have."""
_PIXELS_PER_TOKEN_SIDE = 28
"""Qwen2-VL and its heirs spend one token on 28 × 28 pixels; a frame is never sent larger than its tokens can hold."""


class OpenAiEngine:
    """POST <endpoint>/chat/completions. The key, if any, comes from PITWALL_ANSWER_API_KEY."""

    sees_frames = True

    def __init__(self, spec: AnswerSpec) -> None:
        # A reference is a Service in the same namespace; its name resolves there.
        base = spec.endpoint_url or (f"http://{spec.endpoint_ref.name}/v1" if spec.endpoint_ref else "")
        self._url = base.rstrip("/") + "/chat/completions"
        self._model = spec.model
        self._max_tokens = spec.max_tokens
        key = os.environ.get("PITWALL_ANSWER_API_KEY", "")
        self._headers = {**UNPACKED, **({"Authorization": f"Bearer {key}"} if key else {})}

    def answer(self, brief: Brief) -> Answer:
        """The server's words. Every failure becomes UnavailableError, with the server's address and reason."""
        body = {"model": self._model, "max_tokens": self._max_tokens, "messages": [self._message(brief)]}
        try:
            status, said = asyncio.run(self._posted(body, brief.deadline))
            if not 200 <= status < 300:
                reason = f"{status}: {said[:300].decode(errors='replace')}"
                raise UnavailableError(f"the answer server {self._url} refused with {reason}; check answer.model")
            reply = _read(said)
            # Half a character, which JSON can hold and no answer of ours can, is none.
            text = str(reply["choices"][0]["message"]["content"] or "").encode(errors="replace").decode()
            spent = _completion_tokens(reply, text)
        except TimeoutError:
            brief.deadline.check()
            raise UnavailableError(
                f"the answer server {self._url} took longer than {_LIMIT_SECONDS:g} s; make maxTokens or maxFrames less"
            ) from None
        except asyncio.CancelledError:
            brief.deadline.check()
            raise
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise UnavailableError(
                f"the answer server {self._url} does not answer ({reason}); check that it runs"
            ) from None
        except (ValueError, OverflowError, RecursionError, LookupError, TypeError, AttributeError):
            raise UnavailableError(
                f"the answer server {self._url} sent no chat completion; check answer.endpointUrl"
            ) from None
        return Answer(text, brief.moments, spent)

    async def _posted(self, body: dict[str, Any], deadline: Deadline) -> tuple[int, bytes]:
        """The response's status and body, whole. Ends at the deadline, and as soon as the asker leaves: the connection
        is closed then, and a language-model server stops working on a request whose connection is closed."""
        loop, asking = asyncio.get_running_loop(), asyncio.current_task()
        assert asking is not None

        def stop() -> None:
            with suppress(RuntimeError):  # the loop has just ended: there is nothing left to stop
                loop.call_soon_threadsafe(asking.cancel)

        withdraw = deadline.when_given_up(stop)
        allowance = allowing()
        try:
            timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
            async with (
                asyncio.timeout(deadline.within(_LIMIT_SECONDS)),
                frugal_client(timeout) as client,
                client.stream("POST", self._url, json=body, headers=self._headers) as response,
            ):
                allowance.left += 2 * _MOST_BYTES
                return response.status_code, await self._whole(response)
        finally:
            withdraw()

    async def _whole(self, response: httpx.Response) -> bytes:
        """Raises UnavailableError for a body that no answer needs, or that comes in crumbs."""
        if packed := packing(response.headers):
            raise UnavailableError(
                f"the answer server {self._url} packs what it says as {packed}, which nobody asked for; "
                "have it, or the proxy before it, heed Accept-Encoding"
            )
        said = await bounded(response.aiter_bytes(), _MOST_BYTES)
        if said is None:
            raise UnavailableError(
                f"the answer server {self._url} sent more than the limit of {_MOST_BYTES} bytes, or its answer in "
                "crumbs; make answer.maxTokens less, or check answer.endpointUrl"
            )
        return said

    def _message(self, brief: Brief) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for frame, jpeg, tokens in zip(brief.evidence, brief.jpegs(), brief.tokens_per_frame, strict=True):
            side = _PIXELS_PER_TOKEN_SIDE * max(1, isqrt(tokens))
            parts.append({"type": "text", "text": f"[{clock(frame.seconds)}]"})
            parts.append({"type": "image_url", "image_url": {"url": _data_url(_bounded(jpeg, side * side))}})
        parts.append({"type": "text", "text": f"These are frames of a video with their times. {brief.question}"})
        return {"role": "user", "content": parts}


def _bounded(jpeg: bytes, pixels: int) -> bytes:
    """The picture, scaled down to at most `pixels`."""
    image = Image.open(io.BytesIO(jpeg))
    scale = (pixels / (image.width * image.height)) ** 0.5
    if scale >= 1:
        return jpeg
    buffer = io.BytesIO()
    image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale)))).save(buffer, "JPEG")
    return buffer.getvalue()


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _read(said: bytes) -> Any:
    """Python's reader takes half a character, which a stricter one refuses. Raises ValueError or RecursionError."""
    if has_more_values(said, MOST_VALUES):
        raise ValueError("no chat completion has so many fields and entries")
    return json.loads(said)


def _completion_tokens(reply: dict[str, Any], text: str) -> int:
    usage = reply.get("usage") or {}
    return int(usage.get("completion_tokens") or len(text.split()))

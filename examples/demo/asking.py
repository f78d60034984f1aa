"""Asks the gateway through the OpenAI client and returns what the user gets to see. Errors are values.

Feedback is not part of OpenAI's API, so it is posted as any page would post it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import openai
from examples.demo.judge import NamedMoment

from pitwall_crds.names import Header

MODEL: Final = "pitwall"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the user sees it; `error` is empty unless there is none to see."""

    latency_seconds: float
    arm: str = ""
    variant: str = ""
    answer_id: str = ""
    fallback: str = ""
    moments: tuple[NamedMoment, ...] = ()
    error: str = ""
    was_asked: bool = True


class FilmAsker:
    """One OpenAI client, shared by all users, asking about one film."""

    def __init__(self, gateway_url: str, film_uri: str, *, timeout_seconds: float = 30.0) -> None:
        self._film = {"type": "video_url", "video_url": {"url": film_uri}}
        self._feedback_url = f"{gateway_url.rstrip('/')}/v1/feedback"
        self._http = openai.DefaultAsyncHttpxClient(trust_env=False, timeout=timeout_seconds)  # near, so no proxy
        self._client = openai.AsyncOpenAI(
            base_url=f"{gateway_url.rstrip('/')}/v1",
            api_key="not-checked",
            max_retries=0,  # a retry would hide an error from the evidence
            timeout=timeout_seconds,
            http_client=self._http,
        )

    async def ask(self, text: str, *, user: str, session: str) -> Reply:
        """What comes back for a question; never raises for an error of the service or the network."""
        began = time.perf_counter()
        content: Any = [{"type": "text", "text": text}, self._film]
        try:
            raw = await self._client.chat.completions.with_raw_response.create(
                model=MODEL,
                messages=[{"role": "user", "content": content}],
                user=user,
                extra_headers={Header.SESSION: session},
            )
            return _reply(raw.headers, raw.http_response.json(), time.perf_counter() - began)
        except (openai.OpenAIError, ValueError) as error:
            return Reply(time.perf_counter() - began, error=_in_words(error))

    async def tell(self, feedback: Mapping[str, str]) -> str:
        """Posts thumbs or the task's end; returns the error in words, empty when there is none."""
        try:
            answer = await self._http.post(self._feedback_url, json=dict(feedback))
        except httpx.HTTPError as error:
            return _in_words(error)
        return "" if answer.is_success else f"HTTP {answer.status_code}: {answer.text[:200]}"

    async def close(self) -> None:
        """Closes the client's connections."""
        await self._client.close()


def _reply(headers: Mapping[str, str], body: Any, latency_seconds: float) -> Reply:
    """The headers' names of what answered, and the moments of the extension object."""
    extension = body.get("pitwall") if isinstance(body, dict) else None
    moments = extension.get("moments") if isinstance(extension, dict) else None
    return Reply(
        latency_seconds,
        arm=headers.get(Header.ARM, ""),
        variant=headers.get(Header.VARIANT, ""),
        answer_id=headers.get(Header.ANSWER_ID, ""),
        fallback=headers.get(Header.FALLBACK, ""),
        moments=tuple(_named(row) for row in moments or ()),
        error=""
        if isinstance(moments, list)
        else "the answer holds no pitwall.moments; ask a variant that names moments",
    )


def _named(row: Any) -> NamedMoment:
    """One row of pitwall.moments; raises ValueError when it is not one."""
    try:
        return NamedMoment(
            float(row["start_seconds"]),
            float(row["end_seconds"]),
            float(row["pts_seconds"]),
            str(row["label"]),
            float(row["score"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"pitwall.moments holds {row!r}, not a moment ({error})") from error


def _in_words(error: Exception) -> str:
    """A short line for the record: the kind of error, then what the service said."""
    status = f" {error.status_code}" if isinstance(error, openai.APIStatusError) else ""
    return f"{type(error).__name__}{status}: {str(error)[:200]}"

"""Passes videos that shall be prepared before anybody asks on to a runtime, whose queue all runtimes share."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pitwall_crds.names import Arm, Header
from pitwall_gateway.callers.rule import VideoAccess
from pitwall_gateway.pools.circuits import Answerer
from pitwall_gateway.pools.upstream import Call, RuntimeExchange
from pitwall_gateway.serve.http.respond import JSON, RETRY_SECONDS, error_response, failure_kind
from pitwall_gateway.values.answer import VariantAnswer, VariantFailure, VariantRefusal, read_record
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import Speaker
from pitwall_gateway.values.telling import told
from pitwall_gateway.values.videos import VideosSent, check_id

ONE = RuntimeExchange("POST", "/v1/videos", read_record)
BATCH = RuntimeExchange("POST", "/v1/videos/batch", read_record)


@dataclass(frozen=True, slots=True)
class VideoRule:
    """Who sees whose videos, whether variants are named, and how long a runtime may take."""

    access: VideoAccess = VideoAccess.OWN
    shows_variants: bool = False
    seconds: float = 60.0


class VideoDesk:
    """Asks a pod of stable: what is prepared is prepared for every variant, and a candidate's pods, which are being
    measured, are spared. Nothing here is anybody's evidence."""

    def __init__(self, runtimes: Answerer, stable_variant: Callable[[], str], rule: VideoRule) -> None:
        self._runtimes = runtimes
        self._stable_variant = stable_variant
        self._rule = rule

    def check(self) -> None:
        """Raises RequestRefusedError (404) where no videos are taken."""
        if self._rule.access is VideoAccess.OFF:
            message = "videos are not prepared ahead here; ask about the video, or have --videos switched on"
            raise RequestRefusedError(404, message, code="videos_off")

    async def send(self, sent: VideosSent, to: RuntimeExchange, speaker: Speaker) -> Response:
        """The records of videos that are queued now (202), or why they are not."""
        return await self._ask(to, sent.body, speaker, 202)

    async def find(self, video_id: str, speaker: Speaker) -> Response:
        """The record of a video (200); 404 for those of others, as for those of nobody."""
        check_id(video_id)
        return await self._ask(RuntimeExchange("GET", f"/v1/videos/{video_id}", read_record), b"", speaker, 200)

    async def _ask(self, exchange: RuntimeExchange, body: bytes, speaker: Speaker, status: int) -> Response:
        headers = {"content-type": JSON, **self._owner(speaker)}
        ends = time.monotonic() + self._rule.seconds
        variant = self._stable_variant()
        call = Call(variant, Arm.STABLE, body, headers, speaker.party(speaker.user), ends=ends, exchange=exchange)
        match await self._runtimes.ask(call):
            case VariantAnswer(body=content, document=document):
                shown = content if self._rule.shows_variants else json.dumps(_anonymous(document))
                return Response(shown, status, media_type=JSON)
            case VariantRefusal() as refusal:
                plain = told(refusal, body, () if self._rule.shows_variants else (variant,))
                return _error(plain.status, plain.message, plain.code)
            case VariantFailure(fault=fault):
                failed, code = failure_kind(fault)
                return _error(failed, f"no runtime answered ({code}); try again in {RETRY_SECONDS} s", code)

    def _owner(self, speaker: Speaker) -> dict[str, str]:
        """Nobody is told from others where all see all."""
        return {} if self._rule.access is VideoAccess.SHARED else {Header.OWNER: speaker.owner()}


def _anonymous(document: dict[str, Any]) -> dict[str, Any]:
    """One record, or a list of them, without the variants' names, which tell of candidates."""
    kept = {key: value for key, value in document.items() if key != "variants"}
    if isinstance(records := kept.get("data"), list):
        kept["data"] = [_anonymous(record) if isinstance(record, dict) else record for record in records]
    return kept


def _error(status: int, message: str, code: str) -> Response:
    """What may pass says when to come back."""
    response = error_response(status, message, code)
    if status >= 500:
        response.headers["retry-after"] = str(RETRY_SECONDS)
    return response

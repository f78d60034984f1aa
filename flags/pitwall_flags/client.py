"""The operator's client of the flag service: writes in order, each applied once."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from pitwall_crds.host.backoff import Backoff
from pitwall_crds.host.http.unpacked import UNPACKED, packing
from pitwall_crds.host.printable import printable, shortened
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.record import LONGEST_ACTOR, LONGEST_REASON, FlagRecord, Newer

__all__ = ["FlagClient", "FlagConflictError", "FlagRecord", "FlagRejectedError", "FlagsUnreachableError"]

ATTEMPTS: Final = 4
BACKOFF: Final = Backoff(first_seconds=0.1, longest_seconds=0.4)
JOURNAL_LINES: Final = 4
"""Lines in one request: a block of sixteen gates has some 20 kB, a request may have 128."""
LONGEST_TEXT: Final = 2048
"""Characters of one text in such a line, which may quote whatever somebody else said."""
WHOLE_TIMEOUTS: Final = 4
"""A whole exchange may take so many times as long as a silence of the service: an answer may come in drops."""
PAGE_FLAGS: Final = 1000
"""Of one page; a service that knows no pages sends all."""
MOST_BYTES: Final = 256 << 20
"""Of one answer: a hundred thousand flags have some 200 MB, where they come in one."""
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})


def trusting(authority: Path | None) -> ssl.SSLContext:
    """What trusts the certificates that this authority signed, or the system's authorities. Raises OSError."""
    return ssl.create_default_context(cafile=str(authority) if authority else None)


class FlagClient:
    """The admin API. One write at a time: a retried write is never overtaken by a later one."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout_seconds: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        authority: Path | None = None,
    ) -> None:
        """`authority` is the PEM of who signed the service's certificate; none: the system's."""
        headers = {**UNPACKED, **({"Authorization": f"Bearer {token}"} if token else {})}
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout_seconds, trust_env=False, transport=transport,
            verify=trusting(authority),
        )  # fmt: skip
        self._writing = asyncio.Lock()
        self._journaling = asyncio.Semaphore(4)
        self._url = url
        self._whole_seconds = WHOLE_TIMEOUTS * timeout_seconds

    async def get(self, key: str) -> FlagRecord | None:
        """The flag, or None when there is none. Raises FlagsUnreachableError or FlagRejectedError."""
        response = await self._send("GET", _path(key))
        return None if response.status_code == 404 else _record(response)

    async def list(self) -> tuple[FlagRecord, ...]:
        """All flags. Raises FlagsUnreachableError or FlagRejectedError."""
        return (await self.contents()).records

    async def contents(self) -> Newer:
        """All flags at one revision. Raises FlagsUnreachableError or FlagRejectedError."""
        page = await self.page("")
        if not page.more:
            return Newer(page.records, {}, page.revision)
        base, found = page.revision, {record.key: record for record in page.records}
        while page.more:
            page = await self.page(page.last)
            found |= {record.key: record for record in page.records}
        since = await self.newer(base)  # what was written while the pages were read
        found |= {record.key: record for record in since.records}
        return Newer(tuple(record for key, record in found.items() if key not in since.gone), {}, since.revision)

    async def page(self, after: str) -> Newer:
        """Flags that follow this key, and whether there are more. Raises FlagsUnreachableError or FlagRejectedError."""
        return _newer(await self._send("GET", f"/v1/flags?{urlencode({'after': after, 'limit': PAGE_FLAGS})}"))

    async def newer(self, revision: int) -> Newer:
        """What changed after this revision. Raises FlagsUnreachableError or FlagRejectedError."""
        records: dict[str, FlagRecord] = {}
        gone: dict[str, int] = {}
        more = True
        while more:
            page = _newer(await self._send("GET", f"/v1/flags?changedAfter={revision}&limit={PAGE_FLAGS}"))
            for record in page.records:
                records[record.key] = record
                gone.pop(record.key, None)
            for key, version in page.gone.items():
                gone[key] = version
                records.pop(key, None)
            more, revision = page.more and page.revision > revision, page.revision
        return Newer(tuple(records.values()), gone, revision)

    async def put(
        self, key: str, document: Mapping[str, Any], *, expected_version: int | None, actor: str, reason: str
    ) -> FlagRecord:
        """Write the flag if it is at this version (None: if there is none). Raises FlagConflictError and the others."""
        seen = {"If-None-Match": "*"} if expected_version is None else {"If-Match": f'"{expected_version}"'}
        body = {"document": document, **_said(actor, reason)}
        async with self._writing:
            response = await self._send("PUT", _path(key), body, {**seen, "Idempotency-Key": uuid.uuid4().hex})
        return _record(response)

    async def delete(self, key: str, *, expected_version: int, actor: str, reason: str) -> None:
        """Remove the flag if at this version. Raises FlagConflictError, or FlagRejectedError while it is killed."""
        seen = {"If-Match": f'"{expected_version}"', "Idempotency-Key": uuid.uuid4().hex}
        path = f"{_path(key)}?{urlencode(_said(actor, reason))}"
        async with self._writing:
            _body(await self._send("DELETE", path, headers=seen))

    async def kill(self, key: str, *, actor: str, reason: str) -> FlagRecord:
        """Give everybody the default variant until released. Raises FlagsUnreachableError or FlagRejectedError."""
        return await self._switch(f"{_path(key)}/kill", actor, reason)

    async def release(self, key: str, *, actor: str, reason: str) -> FlagRecord:
        """End a kill. Raises FlagsUnreachableError or FlagRejectedError."""
        return await self._switch(f"{_path(key)}/release", actor, reason)

    async def append_journal(self, namespace: str, rollout: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add to a rollout's decision record. Raises FlagsUnreachableError, FlagConflictError or FlagRejectedError."""
        for start in range(0, len(lines), JOURNAL_LINES):
            body = {"lines": [_bounded(line) for line in lines[start : start + JOURNAL_LINES]]}
            path, once = _journal_path(namespace, rollout), {"Idempotency-Key": uuid.uuid4().hex}
            async with self._journaling:
                _body(await self._send("POST", path, body, once))

    async def read_journal(self, namespace: str, rollout: str) -> AsyncIterator[Mapping[str, Any]]:
        """A rollout's decision record, oldest line first. Raises FlagsUnreachableError or FlagRejectedError."""
        last, more = 0, True
        while more:
            page = _body(await self._send("GET", f"{_journal_path(namespace, rollout)}?after={last}"))
            for line in page["lines"]:
                yield line
            last, more = page["last"], page["more"]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _switch(self, path: str, actor: str, reason: str) -> FlagRecord:
        body, once = _said(actor, reason), {"Idempotency-Key": uuid.uuid4().hex}
        async with self._writing:
            return _record(await self._send("POST", path, body, once))

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The answer, asked for up to ATTEMPTS times; the idempotency key makes a repeated write harmless."""
        trouble = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(BACKOFF.seconds(attempt))
            try:
                response = await self._exchange(method, path, body, headers)
            except TimeoutError:
                trouble = f"no whole answer came within {self._whole_seconds:g} s"
                continue
            except httpx.HTTPError as error:
                trouble = f"{type(error).__name__} {error}".strip()
                continue
            if response.status_code not in _TRY_AGAIN:
                return response
            trouble = f"status {response.status_code}: {_words(response)}"
        raise FlagsUnreachableError(
            f"{method} {self._url}{path} failed {ATTEMPTS} times ({trouble}); is the flag service up?"
        )

    async def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> httpx.Response:
        """Status and body. Raises TimeoutError, httpx.HTTPError, and FlagRejectedError where there is too much."""
        content = bytearray()
        async with (
            asyncio.timeout(self._whole_seconds),
            self._http.stream(method, path, json=body, headers=headers) as response,
        ):
            if packed := packing(response.headers):
                raise FlagRejectedError(f"{method} {path}: the answer is packed as {packed}, which nobody asked for")
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MOST_BYTES:
                    raise FlagRejectedError(f"{method} {path}: the answer is longer than {MOST_BYTES} bytes")
        return httpx.Response(response.status_code, content=bytes(content))


def _said(actor: str, reason: str) -> dict[str, str]:
    """Who asks and why, as much of it as the service takes: no write is ever refused for its words."""
    return {
        "actor": shortened(printable(actor), LONGEST_ACTOR) or "somebody",
        "reason": shortened(printable(reason), LONGEST_REASON) or "no reason was given",
    }


def _bounded(value: Any) -> Any:
    """A line of a record with no text in it that could have the whole line refused."""
    match value:
        case str():
            return shortened(value, LONGEST_TEXT)
        case Mapping():
            return {name: _bounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_bounded(each) for each in value]
    return value


def _path(key: str) -> str:
    return f"/v1/flags/{quote(key, safe='')}"


def _journal_path(namespace: str, rollout: str) -> str:
    return f"/v1/journal/{quote(namespace, safe='')}/{quote(rollout, safe='')}"


def _record(response: httpx.Response) -> FlagRecord:
    return _read_record(_body(response))


def _body(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == 412:
        raise FlagConflictError(_words(response))
    if not response.is_success:
        raise FlagRejectedError(f"{response.status_code}: {_words(response)}")
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise FlagRejectedError(f"{response.status_code}: {_words(response)}; is this the flag service?")
    return body


def _newer(response: httpx.Response) -> Newer:
    body = _body(response)
    gone = {flag["key"]: flag["version"] for flag in body.get("gone", ())}
    records = tuple(_read_record(flag) for flag in body["flags"])
    return Newer(records, gone, body["revision"], body.get("more", False), body.get("last", ""))


def _read_record(body: Mapping[str, Any]) -> FlagRecord:
    return FlagRecord(body["key"], body["document"], body["version"], body["killed"])


def _words(response: httpx.Response) -> str:
    """What the service said, in words."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:500]
    return str(body.get("error") or body.get("detail") or body)[:1000] if isinstance(body, dict) else str(body)[:500]

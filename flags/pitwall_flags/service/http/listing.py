"""Lists flags over HTTP: a page, what changed, or all of them, which are read and sent page by page.

An answer is put together of the text that the database holds, so it costs little time of the loop that all share.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from pitwall_flags.service.auth import Roots, covers
from pitwall_flags.service.fairness.reading_turns import turns_of
from pitwall_flags.storage.listing import MOST_FLAGS, FlagPage
from pitwall_flags.storage.store import FlagStore

Revision = Annotated[int | None, Query(ge=0, le=2**53, alias="changedAfter", description="Only what changed since.")]
After = Annotated[str | None, Query(max_length=254, description="Only flags that follow this key: `last` of a page.")]
Limit = Annotated[
    int | None,
    Query(ge=1, le=MOST_FLAGS, description="Flags (or changes) of a page. Without `after` and `limit`, all in one."),
]
_JSON = "application/json"


async def listing(request: Request, changed_after: int | None, after: str | None, limit: int | None) -> Response:
    """A page, or all pages. The first one is read before the answer begins, so that a fault is told."""
    if limit is not None or after is not None:
        page = await _page(request, changed_after, after or "", limit or MOST_FLAGS)
        return Response(_page_text(request.state.roots, page, changed_after), media_type=_JSON)
    sending = turns_of(request).sending(request)
    await sending.acquire()
    try:
        first = await _page(request, changed_after, "", MOST_FLAGS)
    except BaseException:
        sending.release()
        raise
    parts = _all(request, first, changed_after)
    if first.more:
        return _Sent(parts, sending.release)
    sending.release()
    return Response("".join([part async for part in parts]), media_type=_JSON)


class _Sent(StreamingResponse):
    """A stream that says when it is over, however it ends."""

    def __init__(self, parts: AsyncIterator[str], over: Callable[[], None]) -> None:
        super().__init__(parts, media_type=_JSON)
        self._over = over

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


async def _all(request: Request, first: FlagPage, changed_after: int | None) -> AsyncIterator[str]:
    """All pages as one answer. Flags are as new as its revision or newer: what was written meanwhile is told to whoever
    asks what changed since."""
    page, roots, gone = first, request.state.roots, dict(first.gone)
    yield '{"flags":['
    comma = ""
    while True:
        if shown := _flags_text(roots, page):
            yield comma + shown
            comma = ","
        if not page.more:
            break
        page = await _page(request, None if changed_after is None else page.revision, page.last, MOST_FLAGS)
        gone |= page.gone
    if changed_after is None:
        yield f'],"revision":{first.revision}}}'
    else:
        yield f'],"gone":{_gone_text(roots, gone)},"revision":{page.revision}}}'


async def _page(request: Request, changed_after: int | None, after: str, limit: int) -> FlagPage:
    store: FlagStore = request.app.state.store
    roots: Roots = request.state.roots
    async with turns_of(request).page(request):
        if changed_after is None:
            return await store.page(after, limit, roots)
        return await store.changed_page(changed_after, limit, roots)


def _page_text(roots: Roots, page: FlagPage, changed_after: int | None) -> str:
    flags, more = _flags_text(roots, page), json.dumps(page.more)
    known = f'"last":{json.dumps(page.last)}' if changed_after is None else f'"gone":{_gone_text(roots, page.gone)}'
    return f'{{"flags":[{flags}],{known},"more":{more},"revision":{page.revision}}}'


def _flags_text(roots: Roots, page: FlagPage) -> str:
    return ",".join(
        f'{{"key":{json.dumps(flag.key)},"version":{flag.version},"killed":{json.dumps(flag.killed)},'
        f'"document":{flag.document}}}'
        for flag in page.flags
        if covers(roots, flag.key)
    )


def _gone_text(roots: Roots, gone: Mapping[str, int]) -> str:
    return json.dumps([{"key": key, "version": version} for key, version in gone.items() if covers(roots, key)])

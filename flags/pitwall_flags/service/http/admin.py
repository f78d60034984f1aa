"""The admin API: operators and people write flags over HTTP, and every change is audited."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import Field

from pitwall_crds.names import FLAG_KEY
from pitwall_flags.errors import FullError, KilledFlagError, ProblemError, UnknownFlagError, VersionConflictError
from pitwall_flags.flag import check
from pitwall_flags.flag.compare import differences
from pitwall_flags.flag.document import OWNER, metadata_of
from pitwall_flags.flag.record import LONGEST_ACTOR, LONGEST_REASON, Change, FlagRecord, Intent
from pitwall_flags.service.auth import ALL_FLAGS, Roots, TokenScope
from pitwall_flags.service.fairness.costly import costly_of
from pitwall_flags.service.fairness.reading_turns import turns_of
from pitwall_flags.service.http.answer import AsciiJson, Sent, StrictRoute, documented, etags_of, may
from pitwall_flags.service.http.listing import After, Limit, Revision, listing
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage.store import FlagStore

router = APIRouter(
    prefix="/v1/flags", tags=["admin"], responses=documented(400, 401, 403, 413, 422, 429, 503),
    route_class=StrictRoute, default_response_class=AsciiJson,
)  # fmt: skip

Key = Annotated[str, Path(pattern=FLAG_KEY, max_length=254, description="Flag key.")]
IdempotencyKey = Annotated[
    str, Header(max_length=64, description="A request with the same key is applied once; 422 for another.")
]
Version = Annotated[int, Query(ge=1, le=2_147_483_647)]
_reader = Depends(may(TokenScope.WRITE, TokenScope.KILL))
"""Whoever only evaluates needs no documents, and nobody's reasons for changing them."""
_writer = Depends(may(TokenScope.WRITE))
_killer = Depends(may(TokenScope.KILL))


class Reasoned(Sent):
    """Who asks, and why; both are kept for ever."""

    actor: Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)]
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class Put(Reasoned):
    """A flag definition in flagd's format, who writes it, and why."""

    document: dict[str, Any]


@router.get("", dependencies=[_reader])
async def list_flags(
    request: Request, changed_after: Revision = None, after: After = None, limit: Limit = None
) -> Response:
    """All flags at one revision, or only what changed after an earlier one: flags as they are now, and those gone.

    With `after` or `limit` a page of them, by key or in order of their changes. While there is `more`, ask again with
    `after` = its `last`, or `changedAfter` = its `revision`. A page holds 1 000 flags at most, and 512 KiB of
    documents.
    """
    return await listing(request, changed_after, after, limit)


@router.get("/{key}", dependencies=[_reader], responses=documented(404))
async def get_flag(request: Request, key: Key) -> Response:
    """One flag; the ETag is its version."""
    async with turns_of(request).one(request):
        record = await _store(request).get(key)
    if record is None:
        raise ProblemError(404, str(UnknownFlagError(key)))
    return _answer(record)


@router.put("/{key}", dependencies=[_writer], responses={201: {"description": "Created"}, **documented(412, 428, 507)})
async def put_flag(
    request: Request,
    key: Key,
    body: Put,
    if_match: Annotated[str, Header(description="ETag of the version that the writer has seen.")] = "",
    if_none_match: Annotated[str, Header(description="`*`: only if there is no such flag yet.")] = "",
    idempotency_key: IdempotencyKey = "",
) -> Response:
    """Write a flag. If-Match (or If-None-Match: *) is required, so that no change is lost."""
    expected = _expected(if_match, if_none_match)
    intent = _intent(request, body, idempotency_key)
    async with costly_of(request).writes.turn(request.state.holder, request.state.roots):
        await _refuse_early(request, key, body.document, expected, intent)
        await _check(request, body.document)
        try:
            record = await _store(request).put(key, body.document, expected_version=expected, intent=intent)
        except VersionConflictError as conflict:
            raise _conflict(conflict) from conflict
        except FullError as full:
            raise ProblemError(507, str(full)) from full
        await _publisher(request).refresh()
    return _answer(record, created=expected is None)


@router.delete("/{key}", dependencies=[_writer], responses=documented(409, 412, 428))
async def delete_flag(
    request: Request,
    key: Key,
    who: Annotated[Reasoned, Query()],
    if_match: Annotated[str, Header(description="ETag of the version that the writer has seen.")] = "",
    idempotency_key: IdempotencyKey = "",
) -> dict[str, Any]:
    """Remove a flag: evaluators get the caller's default. The history stays. 409 while the flag is killed."""
    expected = _version(if_match, 'send If-Match: "<version>" of the flag you read')
    intent = _intent(request, who, idempotency_key)
    async with costly_of(request).writes.turn(request.state.holder, request.state.roots):
        try:
            change = await _store(request).delete(key, expected_version=expected, intent=intent)
        except VersionConflictError as conflict:
            raise _conflict(conflict) from conflict
        except KilledFlagError as error:
            raise ProblemError(409, str(error)) from error
        await _publisher(request).refresh()
    return {"key": key, **_shown_change(change)}


@router.get("/{key}/history", dependencies=[_reader], responses=documented(404))
async def history(
    request: Request,
    key: Key,
    before_version: Version | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The flag's changes, newest first: who, when, why, before, after. A page holds 1 MiB of documents, or one change;
    while there is `more`, ask again with `before_version` = the last one's version."""
    async with turns_of(request).page(request):
        changes = await _store(request).history(key, before_version=before_version, limit=limit)
    if not changes and before_version is None:
        raise ProblemError(404, str(UnknownFlagError(key)))
    more = bool(changes) and changes[-1].version > 1
    shown = {"key": key, "changes": [_shown_change(change) for change in changes], "more": more}
    return Response(json.dumps(shown), media_type="application/json")  # the framework's own way takes 0.1 s for 1 MiB


@router.get("/{key}/diff", dependencies=[_reader], responses=documented(404))
async def diff(
    request: Request,
    key: Key,
    older: Annotated[Version, Query(alias="from")],
    newer: Annotated[Version, Query(alias="to")],
) -> dict[str, Any]:
    """What evaluators got differently between two versions: path, before, after."""
    async with turns_of(request).one(request):
        before, after = [await _store(request).change(key, version) for version in (older, newer)]
    if before is None or after is None:
        raise ProblemError(404, f"flag {key!r} has no version {older if before is None else newer}; see its history")
    if before.forgotten or after.forgotten:
        version = older if before.forgotten else newer
        raise ProblemError(404, f"the document of version {version} of flag {key!r} is no longer kept; see its history")
    return {"key": key, "from": older, "to": newer, "differences": differences(before.after, after.after)}


@router.post("/{key}/kill", dependencies=[_killer], responses=documented(404))
async def kill(request: Request, key: Key, body: Reasoned, idempotency_key: IdempotencyKey = "") -> Response:
    """Everybody gets the default variant and no copies are made until released, whatever is written meanwhile."""
    return await _switch(request, key, _intent(request, body, idempotency_key), killed=True)


@router.post("/{key}/release", dependencies=[_killer], responses=documented(404))
async def release(request: Request, key: Key, body: Reasoned, idempotency_key: IdempotencyKey = "") -> Response:
    """End a kill: what was written last applies again. A kill left a split at rest, so nobody is exposed anew."""
    return await _switch(request, key, _intent(request, body, idempotency_key), killed=False)


async def _switch(request: Request, key: str, intent: Intent, *, killed: bool) -> Response:
    async with costly_of(request).kills.turn(request.state.holder, request.state.roots):
        try:
            record = await _store(request).kill(key, killed=killed, intent=intent)
        except UnknownFlagError as error:
            raise ProblemError(404, str(error)) from error
        await _publisher(request).refresh()
    return _answer(record)


def _intent(request: Request, said: Reasoned, idempotency_key: str) -> Intent:
    """What is asked, and whose bounds it counts against."""
    roots: Roots = request.state.roots
    writer = "" if roots == ALL_FLAGS else hashlib.sha256(" ".join(sorted(roots)).encode()).hexdigest()
    return Intent(said.actor, said.reason, idempotency_key, writer)


async def _refuse_early(
    request: Request, key: str, document: dict[str, Any], expected: int | None, intent: Intent
) -> None:
    """Raise ProblemError for what needs no look into the document: another version than the writer has seen, and a
    flag set's writer who says whose Rollout its flag is, which it does not say so already: the operator acts on it, on
    pods too."""
    known = await _store(request).get(key)
    actual = known.version if known else None
    if actual != expected and not await _store(request).was_asked(key, intent.request_id):
        raise _conflict(VersionConflictError(key, expected, actual))
    mark = metadata_of(document).get(OWNER)
    if mark is None or request.state.roots == ALL_FLAGS:
        return
    if known is None or metadata_of(known.document).get(OWNER) != mark:
        words = f"metadata {OWNER} says which Rollout moves a flag; {str(mark)[:130]!r} is not what {key!r} says"
        raise ProblemError(403, f"{words}: only the service's own write token may set it, so leave it out")


async def _check(request: Request, document: dict[str, Any]) -> None:
    """Raise ProblemError where evaluators could not use the document. What Pitwall wrote waits for nobody's check."""
    if check.is_written_by_us(document):
        return
    found = await costly_of(request).in_thread(request.state.roots, lambda: check.problems(document))
    if found:
        raise ProblemError(422, "; ".join(found))


def _expected(if_match: str, if_none_match: str) -> int | None:
    if if_none_match.strip() == "*" and not if_match:
        return None
    remedy = 'send If-Match: "<version>" of the flag you read, or If-None-Match: * for a new flag'
    return _version("" if if_none_match else if_match, remedy)


def _version(if_match: str, remedy: str) -> int:
    if not if_match:
        raise ProblemError(428, remedy)
    text = etags_of(if_match)[0].strip('"') if "," not in if_match else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ProblemError(400, f"If-Match must be a version number in quotes, not {if_match[:64]!r}")
    return int(text)


def _conflict(conflict: VersionConflictError) -> ProblemError:
    return ProblemError(412, str(conflict), {"ETag": f'"{conflict.actual}"'} if conflict.actual else None)


def _answer(record: FlagRecord, *, created: bool = False) -> Response:
    return AsciiJson(_shown(record), 201 if created else 200, {"ETag": f'"{record.version}"'})


def _shown(record: FlagRecord) -> dict[str, Any]:
    return {"key": record.key, "version": record.version, "killed": record.killed, "document": dict(record.document)}


def _shown_change(change: Change) -> dict[str, Any]:
    return {
        "revision": change.revision, "version": change.version, "action": change.action.value, "actor": change.actor,
        "reason": change.reason, "atMs": change.at_ms, "before": change.before, "after": change.after,
        "forgotten": change.forgotten,
    }  # fmt: skip


def _store(request: Request) -> FlagStore:
    store: FlagStore = request.app.state.store
    return store


def _publisher(request: Request) -> Publisher:
    publisher: Publisher = request.app.state.publisher
    return publisher

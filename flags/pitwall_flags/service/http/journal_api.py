"""The operator's decision records over HTTP: lines are appended in order and read page by page."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import Field

from pitwall_crds.resource import DNS_LABEL
from pitwall_flags.errors import JournalConflictError, ProblemError
from pitwall_flags.service.auth import TokenScope
from pitwall_flags.service.http.answer import AsciiJson, Sent, StrictRoute, documented, may
from pitwall_flags.storage.journal import Journal

router = APIRouter(
    prefix="/v1/journal", tags=["journal"], responses=documented(400, 401, 403, 413, 422, 429, 503),
    route_class=StrictRoute, default_response_class=AsciiJson,
)  # fmt: skip

Name = Annotated[str, Path(pattern=DNS_LABEL, min_length=1, max_length=63)]
MOST_LINES = 256
_writer = Depends(may(TokenScope.WRITE, everywhere=True))
_reader = Depends(may(TokenScope.WRITE, TokenScope.KILL, everywhere=True))


class Lines(Sent):
    """Lines of one rollout's record, oldest first."""

    lines: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=MOST_LINES)]


@router.post("/{namespace}/{rollout}", dependencies=[_writer], responses=documented(409))
async def append_lines(
    request: Request,
    namespace: Name,
    rollout: Name,
    body: Lines,
    idempotency_key: Annotated[
        str,
        Header(
            min_length=1, max_length=64, description="A request with the same key is applied once; 422 for another."
        ),
    ],
) -> dict[str, int]:
    """Add lines to the end; nothing is ever changed. Answers with the number of the last line."""
    try:
        last = await _journal(request).append(f"{namespace}/{rollout}", body.lines, idempotency_key)
    except JournalConflictError as conflict:
        raise ProblemError(409, str(conflict)) from conflict
    return {"last": last}


@router.get("/{namespace}/{rollout}", dependencies=[_reader])
async def read_lines(
    request: Request,
    namespace: Name,
    rollout: Name,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> dict[str, Any]:
    """Lines after the one of this number; `more` says whether to ask again with `after` = `last`."""
    page = await _journal(request).read(f"{namespace}/{rollout}", after=after, limit=limit)
    return {"lines": page.lines, "last": page.last, "more": page.more}


def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal

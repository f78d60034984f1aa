"""The service's HTTP application within this process, over a database of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pitwall_flags.service.app import build_app
from pitwall_flags.service.auth import AccessTokens, TokenScope
from pitwall_flags.service.publish import Publisher
from pitwall_flags.storage.store import FlagStore

TOKENS = AccessTokens.from_environment(
    {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": f"{scope}-token-of-the-tests" for scope in TokenScope}
)
WHY = {"actor": "kim", "reason": "by hand"}


class FlagsDesk:
    """The application over a database of its own, and a client of it."""

    def __init__(self, store: FlagStore, tokens: AccessTokens, origins: tuple[str, ...] = ()) -> None:
        self.store, self.tokens = store, tokens
        self.publisher = Publisher(store, "tests")
        self.app = build_app(store, self.publisher, tokens, cors_origins=origins)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://flags")

    def beside(self, origins: tuple[str, ...] = ()) -> "FlagsDesk":
        """Another one over the same database, which has not read its flags yet."""
        return FlagsDesk(self.store, self.tokens, origins)

    async def put(self, key: str, document: Any, version: int | None = None, **headers: str) -> httpx.Response:
        seen = {"If-None-Match": "*"} if version is None else {"If-Match": f'"{version}"'}
        return await self.http.put(f"/v1/flags/{key}", json={"document": document, **WHY}, headers={**seen, **headers})


async def opened(folder: Path, tokens: AccessTokens) -> AsyncIterator[FlagsDesk]:
    store = await FlagStore.open(f"sqlite+aiosqlite:///{folder}/flags.db")
    desk = FlagsDesk(store, tokens)
    await desk.publisher.refresh()
    yield desk
    await desk.http.aclose()
    await store.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[FlagsDesk]:
    """An application that asks for no token."""
    async for desk in opened(tmp_path, AccessTokens()):
        yield desk


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[FlagsDesk]:
    """An application that asks for a token of each scope."""
    async for desk in opened(tmp_path, TOKENS):
        yield desk


@pytest.fixture
async def desk_for(tmp_path: Path) -> AsyncIterator[Callable[[AccessTokens], Awaitable[FlagsDesk]]]:
    """Opens an application that asks for these tokens."""
    async with AsyncExitStack() as stack:
        yield lambda tokens: stack.enter_async_context(asynccontextmanager(opened)(tmp_path, tokens))

"""Reading many flags: page by page, each token for itself, and of a flag set's token nothing but its own flags."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from pitwall_flags.service.auth import AccessTokens, TokenScope
from pitwall_flags.service.fairness.reading_turns import OF_ALL_SETS, OF_ONE_TOKEN
from pitwall_flags.storage import listing

pytestmark = pytest.mark.slow
WHOLE = {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": f"whole-{scope}-0123456789" for scope in TokenScope}
TEAMS = ("shop", "evil")
KEYS = ("evil.a", "evil.b", "shop.a", "shop.b", "shop.c", "shopping")


@pytest.fixture
async def teams(tmp_path, desk_for, split):
    """A service in which two teams have flags, and others; `nobody` is a set that has none."""
    sets = tmp_path / "sets.json"
    named = {team: {"flags": [f"{team}."], "kill": f"{team}-kill-0123456789"} for team in (*TEAMS, "nobody")}
    sets.write_text(json.dumps(named))
    desk = await desk_for(AccessTokens.from_environment(WHOLE, [sets]))
    for key in KEYS:
        created = await desk.put(key, split(0), **_as("whole-write"))
        assert created.status_code == 201, created.text
    return desk


def _as(whose: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {whose}-0123456789"}


async def _list(desk: Any, whose: str, **asked: object) -> dict[str, object]:
    answer = await desk.http.get("/v1/flags", params=asked, headers=_as(whose))
    assert answer.status_code == 200, answer.text
    return answer.json()


def _keys(page: dict[str, object]) -> list[str]:
    return [flag["key"] for flag in page["flags"]]


async def test_pages_hold_every_flag_once_and_the_unpaged_form_is_as_it_was(teams):
    found, after, pages = [], "", 0
    while True:
        page = await _list(teams, "whole-write", after=after, limit=4)
        found += page["flags"]
        after, pages = page["last"], pages + 1
        if not page["more"]:
            break

    whole = await _list(teams, "whole-write")
    assert ([flag["key"] for flag in found], pages, page["revision"]) == (list(KEYS), 2, len(KEYS))
    assert whole == {"revision": len(KEYS), "flags": found}
    assert found[0] == (await teams.http.get("/v1/flags/evil.a", headers=_as("whole-kill"))).json()
    assert (await _list(teams, "whole-write", after="zzz"))["flags"] == []


async def test_the_unpaged_form_is_read_page_by_page_whatever_there_is(teams, monkeypatch):
    monkeypatch.setattr(listing, "LISTED_BYTES", 1)  # each flag is a page

    whole = await _list(teams, "whole-write")
    changed = await _list(teams, "whole-write", changedAfter=1)

    assert (_keys(whole), whole["revision"]) == (list(KEYS), len(KEYS))
    assert (_keys(changed), changed["gone"], changed["revision"]) == (list(KEYS[1:]), [], len(KEYS))


async def test_what_changed_comes_in_pages_too_with_what_is_gone(teams, split):
    gone = await teams.http.delete(
        "/v1/flags/shop.a?actor=kim&reason=over", headers={"If-Match": '"1"', **_as("whole-write")}
    )
    assert gone.status_code == 200
    assert (await teams.put("evil.b", split(100), 1, **_as("whole-write"))).status_code == 200

    after, pages = 0, []
    while not pages or pages[-1]["more"]:
        pages.append(await _list(teams, "whole-write", changedAfter=after, limit=3))
        after = pages[-1]["revision"]

    assert [_keys(page) for page in pages] == [["evil.a", "evil.b"], ["shop.b", "shop.c", "shopping"], ["evil.b"]]
    assert [page["gone"] for page in pages] == [
        [{"key": "shop.a", "version": 1}], [], [{"key": "shop.a", "version": 2}],
    ]  # fmt: skip
    assert after == len(KEYS) + 2


async def test_a_page_holds_so_many_bytes_and_one_flag_at_least(teams, monkeypatch):
    size = len(json.dumps((await _list(teams, "whole-write"))["flags"][0]["document"], separators=(",", ":")))
    for bound, held in ((3 * size, 3), (3 * size - 1, 2), (1, 1)):
        monkeypatch.setattr(listing, "LISTED_BYTES", bound)
        page = await _list(teams, "whole-write", limit=1000)
        assert (len(page["flags"]), page["more"]) == (held, True)


@pytest.mark.parametrize("asked", [{}, {"limit": 10}, {"changedAfter": 0}, {"changedAfter": 0, "limit": 10}])
async def test_of_a_flag_sets_token_only_its_own_flags_are_read_from_the_database(teams, asked, monkeypatch):
    read: list[str] = []
    texts = listing._text_of
    monkeypatch.setattr(listing, "_text_of", lambda row: read.append(row.key) or texts(row))

    assert _keys(await _list(teams, "shop-kill", **asked)) == read == ["shop.a", "shop.b", "shop.c"]
    read.clear()
    assert _keys(await _list(teams, "nobody-kill", **asked)) == read == []


async def test_whoever_lists_on_many_connections_waits_for_itself_and_the_operator_for_nobody(teams, monkeypatch):
    """All places of two flag sets' tokens are taken, and go on being so: the operator reads all the same."""
    all_at_work, goes_on, at_work = asyncio.Event(), asyncio.Event(), []
    page_of_flags = listing.page_of_flags

    async def slow_for_sets(connection, after, limit, roots):
        if roots != {""}:
            at_work.append(roots)
            if len(at_work) == OF_ALL_SETS:
                all_at_work.set()
            await goes_on.wait()
        return await page_of_flags(connection, after, limit, roots)

    monkeypatch.setattr("pitwall_flags.storage.store.page_of_flags", slow_for_sets)
    many = [asyncio.create_task(_list(teams, f"{team}-kill")) for team in TEAMS for _ in range(10)]
    await asyncio.wait_for(all_at_work.wait(), 30)

    for asked in ({}, {"limit": 1000}):
        assert _keys(await _list(teams, "whole-write", **asked))[-1] == "shopping"
    assert len(at_work) == OF_ALL_SETS
    goes_on.set()
    await asyncio.gather(*many)
    assert len(at_work) == len(many)


async def test_who_leaves_in_the_middle_of_an_answer_gives_its_turn_back(teams, monkeypatch):
    monkeypatch.setattr(listing, "LISTED_BYTES", 1)

    async def gone(_message):
        raise OSError("the client left")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = httpx.Request("GET", "http://flags/v1/flags", headers=_as("whole-write"))
    for _ in range(2 * OF_ONE_TOKEN):
        with pytest.raises(Exception, match="response already started"):
            await teams.app(_scope(scope), receive, gone)

    assert _keys(await asyncio.wait_for(_list(teams, "whole-write"), 30)) == list(KEYS)


def _scope(request: httpx.Request) -> dict[str, object]:
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": request.url.path, "raw_path": request.url.raw_path, "query_string": b"",
        "headers": request.headers.raw, "server": ("flags", 80), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"after": "x" * 255}, {"changedAfter": -1}]
)
async def test_a_page_that_nobody_may_ask_for_is_refused_in_words(teams, asked):
    answer = await teams.http.get("/v1/flags", params=asked, headers=_as("whole-write"))
    assert (answer.status_code, next(iter(asked)) in answer.json()["error"]) == (422, True)

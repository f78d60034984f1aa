"""What takes long: one token's is never everybody's wait."""

import asyncio
import hashlib
import threading
from itertools import islice

import pytest

from pitwall_flags.errors import ProblemError
from pitwall_flags.flag.document import shadow_document
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, FlagSetTokens, TokenScope
from pitwall_flags.service.costly import WAITING_EVALUATIONS, WAITING_WRITES, CostlyTurns
from pitwall_flags.service.turns import OF_ALL_SETS

WHY = {"actor": "kim", "reason": "a test"}
OTHERS = {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"}
TEAMS = ("shop", "film")
NEW = {"If-None-Match": "*"}


def _tokens(whose):
    return {scope: hashlib.sha256(f"{whose}-{scope}".encode()).digest() for scope in TokenScope}


def _as(whose, scope):
    return {"Authorization": f"Bearer {whose}-{scope}"}


@pytest.fixture
async def teams(desk_for):
    sets = tuple(FlagSetTokens(frozenset({f"{team}."}), _tokens(team)) for team in TEAMS)
    return await desk_for(AccessTokens(_tokens("ours"), sets))


def _put(teams, whose, key, document, **headers):
    return teams.put(key, document, **headers, **_as(whose, "write"))


def _kill(teams, whose, key):
    return teams.http.post(f"/v1/flags/{key}/kill", json=WHY, headers=_as(whose, "kill"))


async def test_checks_of_one_token_hold_up_no_split_no_kill_and_no_evaluation(teams):
    """A flag set's writer sends document after document, and the first one's check takes as long as it likes."""
    goes_on, split = threading.Event(), shadow_document("air-v1", 5, salt="s")
    assert (await _put(teams, "ours", "sampler.variant", split)).status_code == 201
    assert (await _put(teams, "film", "film.a", OTHERS)).status_code == 201
    long_check = asyncio.create_task(teams.app.state.costly.in_thread(frozenset({"shop."}), goes_on.wait))
    many = [asyncio.create_task(_put(teams, "shop", f"shop.f{n}", OTHERS)) for n in range(WAITING_WRITES + 9)]
    try:
        refused = [await one for one in islice(asyncio.as_completed(many), 8)]
        assert {(one.status_code, one.headers["retry-after"]) for one in refused} == {(429, "1")}
        assert f"{WAITING_WRITES} writes of this token wait" in refused[0].json()["error"]

        moved = await teams.put("sampler.variant", split, version=1, **_as("ours", "write"))
        assert moved.status_code == 200
        plain = await _put(teams, "ours", "ours.a", OTHERS)
        assert plain.status_code == 201
        for whose, key in (("ours", "sampler.variant"), ("film", "film.a")):
            assert (await _kill(teams, whose, key)).status_code == 200
        body = {"context": {"targetingKey": "u"}}
        answer = await teams.http.post("/ofrep/v1/evaluate/flags", json=body, headers=_as("film", "evaluate"))
        assert answer.status_code == 200
    finally:
        goes_on.set()
    assert await long_check
    assert sorted(one.status_code for one in await asyncio.gather(*many)) == [201] * (WAITING_WRITES + 1) + [429] * 8


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"If-Match": '"7"'}, 412, id="another version"),
        pytest.param({"If-None-Match": "*"}, 412, id="a flag that is there"),
        pytest.param({}, 428, id="no version"),
        pytest.param({"If-Match": '"1"', "Idempotency-Key": "new"}, 422, id="the right version"),
    ],
)
async def test_the_version_is_looked_at_before_the_document(teams, headers, status):
    await _put(teams, "shop", "shop.a", OTHERS)

    sent = {"document": {"state": "ENABLED"}, **WHY}
    answer = await teams.http.put("/v1/flags/shop.a", json=sent, headers={**headers, **_as("shop", "write")})

    assert answer.status_code == status


async def test_the_owner_is_looked_at_before_the_document(teams):
    bad = {"state": "ENABLED", "metadata": {"pitwallRollout": "video/aks"}}

    assert (await _put(teams, "shop", "shop.a", bad)).status_code == 403


async def test_a_write_that_is_repeated_under_its_key_is_done_though_its_version_is_gone(teams):
    first = await _put(teams, "shop", "shop.a", OTHERS, **{"Idempotency-Key": "one"})
    again = await _put(teams, "shop", "shop.a", OTHERS, **{"Idempotency-Key": "one"})

    assert (first.status_code, again.status_code, again.json()["version"]) == (201, 201, 1)


async def test_costly_evaluations_of_a_set_hold_up_no_split_of_it_and_nobody_else(teams):
    """A turn of the sets is taken, and goes on being so."""
    mine, split = frozenset({"shop."}), shadow_document("air-v1", 5, salt="s")
    for key, document in (("shop.split", split), ("shop.rule", OTHERS), ("film.rule", OTHERS)):
        assert (await _put(teams, "ours", key, document)).status_code == 201

    def asks(whose, key=""):
        path = f"/ofrep/v1/evaluate/flags/{key}".rstrip("/")
        body = {"context": {"targetingKey": "u"}}
        return teams.http.post(path, json=body, headers=_as(whose, "evaluate"))

    costly = teams.app.state.costly
    async with costly.evaluations.turn("somebody", mine), costly.of_all_flags.turn("somebody", mine):
        for key in ("shop.rule", ""):
            many = [asyncio.create_task(asks("shop", key)) for _ in range(WAITING_EVALUATIONS + 3)]
            refused = [await one for one in islice(asyncio.as_completed(many), 2)]
            assert {(one.status_code, one.headers["retry-after"]) for one in refused} == {(429, "1")}
            assert f"{WAITING_EVALUATIONS} evaluations" in refused[0].text
            assert (await asks("shop", "shop.split")).status_code == 200
            for mine_too in ("shop.rule", "film.rule", ""):
                assert (await asks("ours", mine_too)).status_code == 200
            for one in many:
                one.cancel()
            await asyncio.gather(*many, return_exceptions=True)
    assert (await asks("shop", "shop.rule")).status_code == 200
    assert (await asks("shop")).status_code == 200


async def test_readings_of_single_flags_of_sets_wait_for_each_other_and_nobody_else(teams):
    assert (await _put(teams, "ours", "shop.a", OTHERS)).status_code == 201
    sets = teams.app.state.turns._sets
    for _ in range(OF_ALL_SETS):
        await sets.acquire()
    paths = ("/v1/flags/shop.a", "/v1/flags/shop.a/diff?from=1&to=1")
    waiting = [asyncio.create_task(teams.http.get(path, headers=_as("shop", "kill"))) for path in paths]

    for path in paths:
        assert (await teams.http.get(path, headers=_as("ours", "kill"))).status_code == 200
    assert not any(one.done() for one in waiting)
    for _ in range(OF_ALL_SETS):
        sets.release()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]


async def test_sets_wait_for_each_other_and_who_has_all_flags_for_nobody_but_itself():
    turns, order, two_at_work = CostlyTurns("things", 1), [], asyncio.Event()

    async def work(holder, roots, goes_on):
        async with turns.turn(holder, roots):
            order.append(holder)
            if len(order) == 2:
                two_at_work.set()
            await goes_on.wait()

    first, later = asyncio.Event(), asyncio.Event()
    shop = asyncio.create_task(work("shop", frozenset({"shop."}), first))
    film = asyncio.create_task(work("film", frozenset({"film."}), later))
    own = [asyncio.create_task(work("ours", ALL_FLAGS, later)) for _ in range(2)]
    await asyncio.wait_for(two_at_work.wait(), 30)
    with pytest.raises(ProblemError, match="1 things of this token wait"):
        await work("ours", ALL_FLAGS, later)
    assert order == ["shop", "ours"]

    first.set()
    later.set()
    await asyncio.wait_for(asyncio.gather(shop, film, *own), 30)
    assert sorted(order) == ["film", "ours", "ours", "shop"]

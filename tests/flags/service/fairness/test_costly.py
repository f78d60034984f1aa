"""What takes long: one token's is never everybody's wait."""

import asyncio
import hashlib
import threading
import time
from itertools import islice

import pytest

from pitwall_flags.errors import ProblemError
from pitwall_flags.flag.document import shadow_document
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, FlagSetTokens, TokenScope
from pitwall_flags.service.fairness.costly import SHORT_SECONDS, WAITING_EVALUATIONS, WAITING_WRITES, CostlyTurns, Turn
from pitwall_flags.service.fairness.reading_turns import OF_ALL_SETS
from pitwall_flags.service.http import ofrep
from pitwall_flags.service.http.known import KnownEvaluations

WHY = {"actor": "kim", "reason": "a test"}
OTHERS = {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"}
TEAMS = ("shop", "film")
SHOP, FILM = frozenset({"shop."}), frozenset({"film."})
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


@pytest.mark.parametrize("whose", ["shop", "ours"])
@pytest.mark.parametrize("path", ["", "/shop.f1"], ids=["all flags", "one flag"])
async def test_all_clients_of_a_team_that_fetch_at_once_after_a_change_are_served(teams, whose, path):
    rule = {"if": [{"in": [{"var": "country"}, ["de", "fr"]]}, "a", None]}
    for number in range(4):
        written = await _put(teams, "ours", f"shop.f{number}", {**OTHERS, "targeting": rule})
        assert written.status_code == 201

    def ask(number):
        body = {"context": {"targetingKey": f"u{number}", "country": "de"}}
        return teams.http.post(f"/ofrep/v1/evaluate/flags{path}", json=body, headers=_as(whose, "evaluate"))

    assert {one.status_code for one in await asyncio.gather(*map(ask, range(600)))} == {200}


async def test_equal_contexts_of_one_second_are_evaluated_once_until_a_flag_changes(teams):
    now = [7.9]
    teams.app.state.known = KnownEvaluations(lambda: now[0])
    assert (await _put(teams, "ours", "shop.a", OTHERS)).status_code == 201

    def ask(user="u", **headers):
        body = {"context": {"targetingKey": user}}
        return teams.http.post("/ofrep/v1/evaluate/flags", json=body, headers={**headers, **_as("shop", "evaluate")})

    first = await ask()
    async with teams.app.state.costly.of_all_flags.turn("somebody", SHOP):
        again = await ask()
        unchanged = await ask(**{"If-None-Match": first.headers["etag"]})
        others = [asyncio.create_task(ask("another"))]
        now[0] = 8.0
        others.append(asyncio.create_task(ask()))
        await asyncio.wait(others, timeout=0.05)
        assert not any(one.done() for one in others), "they are evaluated when it is their turn"
    assert (again.status_code, again.text, unchanged.status_code) == (200, first.text, 304)
    assert [one.status_code for one in await asyncio.gather(*others)] == [200, 200]
    assert (await _put(teams, "ours", "shop.b", OTHERS)).status_code == 201
    assert [flag["key"] for flag in (await ask()).json()["flags"]] == ["shop.a", "shop.b"]


async def test_who_waits_too_long_is_refused_and_what_it_does_may_take_longer():
    turns = CostlyTurns("things", 9, longest=0.02)
    async with turns.turn("shop", SHOP) as turn:
        turn.seconds = 0.0
        for holder, roots in (("shop", SHOP), ("film", FILM)):
            with pytest.raises(ProblemError, match=r"things of this token have waited 0\.02 s") as refused:
                async with turns.turn(holder, roots):
                    pass
            assert refused.value.status == 429
    with pytest.raises(TimeoutError):
        async with turns.turn("shop", SHOP):
            raise TimeoutError("of a database")


async def test_after_long_work_of_a_set_that_set_rests_and_no_other():
    turns, asked = CostlyTurns("things", 9), []

    async def ask(holder, roots):
        async with turns.turn(holder, roots):
            asked.append(holder)

    async with turns.turn("shop", SHOP) as turn:
        turn.seconds = 3_600.0
    shop = asyncio.create_task(ask("shop", SHOP))
    await asyncio.wait_for(asyncio.gather(ask("film", FILM), ask("ours", ALL_FLAGS)), 30)
    assert (sorted(asked), shop.done()) == (["film", "ours"], False)
    await asyncio.wait_for(shop, 30)


async def test_sets_whose_work_is_long_share_half_of_the_time():
    turns, rests = CostlyTurns("things", 9), []
    for holder in ("a", "b", "c"):
        async with turns.turn(holder, frozenset({f"{holder}."})) as turn:
            turn.seconds = 1.0
        rests.append(turns._lines[holder].rests_until - time.monotonic())

    assert rests == pytest.approx([1, 3, 5], abs=0.3)


async def test_between_two_pieces_of_one_sets_long_work_another_set_has_its_turn():
    turns = CostlyTurns("things", 9)
    async with turns.turn("shop", SHOP) as turn:
        film = asyncio.create_task(anext(aiter(_turns_of(turns, "film", FILM))))
        while not film.done():
            await turn.let_others()
    assert await film == "film"


async def _turns_of(turns, holder, roots):
    async with turns.turn(holder, roots):
        pass
    yield holder


def test_who_is_kept_from_the_processor_by_others_has_not_taken_it():
    class Waits:
        def evaluate(self, *_):
            ends = time.monotonic() + 4 * SHORT_SECONDS
            while time.monotonic() < ends:
                threading.Event().wait(SHORT_SECONDS)
            raise ArithmeticError

    turn = Turn(None)
    with pytest.raises(ArithmeticError):
        ofrep._in(turn, Waits(), "a", b'{"context": {"targetingKey": "u"}}')
    assert 0 <= turn.seconds < SHORT_SECONDS

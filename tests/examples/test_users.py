"""Simulated users against a small real gateway over HTTP."""

import asyncio
import json
import random
import re
import socket
import threading
from collections import Counter
from typing import Any

import pytest
from examples.demo.annotations import Annotations
from examples.demo.asking import FilmAsker
from examples.demo.summary import main
from examples.demo.users import Crowd, DemoExchange, Habits, Visitor, drive

pytestmark = pytest.mark.slow  # real servers, real seconds

FILM_URI = "file:///films/film.mp4"
QUICK = Habits(population=50, think_seconds=0.01, most_in_flight=10_000)  # a slow machine turns nobody away
HEADERS = {"x-pitwall-arm": "candidate", "x-pitwall-variant": "aks-v1", "x-pitwall-fallback": ""}


def _text(body: dict[str, Any]) -> str:
    return body["messages"][0]["content"][0]["text"]


def _answer(*pts: float) -> dict[str, Any]:
    rows = [
        {"start_seconds": at, "end_seconds": at + 1, "pts_seconds": at, "label": "frame", "score": 0.5} for at in pts
    ]
    return {"object": "chat.completion", "choices": [], "pitwall": {"moments": rows}}


def _knowing(film: Annotations, *, right: Any) -> Any:
    """A gateway that answers rightly where `right(question, is_follow_up)` says so."""
    asked = {question.ask: (question, False) for question in film.questions}
    asked |= {question.follow_up: (question, True) for question in film.questions}

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        question, is_follow_up = asked[_text(body)]
        middles = [(film.moments[m].start_seconds + film.moments[m].end_seconds) / 2 for m in question.moments]
        named = middles[:5] if right(question, is_follow_up) else [596.4 + 10]
        return 200, {**HEADERS, "x-pitwall-answer-id": body["session"] + str(is_follow_up)}, _answer(*named)

    return answer


async def _visits(gateway: Any, film: Annotations, *, answers: int = 40, habits: Habits = QUICK) -> list[DemoExchange]:
    """What a crowd records until it had so many answers."""
    stop, seen, asker = asyncio.Event(), list[DemoExchange](), FilmAsker(gateway.url, FILM_URI, timeout_seconds=60.0)

    def note(exchange: DemoExchange) -> None:
        seen.append(exchange)
        if len(seen) >= answers:
            stop.set()

    crowd = Crowd(asker, film, habits=habits, stop=stop, on_answer=note)
    await crowd.arrive(40.0, seed=7)
    await asker.close()
    return seen


async def test_a_question_is_an_openai_request_with_the_film_the_user_and_a_session(gateway, film) -> None:
    gateway.answer = _knowing(film, right=lambda *_: True)

    seen = await _visits(gateway, film)

    assert gateway.paths == {"/v1/chat/completions", "/v1/feedback"}
    for body in gateway.asked:
        assert body["messages"][0]["content"][1] == {"type": "video_url", "video_url": {"url": FILM_URI}}
        assert body["session"].startswith(body["user"])
    assert {exchange.reply.arm for exchange in seen} == {"candidate"}
    assert {exchange.reply.variant for exchange in seen} == {"aks-v1"}
    assert all(0 < exchange.reply.latency_seconds < 60 for exchange in seen)


async def test_users_with_right_answers_are_satisfied_vote_up_and_complete(gateway, film) -> None:
    gateway.answer = _knowing(film, right=lambda *_: True)

    seen = await _visits(gateway, film)

    assert seen
    assert all(exchange.satisfied and not exchange.is_follow_up for exchange in seen)
    assert {vote.get("task") for vote in gateway.feedback} == {"completed", None}
    assert {vote.get("thumbs") for vote in gateway.feedback} == {"up", None}


async def test_users_with_wrong_answers_vote_down_ask_again_or_abandon(gateway, film) -> None:
    gateway.answer = _knowing(film, right=lambda *_: False)

    seen = await _visits(gateway, film)

    follow_ups = [exchange for exchange in seen if exchange.is_follow_up]
    assert 0 < len(follow_ups) < len(seen) / 2
    assert not any(exchange.satisfied for exchange in seen)
    assert {vote.get("task") for vote in gateway.feedback} == {"abandoned", None}
    assert {vote.get("thumbs") for vote in gateway.feedback} == {"down", None}


async def test_every_vote_follows_the_judgement_of_the_answer_it_names(gateway, film) -> None:
    gateway.answer = _knowing(film, right=lambda question, is_follow_up: is_follow_up or len(question.id) % 2 == 0)

    seen = await _visits(gateway, film, answers=60)

    judged = {exchange.reply.answer_id: exchange.satisfied for exchange in seen}
    votes = {vote["answer_id"]: vote["thumbs"] for vote in gateway.feedback if "thumbs" in vote}
    assert set(votes.values()) == {"up", "down"}
    assert all((thumb == "up") == judged[answer_id] for answer_id, thumb in votes.items())


async def test_a_follow_up_stays_in_its_session_and_a_new_task_opens_another(gateway, film) -> None:
    """The gateway counts a further question of one session as dissatisfaction."""
    gateway.answer = _knowing(film, right=lambda question, is_follow_up: is_follow_up or len(question.id) % 2 == 0)

    seen = await _visits(gateway, film)

    sessions = Counter(exchange.session for exchange in seen)
    followed = {exchange.session for exchange in seen if exchange.is_follow_up}
    assert followed
    assert all(count == (2 if session in followed else 1) for session, count in sessions.items())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((503, {}, {"error": {"message": "no runtime"}}), "503: .*no runtime", id="service-error"),
        pytest.param((200, {}, {"choices": []}), "no pitwall.moments", id="no-extension"),
        pytest.param((200, {}, {"pitwall": {"moments": [{"pts_seconds": 1}]}}), "not a moment", id="wrong-row"),
        pytest.param((200, {}, ["nonsense"]), "no pitwall.moments", id="not-an-object"),
    ],
)
async def test_an_error_is_recorded_not_raised_and_nobody_votes_on_it(gateway, film, answer, words) -> None:
    gateway.answer = lambda body: answer

    seen = await _visits(gateway, film, answers=16)

    assert seen
    assert all(exchange.satisfied is None for exchange in seen)
    assert all(re.search(words, exchange.reply.error) for exchange in seen)
    assert gateway.feedback == []


async def test_feedback_that_is_not_taken_is_counted_and_said_once(gateway, film, caplog) -> None:
    gateway.answer = _knowing(film, right=lambda *_: True)
    gateway.feedback_status = 404
    stop, asker = asyncio.Event(), FilmAsker(gateway.url, FILM_URI, timeout_seconds=60.0)

    def record(_: DemoExchange) -> None:
        if crowd.lost_feedback.total() > 2:
            stop.set()

    crowd = Crowd(asker, film, habits=QUICK, stop=stop, on_answer=record)
    await crowd.arrive(40.0, seed=1)
    await asker.close()

    assert crowd.lost_feedback.keys() == {"HTTP 404"}
    assert 2 < crowd.lost_feedback.total() <= len(gateway.feedback)
    assert [record.message.count("was not taken") for record in caplog.records] == [1]


async def test_a_dead_gateway_is_an_error_in_the_record() -> None:
    stop, seen = asyncio.Event(), list[DemoExchange]()

    def record(exchange: DemoExchange) -> None:
        seen.append(exchange)
        stop.set()

    with socket.create_server(("127.0.0.1", 0)) as closed_at_once:
        port = closed_at_once.getsockname()[1]

    await drive(f"http://127.0.0.1:{port}", FILM_URI, rate_per_second=20, stop=stop, seed=1, on_answer=record)

    assert seen
    assert all("APIConnectionError" in exchange.reply.error for exchange in seen)


async def test_a_slow_gateway_is_not_asked_without_bound_and_does_not_hold_up_the_stop(gateway, film) -> None:
    released = threading.Event()

    def slow(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        released.wait(100)
        return 200, HEADERS, _answer(1.0)

    gateway.answer = slow
    async with asyncio.timeout(60):
        seen = await _visits(gateway, film, habits=Habits(most_in_flight=3))
    released.set()

    assert len(gateway.asked) == 3
    kept = [exchange.reply for exchange in seen if not exchange.reply.was_asked]
    assert any("not asked: 3 questions wait already" in reply.error for reply in kept)


def test_the_same_seed_draws_the_same_visitors_and_a_user_votes_always_or_never() -> None:
    def draw(seed: int) -> list[tuple[str, bool, float]]:
        chance = random.Random(seed)
        visitors = [Visitor.draw(chance, QUICK, visit=number) for number in range(300)]
        return [(each.user, each.votes, each.chance.random()) for each in visitors]

    assert draw(1) == draw(1) != draw(2)
    assert len({(user, votes) for user, votes, _ in draw(1) + draw(2)}) == QUICK.population


def test_the_command_prints_one_line_per_variant_and_arm(gateway, film, capsys, tmp_path) -> None:
    gateway.answer = _knowing(film, right=lambda *_: True)

    main(["--gateway", gateway.url, "--film", str(tmp_path / "f.mp4"), "--rate", "20", "--seconds", "1"])

    printed = capsys.readouterr().out
    assert "aks-v1" in printed
    assert "100.0%" in printed
    assert json.dumps(gateway.asked[0]["messages"]).count((tmp_path / "f.mp4").as_uri()) == 1

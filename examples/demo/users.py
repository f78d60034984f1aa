"""Simulates many users who ask the gateway and vote by the annotated truth.

Run alone: python -m examples.demo.users --gateway http://127.0.0.1:PORT --film FILE --rate 20 --seconds 30
"""

import asyncio
import collections
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from examples.demo import annotations
from examples.demo.annotations import AnnotatedQuestion, Annotations
from examples.demo.asking import FilmAsker, Reply
from examples.demo.judge import judge

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 2.0
"""How long a question already asked may still be answered after the stop."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How the users behave. None of these looks at the answer; only the judgement does."""

    population: int = 4000
    voting_share: float = 0.9  # of users who press a thumb at all: most, so that a demo need not last a day
    follow_up_share: float = 0.6  # of dissatisfied users who ask again; the others abandon their task
    most_tasks: int = 3  # a visit holds one to so many tasks, each a session of its own
    think_seconds: float = 1.0  # mean pause between two questions of one user, exponential
    most_in_flight: int = 24  # questions waiting for an answer; beyond it nobody asks (recorded), so no queue builds up


@dataclass(frozen=True, slots=True)
class DemoExchange:
    """One question and what became of it. `satisfied` is None where `error` says why there was nothing to judge."""

    asked_at_seconds: float  # Unix time
    user: str
    session: str
    question_id: str
    is_follow_up: bool
    reply: Reply
    satisfied: bool | None
    precision: float


OnAnswer = Callable[[DemoExchange], None]


async def drive(
    gateway_url: str,
    film_uri: str,
    *,
    rate_per_second: float,
    stop: asyncio.Event,
    seed: int,
    on_answer: OnAnswer,
) -> collections.Counter[str]:
    """Lets users arrive until `stop`: an open loop, so a slow service gets no fewer questions.

    `rate_per_second` counts tasks, i.e. questions without the follow-ups that bad answers provoke. Arrivals are
    Poisson. Returns the feedback that the gateway did not take, by kind of error. For other habits start a `Crowd`.
    """
    asker = FilmAsker(gateway_url, film_uri)
    crowd = Crowd(asker, annotations.load(), habits=Habits(), stop=stop, on_answer=on_answer)
    try:
        await crowd.arrive(rate_per_second, seed)
    finally:
        await asker.close()
    return crowd.lost_feedback


class Crowd:
    """The users who are there now."""

    def __init__(
        self, asker: FilmAsker, truth: Annotations, *, habits: Habits, stop: asyncio.Event, on_answer: OnAnswer
    ) -> None:
        self._asker, self._truth, self._habits = asker, truth, habits
        self._stop, self._on_answer = stop, on_answer
        self._in_flight = 0
        self.lost_feedback: collections.Counter[str] = collections.Counter()

    async def arrive(self, tasks_per_second: float, seed: int) -> None:
        """Starts visits at random times until the stop, then waits a moment for the last answers."""
        chance, loop = random.Random(seed), asyncio.get_running_loop()
        visits: set[asyncio.Task[None]] = set()
        visits_per_second = tasks_per_second / ((1 + self._habits.most_tasks) / 2)
        due, number = loop.time(), 0
        while not await self._stopped_within(due - loop.time()):
            visitor, number = Visitor.draw(chance, self._habits, visit=number), number + 1
            visits.add(task := asyncio.create_task(self._visit(visitor)))
            task.add_done_callback(visits.discard)
            due += chance.expovariate(visits_per_second)
        await _finish(visits)

    async def _visit(self, visitor: "Visitor") -> None:
        """Some tasks, each a session of its own, with pauses between them."""
        tasks = visitor.chance.sample(self._truth.questions, visitor.chance.randint(1, self._habits.most_tasks))
        for number, question in enumerate(tasks):
            if number and await self._thinks(visitor):
                return
            await self._pursue(visitor, question, session=f"{visitor.session}-{number}")

    async def _pursue(self, visitor: "Visitor", question: AnnotatedQuestion, *, session: str) -> None:
        """One task: the question, and once more in other words if the answer was bad and the user is patient."""
        last = await self._ask(visitor, question, session=session, is_follow_up=False)
        if last.satisfied is False and visitor.chance.random() < self._habits.follow_up_share:
            await self._vote(visitor, last)
            if await self._thinks(visitor):
                return
            last = await self._ask(visitor, question, session=session, is_follow_up=True)
        if last.satisfied is not None:
            await self._vote(visitor, last)
            await self._tell({"session": session, "task": "completed" if last.satisfied else "abandoned"})

    async def _ask(
        self, visitor: "Visitor", question: AnnotatedQuestion, *, session: str, is_follow_up: bool
    ) -> DemoExchange:
        """Asks, judges and records."""
        asked_at_seconds = time.time()
        text = question.follow_up if is_follow_up else question.ask
        reply = await self._answered(text, user=visitor.user, session=session)
        verdict = judge(question, reply.moments, self._truth)
        exchange = DemoExchange(
            asked_at_seconds,
            visitor.user,
            session,
            question.id,
            is_follow_up,
            reply,
            satisfied=None if reply.error else verdict.satisfied,
            precision=verdict.precision,
        )
        self._on_answer(exchange)
        return exchange

    async def _answered(self, text: str, *, user: str, session: str) -> Reply:
        """The reply, or the reason why the question was not even asked."""
        if self._in_flight >= self._habits.most_in_flight:
            words = f"not asked: {self._in_flight} questions wait already; lower the rate"
            return Reply(0.0, error=words, was_asked=False)
        self._in_flight += 1
        try:
            return await self._asker.ask(text, user=user, session=session)
        finally:
            self._in_flight -= 1

    async def _vote(self, visitor: "Visitor", exchange: DemoExchange) -> None:
        """A thumb by users who vote: up exactly when the answer satisfied them."""
        if visitor.votes:
            thumbs = "up" if exchange.satisfied else "down"
            await self._tell({"answer_id": exchange.reply.answer_id, "session": exchange.session, "thumbs": thumbs})

    async def _tell(self, feedback: dict[str, str]) -> None:
        """Posts feedback; what is not taken is counted, and said once per kind of error."""
        if error := await self._asker.tell(feedback):
            kind = error.partition(":")[0]
            self.lost_feedback[kind] += 1
            if self.lost_feedback[kind] == 1:
                log.warning("feedback %s was not taken: %s", feedback, error)

    async def _thinks(self, visitor: "Visitor") -> bool:
        """Waits like a person who reads; True when the crowd has been stopped meanwhile."""
        return await self._stopped_within(visitor.chance.expovariate(1.0 / self._habits.think_seconds))

    async def _stopped_within(self, seconds: float) -> bool:
        """True as soon as the stop is set, False after the time."""
        if self._stop.is_set() or seconds <= 0:
            return self._stop.is_set()
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user on one visit. Whether they vote belongs to the user; what they ask to the visit."""

    user: str
    session: str
    votes: bool
    chance: random.Random

    @classmethod
    def draw(cls, chance: random.Random, habits: Habits, *, visit: int) -> "Visitor":
        """Somebody out of the population; the same seed draws the same visitors."""
        user = f"user-{chance.randrange(habits.population):05d}"
        votes = random.Random(user).random() < habits.voting_share
        return cls(user, f"{user}-{visit}", votes, random.Random(chance.getrandbits(64)))


async def _finish(visits: set[asyncio.Task[None]]) -> None:
    """Lets the visits come to their end for a moment, then cancels them; an unexpected exception is raised here."""
    if not visits:
        return
    done, late = await asyncio.wait(visits, timeout=GRACE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    from examples.demo.summary import main

    main()

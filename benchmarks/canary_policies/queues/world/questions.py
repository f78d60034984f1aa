"""A scenario comes in; every question of every run comes out: when, whose, on which arm, and how long."""

from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.queues.world.scenario import (
    COLD_SECONDS,
    DRIFT_SECONDS,
    SIGMA,
    TOP_SHARE,
    QueueScenario,
)
from benchmarks.canary_policies.queues.world.trace import arrivals
from scipy.optimize import brentq
from scipy.special import ndtr

CONTROL, CANDIDATE, STABLE = range(3)
TOP_USERS = 0.01
AGAIN, AGAIN_SECONDS = 0.3, 30.0
"""Share of questions by a user who asked lately, and how long ago that was on average."""
SLOWEST = 0.97
ODD_TIMES = 20.0
"""Median service times that the odd user's videos take to come."""


@dataclass(frozen=True, slots=True)
class QueueQuestions:
    """Flat arrays, in order of run and time."""

    run: np.ndarray
    at: np.ndarray
    user: np.ndarray
    """Number within the run."""
    arm: np.ndarray
    size: np.ndarray
    """Seconds of service."""
    failing: np.ndarray
    is_trial: np.ndarray
    """Whether the gateway lets it count."""
    elsewhere: np.ndarray
    """Seconds besides those at a pod, until the video is there."""
    users: int


def draw_questions(
    scenario: QueueScenario, runs: int, draw: np.random.Generator, *, only_arms: bool = False
) -> QueueQuestions:
    """The arms of sticky users are drawn once per user and run. `only_arms`: nothing of stable's."""
    share = 2 * scenario.weight if only_arms else 1.0
    run, at = arrivals(scenario.burstiness, share * scenario.rps, scenario.seconds, runs, draw)
    users = max(100, int(scenario.rps * scenario.seconds / scenario.questions_per_user))
    user = _users(scenario, run, users, draw)
    ticket = draw.random((runs, users))[run, user] if scenario.sticky else draw.random(len(run)) * share
    arm = np.select([ticket < scenario.weight, ticket < 2 * scenario.weight], [CANDIDATE, CONTROL], STABLE)
    size = _sizes(scenario, (run, at, user, arm), runs, draw)
    if scenario.user_sigma:
        slow = np.exp(scenario.user_sigma * draw.standard_normal((runs, users)) - scenario.user_sigma**2 / 2)
        size *= slow[run, user]
    wrong = (arm == CANDIDATE) & (at >= scenario.effect.from_second)
    failing = wrong & (draw.random(len(run)) < scenario.effect.failing)
    elsewhere = np.zeros(len(run))
    if scenario.odd_user:
        is_odd = (arm == CANDIDATE) & (draw.random(len(run)) < scenario.odd_user)
        user, users = np.where(is_odd, users, user), users + 1
        elsewhere[is_odd] = ODD_TIMES * scenario.median_seconds
    return QueueQuestions(run, at, user, arm.astype(np.int8), size, failing, np.ones(len(run), bool), elsewhere, users)


def _sizes(scenario: QueueScenario, of: tuple[np.ndarray, ...], runs: int, draw: np.random.Generator) -> np.ndarray:
    run, at, _, arm = of
    normal = draw.standard_normal(len(run))
    size = scenario.median_seconds * np.exp(SIGMA * normal)
    if scenario.drift:
        phase = draw.random(runs)[run]
        size *= 1 + scenario.drift * np.sin(2 * np.pi * (at / DRIFT_SECONDS + phase))
    if scenario.cold > 1:
        is_new = (arm == CANDIDATE) | (scenario.dedicated & (arm == CONTROL))
        size *= np.where(is_new, 1 + (scenario.cold - 1) * np.exp(-at / COLD_SECONDS), 1.0)
    effect = scenario.effect
    wrong = (arm == CANDIDATE) & (at >= effect.from_second)
    size *= np.where(wrong, effect.slower, 1.0)
    size *= np.where(wrong & (ndtr(normal) > SLOWEST), effect.tail, 1.0)
    return size


def _users(scenario: QueueScenario, run: np.ndarray, users: int, draw: np.random.Generator) -> np.ndarray:
    """Whose each question is: new ones by how much a user asks at all, others by somebody who asked just before."""
    number = len(run)
    chances = np.cumsum(activity(users, scenario.top_share))
    fresh = np.minimum(np.searchsorted(chances / chances[-1], draw.random(number), side="right"), users - 1)
    back = draw.geometric(1 / max(scenario.rps * AGAIN_SECONDS, 1.0), number)
    own = np.arange(number)
    origin = np.where(draw.random(number) < AGAIN, own - back, own)
    origin = np.where((origin < 0) | (run[np.maximum(origin, 0)] != run), own, origin)
    while (origin != (further := origin[origin])).any():
        origin = further
    return fresh[origin]


def activity(users: int, top_share: float = TOP_SHARE) -> np.ndarray:
    """Shares of questions by user, falling with a power of the rank so that 1 % of users ask so much."""
    rank = np.arange(1, users + 1)
    top = max(1, round(users * TOP_USERS))

    def excess(power: float) -> float:
        shares = rank**-power
        return shares[:top].sum() / shares.sum() - top_share

    shares = rank ** -brentq(excess, 0.0, 3.0)
    return shares / shares.sum()

"""Questions with their ends come in; what the gateway's own ledger makes of their users' labels comes out, by arm,
of each user no more than the gateway's share.

Thumbs come some seconds after an answer, from users of whom each has an own inclination. A follow-up is a further
question of the same user within the window: bad at once, good when the window has passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from benchmarks.canary_policies.queues.counting.counts import STEP_SECONDS
from benchmarks.canary_policies.queues.world.questions import CANDIDATE, CONTROL, STABLE, QueueQuestions
from benchmarks.canary_policies.queues.world.scenario import NOTHING_WRONG, Effect

from pitwall_crds.names import Arm, Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.users.shares import USER_SHARE, ShareRule, Shares
from pitwall_gateway.feedback.ledger import FollowUp, Ledger, LedgerRule
from pitwall_gateway.feedback.session import QUERY, SESSION, Trial
from pitwall_gateway.feedback.windows import USER
from pitwall_gateway.values.speaker import Party

ARMS = {CONTROL: Arm.CONTROL, CANDIDATE: Arm.CANDIDATE, STABLE: Arm.STABLE}
VARIANTS = {CONTROL: "stable", CANDIDATE: "candidate", STABLE: "stable"}
ASKED, ANSWERED, THUMB, SWEEP = range(4)
UNITS = (QUERY, SESSION, USER)


@dataclass(frozen=True, slots=True)
class Opinions:
    """How users label: who gives a thumb at all, how often it points down, how much users differ, and how late."""

    clicking: float = 0.3
    down: float = 0.2
    alike: float = 4.0
    """Users' shares of thumbs down are beta distributed; two parameters with this sum."""
    seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Labelling:
    """How users label, what the ledger makes of it, and what is wrong with the candidate."""

    opinions: Opinions = Opinions()
    rule: LedgerRule = LedgerRule()  # noqa: RUF009
    effect: Effect = NOTHING_WRONG


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """(runs, steps) of trials whose label became known, for one signal and unit."""

    bad: dict[int, np.ndarray]
    good: dict[int, np.ndarray]


def label(
    questions: QueueQuestions, done: np.ndarray, shape: tuple[int, int], draw: np.random.Generator, labelling: Labelling
) -> dict[tuple[Signal, str], LabelCounts]:
    """By signal and unit; `shape` is (runs, steps)."""
    counted: dict[tuple[Signal, str, Outcome], dict[int, np.ndarray]] = {}
    for run in range(shape[0]):
        thumbs = _thumbs(questions, run, draw, labelling)
        for step, trial in _one_run(questions, done, (run, shape[1]), thumbs, labelling.rule):
            key = (trial.signal, trial.unit, trial.outcome)
            arms = counted.setdefault(key, {arm: np.zeros(shape, np.int32) for arm in ARMS})
            arms[_number(trial)][run, step] += 1
    nothing = {arm: np.zeros(shape, np.int32) for arm in ARMS}
    return {
        (signal, unit): LabelCounts(
            counted.get((signal, unit, Outcome.BAD), nothing), counted.get((signal, unit, Outcome.GOOD), nothing)
        )
        for signal, unit in product((Signal.THUMBS_DOWN, Signal.FOLLOW_UP), UNITS)
    }


def _number(trial: Trial) -> int:
    return next(number for number, arm in ARMS.items() if arm is trial.series.arm)


def _thumbs(questions, run, draw, labelling) -> tuple[np.ndarray, np.ndarray]:
    """(seconds after the answer, or infinity without a thumb; whether it points down) of a run's questions."""
    mine, opinions, effect = np.flatnonzero(questions.run == run), labelling.opinions, labelling.effect
    inclined = draw.beta(opinions.down * opinions.alike, (1 - opinions.down) * opinions.alike, questions.users)
    chance = inclined[questions.user[mine]]
    wrong = (questions.arm[mine] == CANDIDATE) & (questions.at[mine] >= effect.from_second)
    odds = np.where(wrong, effect.thumbs_down, 1.0)
    chance = odds * chance / (1 - chance + odds * chance)
    after = draw.exponential(opinions.seconds, len(mine))
    after[draw.random(len(mine)) >= opinions.clicking] = np.inf
    return after, draw.random(len(mine)) < chance


def _one_run(questions, done, which_run, thumbs, rule) -> Iterable[tuple[int, Trial]]:
    """(step, trial) as they become known; the gateway closes windows once a second, here once a step."""
    run, steps = which_run
    mine = np.flatnonzero(questions.run == run)
    at, end, after = questions.at[mine], done[mine], thumbs[0]
    sweeps = np.arange(1, steps) * STEP_SECONDS
    when = np.concatenate([at, end, end + after, sweeps])
    kind = np.repeat([ASKED, ANSWERED, THUMB, SWEEP], [len(mine), len(mine), len(mine), len(sweeps)])
    which = np.concatenate([np.tile(np.arange(len(mine)), 3), np.zeros(len(sweeps), int)])
    order = np.argsort(when, kind="stable")
    order = order[: np.searchsorted(when[order], steps * STEP_SECONDS)]
    series = [ArmSeries(VARIANTS[arm], ARMS[arm], "run") for arm in questions.arm[mine].tolist()]
    shares = Shares(ShareRule(user=USER_SHARE), lambda _: 1.0)
    users, down = [f"user-{user}" for user in questions.user[mine]], thumbs[1]
    ledger, open_questions = Ledger(rule), dict[int, FollowUp | None]()
    for now, what, index in zip(when[order].tolist(), kind[order].tolist(), which[order].tolist(), strict=True):
        match what:
            case 0:
                open_questions[index], trials = ledger.asked(users[index], now)
            case 1:
                follow_up = open_questions.pop(index)
                trials = ledger.settle(follow_up, now, answered=True) if follow_up else []
                party = Party("app", users[index])
                trials += ledger.answered(str(index), users[index], series[index], now, party)
            case 2:
                thumbed = ledger.thumb(str(index), now, down=bool(down[index]))
                trials = list(thumbed.trials) if thumbed else []
            case _:
                trials = ledger.sweep(now)
        for trial in trials:
            if shares.take(trial.series, f"{trial.signal} {trial.unit}", trial.party) is None:
                yield int(now / STEP_SECONDS), trial

"""The cells of the table: in which traffic candidates that are stable's twins are tried, and in which harmful ones."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

from benchmarks.canary_policies.queues.world.scenario import Effect, QueueScenario
from benchmarks.canary_policies.queues.world.trace import CODING, POISSON

HOUR = 3600.0
LATE_SECONDS = 600.0
"""What a gate on pods leaves out where the control shares warm ones."""


class Measured(StrEnum):
    """What the one gate looks at."""

    LATENCY = "latency"
    ERRORS = "errors"
    THUMBS_DOWN = "thumbs-down"
    FOLLOW_UP = "follow-up"


@dataclass(frozen=True, slots=True)
class QueueCell:
    """One row of the table, but for the mode."""

    scenario: QueueScenario
    measured: Measured = Measured.LATENCY
    is_harmful: bool = False
    step_seconds: float = 1.0
    warmup_seconds: float = 0.0
    unit: str = "query"
    ramp: tuple[float, ...] = ()
    """Weights, one after the other, each for as long; none for the scenario's own all the time."""

    @property
    def stages(self) -> tuple[QueueScenario, ...]:
        """The scenario at each weight, with pods in proportion that begin anew there, as many as stable's at 50 %."""
        scenario, seconds = self.scenario, self.scenario.seconds / max(1, len(self.ramp))
        return tuple(
            replace(scenario, weight=weight, seconds=seconds, pods=max(1, round(2 * weight * scenario.stable_pods)))
            for weight in self.ramp
        ) or (scenario,)

    @property
    def is_opinion(self) -> bool:
        """Whether people's labels are measured."""
        return self.measured in (Measured.THUMBS_DOWN, Measured.FOLLOW_UP)


def groups(*, quick: bool) -> list[tuple[QueueCell, ...]]:
    """The cells, those that look at the same traffic of labels together."""
    found: dict[str, list[QueueCell]] = {}
    for cell in cells(quick=quick):
        traffic = repr(replace(cell.scenario, name="")) if cell.is_opinion else cell.scenario.name
        found.setdefault(traffic, []).append(cell)
    return [tuple(group) for group in found.values()]


def cells(*, quick: bool) -> list[QueueCell]:
    """The whole table, or a small part of it."""
    wanted = (*_twins(), *_ramps(), *_oddities(), *_few_users(), *_harmful(), *_fast(), *_opinions())
    return [cell for cell in wanted if cell.scenario.name in QUICK] if quick else list(wanted)


def _twins() -> Iterator[QueueCell]:
    """Queues and stalls of pods, where nothing is wrong."""
    for rps, weight, dedicated, stall in product((2.0, 10.0), (0.01, 0.1, 0.5), (True, False), (3.0, 15.0)):
        base = QueueScenario("identical", rps, weight, dedicated=dedicated, stall_seconds=stall)
        for pods in {1, 2} if weight < 0.5 else {base.stable_pods, 2 * base.stable_pods}:
            control = "dedicated" if dedicated else "shared"
            name = f"identical, {rps:g} rps, {weight:.0%}, {pods} pods, {control} control, stalls {stall:g} s"
            yield QueueCell(replace(base, name=name, pods=pods), warmup_seconds=0.0 if dedicated else LATE_SECONDS)
    for weight in (0.01, 0.1):
        yield QueueCell(
            QueueScenario(
                f"identical, 100 rps, {weight:.0%}, dedicated control, stalls 15 s",
                100.0, weight, pods=max(1, round(60 * weight)), dedicated=True, stall_seconds=15.0, seconds=HOUR,
            )
        )  # fmt: skip


RAMP = (0.01, 0.1, 0.5)


def _ramps() -> Iterator[QueueCell]:
    """Twins through all stages of a rollout, each at its shortest and longer: evidence of harm is carried on."""
    usual = QueueScenario("", weight=RAMP[0], stall_seconds=15.0)
    for (rps, hours), dedicated in product(((2.0, 1.5), (10.0, 1.5), (2.0, 6.0)), (True, False)):
        control = "dedicated" if dedicated else "shared"
        name = f"identical, 1 → 10 → 50 % in {hours:g} h, {rps:g} rps, {control} control, stalls 15 s"
        ramped = replace(usual, name=name, rps=rps, dedicated=dedicated, seconds=hours * HOUR)
        yield QueueCell(ramped, warmup_seconds=0.0 if dedicated else LATE_SECONDS, ramp=RAMP)
    everything = replace(usual, dedicated=True, stall_seconds=3.0, cold=2.0, drift=0.3, sticky=True, user_sigma=0.3)
    name = "identical, 1 → 10 → 50 % in 1.5 h, cold starts, drift, sticky users with slow videos of their own"
    yield QueueCell(replace(everything, name=name, seconds=1.5 * HOUR), ramp=RAMP)


def _oddities() -> Iterator[QueueCell]:
    """What else may happen to a sound candidate."""
    usual = QueueScenario("", 2.0, 0.1, dedicated=True, stall_seconds=3.0)
    shared = replace(usual, dedicated=False)
    yield QueueCell(replace(usual, name="identical, independent questions", burstiness=POISSON, stall_seconds=0.0))
    for weight in (0.1, 0.5):
        bursts = replace(usual, burstiness=CODING, utilization=0.1, weight=weight)
        yield QueueCell(replace(bursts, name=f"identical, bursts of a coding service, {weight:.0%}"))
    yield QueueCell(replace(usual, name="identical, cold start of both arms", cold=2.0))
    cold = replace(shared, cold=2.0)
    yield QueueCell(replace(cold, name="identical, cold start, shared control"), warmup_seconds=LATE_SECONDS)
    yield QueueCell(replace(cold, name="identical, cold start, shared control, nothing left out"))
    for weight in (0.1, 0.5):
        yield QueueCell(replace(usual, name=f"identical, the system drifts, {weight:.0%}", drift=0.3, weight=weight))
        users = replace(usual, sticky=True, user_sigma=0.3, weight=weight)
        yield QueueCell(replace(users, name=f"identical, sticky users with slow videos of their own, {weight:.0%}"))
    for dedicated in (True, False):
        control = "dedicated" if dedicated else "shared"
        name = f"identical, one user with 6 % of the candidate's questions, whose videos come slowly, {control} control"
        odd = replace(usual, name=name, rps=10.0, dedicated=dedicated, sticky=True, odd_user=0.06)
        yield QueueCell(odd, warmup_seconds=0.0 if dedicated else LATE_SECONDS)


def _few_users() -> Iterator[QueueCell]:
    """Arms of few sticky users who ask much and differ: twins, and as slow candidates with few and with many users."""
    usual = QueueScenario(
        "", 2.0, 0.1, dedicated=True, burstiness=POISSON, sticky=True, user_sigma=0.6, questions_per_user=40
    )
    half = replace(usual, weight=0.5, pods=5)
    wide, even = {"user_sigma": 1.0}, {"top_share": 0.05}
    for words, users in {
        "360 users with slow videos of their own, 10%": usual,
        "360 users with very slow videos of their own, 10%": replace(usual, **wide),
        "360 users with slow videos of their own, all ask alike, 10%": replace(usual, **even),
        "360 users with slow videos of their own, 50%": half,
        "360 users with very slow videos of their own, 50%": replace(half, **wide),
    }.items():
        yield QueueCell(replace(users, name=f"identical, {words}"))
    many = replace(usual, user_sigma=0.3, questions_per_user=8)
    for effect, (words, users) in product(("all × 1.5", "all × 2"), {"1800": many, "360": usual}.items()):
        name = f"{effect}, {words} users with slow videos of their own, 10%"
        yield QueueCell(replace(users, name=name, effect=EFFECTS[effect]), is_harmful=True)


EFFECTS = {
    "p99 × 2": Effect(tail=2.0),
    "all × 1.25": Effect(slower=1.25),
    "all × 1.5": Effect(slower=1.5),
    "all × 2": Effect(slower=2.0),
}


def _harmful() -> Iterator[QueueCell]:
    """Candidates that must be flagged off, and what fails altogether."""
    for (name, effect), ((rps, weight), hours), stall in product(EFFECTS.items(), HARMED.items(), (0.0, 3.0, 15.0)):
        scenario = QueueScenario(
            f"{name}, {rps:g} rps, {weight:.0%}, stalls {stall:g} s",
            rps, weight, dedicated=True, stall_seconds=stall, effect=effect, seconds=hours * HOUR,
        )  # fmt: skip
        pods = scenario.stable_pods if weight == 0.5 else 1
        yield QueueCell(replace(scenario, pods=pods), is_harmful=True, step_seconds=_step(scenario.seconds))
    for (rps, weight), hours in HARMED.items():
        scenario = QueueScenario(
            f"every question fails, {rps:g} rps, {weight:.0%}", rps, weight, dedicated=True,
            effect=Effect(failing=1.0), seconds=hours * HOUR / 4,
        )  # fmt: skip
        yield QueueCell(scenario, Measured.ERRORS, is_harmful=True)
    failing = QueueScenario("as many errors on both arms: none", 2.0, 0.1, dedicated=True)
    yield QueueCell(failing, Measured.ERRORS)


def _fast() -> Iterator[QueueCell]:
    """Harmful candidates where a hundred questions come every second: with and without queues and stalls."""
    usual = QueueScenario("", 100.0, 0.1, pods=6, dedicated=True, seconds=HOUR / 4)
    for name, effect in EFFECTS.items():
        for words, traffic in (
            ("independent questions", replace(usual, burstiness=POISSON, stall_seconds=0.0)),
            ("stalls 3 s", replace(usual, stall_seconds=3.0)),
        ):
            yield QueueCell(replace(traffic, name=f"{name}, 100 rps, 10%, {words}", effect=effect), is_harmful=True)


HARMED = {(2.0, 0.01): 24.0, (2.0, 0.1): 6.0, (2.0, 0.5): 2.0, (10.0, 0.01): 8.0, (10.0, 0.1): 2.0, (10.0, 0.5): 1.0}
"""Hours by (rps, weight)."""


def _opinions() -> Iterator[QueueCell]:
    """Labels of sticky users; what the arm's pods do does not matter, so the control is all of stable."""
    usual = QueueScenario("", 2.0, 0.1, sticky=True, seconds=4 * HOUR)
    worse = replace(usual, effect=Effect(thumbs_down=3.0))
    for unit in ("query", "session", "user"):
        window = 120.0 if unit == "query" else 0.0  # good and bad labels of others come at once
        for measured in (Measured.THUMBS_DOWN, Measured.FOLLOW_UP):
            name = f"identical {measured}, unit {unit}"
            yield QueueCell(replace(usual, name=name), measured, warmup_seconds=window, unit=unit)
        name = f"thumbs-down: odds × 3, unit {unit}"
        yield QueueCell(replace(worse, name=name), Measured.THUMBS_DOWN, True, warmup_seconds=window, unit=unit)
    half = replace(worse, weight=0.5, seconds=12 * HOUR)
    yield QueueCell(
        replace(half, name="thumbs-down: odds × 3, unit user, 50%"), Measured.THUMBS_DOWN, True, unit="user"
    )
    name = "identical follow-up, unit query, no delay"
    yield QueueCell(replace(usual, name=name), Measured.FOLLOW_UP, warmup_seconds=0.0)


def _step(seconds: float) -> float:
    """Long histories are kept in coarser steps."""
    return 1.0 if seconds <= 2 * HOUR else 10.0


QUICK = frozenset(
    {
        "identical, 2 rps, 50%, 1 pods, dedicated control, stalls 15 s",
        "identical, 2 rps, 10%, 1 pods, dedicated control, stalls 3 s",
        "identical, independent questions",
        "identical, cold start, shared control",
        "p99 × 2, 2 rps, 10%, stalls 3 s",
        "all × 2, 2 rps, 10%, stalls 3 s",
        "every question fails, 2 rps, 1%",
        "identical thumbs-down, unit query",
    }
)

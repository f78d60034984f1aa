"""One world of queues: the traffic, the pods, what disturbs them, and what is wrong with the candidate."""

from dataclasses import dataclass, field

from benchmarks.canary_policies.queues.world.trace import CONVERSATION, Burstiness

SLOTS = 4
UTILIZATION = 0.5
SIGMA = 0.6
MEAN_OF_MEDIAN = 1.1972173631218102
"""exp(SIGMA² / 2): the mean of a lognormal service time whose median is 1 s."""
STALL_EVERY_SECONDS = 600.0
COLD_SECONDS = 120.0
DRIFT_SECONDS = 7200.0
TOP_SHARE = 0.3
"""Of the questions, by one user in a hundred."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is wrong with the candidate: nothing, by default."""

    slower: float = 1.0
    """All service times, times this."""
    tail: float = 1.0
    """The slowest 3 % of service times, times this: the p99 of service times grows by the same factor (up to 2)."""
    failing: float = 0.0
    """Share of questions that fail."""
    thumbs_down: float = 1.0
    """The users' odds of a thumb down, times this."""
    from_second: float = 0.0


NOTHING_WRONG = Effect()


@dataclass(frozen=True, slots=True)
class QueueScenario:
    """All of it. The arms start at second 0; stable has been running."""

    name: str
    rps: float = 2.0
    weight: float = 0.1
    """Share of the candidate, and as much of the control."""
    seconds: float = 7200.0
    burstiness: Burstiness = CONVERSATION
    pods: int = 1
    """The candidate's, and a dedicated control's."""
    dedicated: bool = False
    arm_slots: int = SLOTS
    """Slots of a pod of the candidate and of a dedicated control."""
    utilization: float = UTILIZATION
    """Busy share of stable's pods before the rollout."""
    stall_seconds: float = 0.0
    """Mean length of a stall; each pod has one every ten minutes."""
    cold: float = 1.0
    """How many times slower an arm's new pods are at first."""
    drift: float = 0.0
    """Service times of the whole system swing by this share over two hours."""
    sticky: bool = False
    """Arms are drawn per user, and few users ask most questions; otherwise per question."""
    user_sigma: float = 0.0
    """Spread of how long users' videos take, lognormal."""
    questions_per_user: int = 8
    top_share: float = TOP_SHARE
    """Share of questions by one user in a hundred."""
    odd_user: float = 0.0
    """Share of the candidate's questions by one user more, whose videos come from a slow server."""
    effect: Effect = field(default=NOTHING_WRONG)

    @property
    def stable_pods(self) -> int:
        """As many as come nearest to the utilization at a median service time of 1 s."""
        return max(1, round(self.rps * MEAN_OF_MEDIAN / (SLOTS * self.utilization)))

    @property
    def median_seconds(self) -> float:
        """The median service time at which that many pods are busy for exactly that share."""
        return self.utilization * SLOTS * self.stable_pods / self.rps / MEAN_OF_MEDIAN

"""Questions come in; which of them are trials of the arms comes out, by the gateway's own rule about users' shares, and
what the gateway says that users differ by."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from heapq import heappop, heappush

import numpy as np
from benchmarks.canary_policies.queues.world.questions import CANDIDATE, CONTROL, QueueQuestions

from pitwall_crds.names import Arm, Quantity, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.users.clusters import Clusters
from pitwall_gateway.counting.users.rare_trials import of_end
from pitwall_gateway.counting.users.shares import USER_SHARE, ShareRule, Shares
from pitwall_gateway.values.speaker import Party
from pitwall_operator.evidence.basis.spread import SpreadPart, UserSpread

SERIES = {CONTROL: ArmSeries("old-v1", Arm.CONTROL, "run"), CANDIDATE: ArmSeries("new-v1", Arm.CANDIDATE, "run")}
NUMBERS = len(fields(UserSpread))
LOOK_SECONDS = 60.0
"""What users differ by is looked up so often."""


def trials(questions: QueueQuestions, done: np.ndarray, user_share: float = USER_SHARE) -> np.ndarray:
    """(questions,) whether each is a trial, where they are done at `done`; stable's own all are."""
    runs = int(questions.run.max(initial=-1)) + 1
    return trials_and_spreads(questions, done, (), (runs, 1), user_share)[0]


def trials_and_spreads(
    questions: QueueQuestions,
    done: np.ndarray,
    edges: Sequence[tuple[float, ...]],
    shape: tuple[int, int],
    user_share: float = USER_SHARE,
) -> tuple[np.ndarray, np.ndarray]:
    """The trials, and what users differ by: (arms, numbers of `_spreads`, edges, runs, looks). `edges` are those of
    control and candidate, `shape` is (runs, looks)."""
    is_trial = np.ones(len(questions.at), bool)
    spreads = np.full((len(edges), NUMBERS, len(edges[0]) if edges else 0, *shape), np.nan)
    look = 0
    on_arms = np.flatnonzero(np.isin(questions.arm, tuple(SERIES)))
    asked = (questions.run, questions.at, done, questions.failing, questions.user, questions.arm)
    asked = (values[on_arms].tolist() for values in asked)
    current, shares, open_ones = None, _none_yet(user_share), []
    for index, run, at, end, failing, user, arm in zip(on_arms.tolist(), *asked, strict=True):
        if run != current:
            if current is not None:
                spreads[..., current, look + 1 :] = _spreads(shares, edges)[..., None]
            current, shares, open_ones, look = run, _none_yet(user_share), [], 0
        while edges and at >= (look + 1) * LOOK_SECONDS and look < shape[1] - 1:
            spreads[..., run, look + 1] = _spreads(shares, edges)
            look += 1
        while open_ones and open_ones[0][0] <= at:
            shares.ended(*heappop(open_ones)[2:])
        trial = SERIES[arm], TrialKind.QUESTION, Party(person=str(user))
        is_trial[index] = shares.take(*trial) is None
        if is_trial[index]:
            shares.opened(*trial)
            shown = of_end(End.FAILED if failing else End.ANSWERED, end - at)
            heappush(open_ones, (end, index, *trial, shown))
    if current is not None:
        spreads[..., current, look + 1 :] = _spreads(shares, edges)[..., None]
    return is_trial, spreads


def _spreads(shares: Shares, edges: Sequence[tuple[float, ...]]) -> np.ndarray:
    """(arms, the numbers of UserSpread, edges), where the gateway says so."""
    found = np.full((len(edges), NUMBERS, len(edges[0]) if edges else 0), np.nan)
    arms = {series.arm: clusters for series, clusters in shares.clusters()}
    for place, (arm, of_arm) in enumerate(zip(SERIES.values(), edges, strict=False)):
        if arm.arm in arms:
            found[place] = _of_arm(arms[arm.arm], of_arm)
    return found


def _of_arm(clusters: Clusters, edges: Sequence[float]) -> np.ndarray:
    found = np.full((NUMBERS, len(edges)), np.nan)
    users = dict(clusters.users()).get(Quantity.LATENCY, 0.0)
    for name, error in clusters.errors():
        if name == Quantity.LATENCY and error.edge in edges and error.of_trials:
            number = error.trials
            most = (error.most.shift, error.most.of_users, error.most.of_trials) if error.most else ()
            part = SpreadPart(number, error.of_trials, error.of_users, users, *most)
            found[:, [at for at, edge in enumerate(edges) if edge == error.edge]] = np.array(
                astuple(UserSpread.pooled([part]))
            )[:, None]
    return found


def _none_yet(user_share: float) -> Shares:
    return Shares(ShareRule(user=user_share), lambda _: 1.0)

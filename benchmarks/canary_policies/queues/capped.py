"""Questions come in; which of them are trials of the arms comes out, by the gateway's own rule about users' shares."""

from heapq import heappop, heappush

import numpy as np
from benchmarks.canary_policies.queues.questions import CANDIDATE, CONTROL, QueueQuestions

from pitwall_crds.names import Arm, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.shares import USER_SHARE, ShareRule, Shares
from pitwall_gateway.counting.tails import of_end
from pitwall_gateway.counting.tally import End
from pitwall_gateway.values.speaker import Party

SERIES = {CONTROL: ArmSeries("old-v1", Arm.CONTROL, "run"), CANDIDATE: ArmSeries("new-v1", Arm.CANDIDATE, "run")}


def trials(questions: QueueQuestions, done: np.ndarray, user_share: float = USER_SHARE) -> np.ndarray:
    """(questions,) whether each is a trial, where they are done at `done`; stable's own all are."""
    is_trial = np.ones(len(questions.at), bool)
    on_arms = np.flatnonzero(np.isin(questions.arm, tuple(SERIES)))
    asked = (questions.run, questions.at, done, questions.failing, questions.user, questions.arm)
    asked = (values[on_arms].tolist() for values in asked)
    current, shares, open_ones = None, _none_yet(user_share), []
    for index, run, at, end, failing, user, arm in zip(on_arms.tolist(), *asked, strict=True):
        if run != current:
            current, shares, open_ones = run, _none_yet(user_share), []
        while open_ones and open_ones[0][0] <= at:
            shares.ended(*heappop(open_ones)[2:])
        trial = SERIES[arm], TrialKind.QUESTION, Party(person=str(user))
        is_trial[index] = shares.take(*trial) is None
        if is_trial[index]:
            shares.opened(*trial)
            shown = of_end(End.FAILED if failing else End.ANSWERED, end - at)
            heappush(open_ones, (end, index, *trial, shown))
    return is_trial


def _none_yet(user_share: float) -> Shares:
    return Shares(ShareRule(user=user_share), lambda _: 1.0)

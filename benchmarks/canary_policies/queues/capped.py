"""Questions come in; which of them are trials of the arms comes out, by the gateway's own rule about users' shares."""

import numpy as np
from benchmarks.canary_policies.queues.questions import CANDIDATE, CONTROL, QueueQuestions

from pitwall_crds.names import Arm, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.shares import USER_SHARE, ShareRule, Shares
from pitwall_gateway.values.speaker import Party

SERIES = {CONTROL: ArmSeries("old-v1", Arm.CONTROL, "run"), CANDIDATE: ArmSeries("new-v1", Arm.CANDIDATE, "run")}


def trials(questions: QueueQuestions, user_share: float = USER_SHARE) -> np.ndarray:
    """(questions,) whether each is a trial; stable's own all are."""
    is_trial = np.ones(len(questions.at), bool)
    on_arms = np.flatnonzero(np.isin(questions.arm, tuple(SERIES)))
    asked = (values[on_arms].tolist() for values in (questions.run, questions.user, questions.arm))
    shares, current = Shares(ShareRule(user=user_share), lambda _: 1.0), None
    for index, run, user, arm in zip(on_arms.tolist(), *asked, strict=True):
        if run != current:
            shares, current = Shares(ShareRule(user=user_share), lambda _: 1.0), run
        is_trial[index] = shares.take(SERIES[arm], TrialKind.QUESTION, Party(person=str(user))) is None
    return is_trial

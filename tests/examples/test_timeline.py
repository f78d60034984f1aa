"""The story of a demo."""

import yaml
from examples.demo.asking import Reply
from examples.demo.timeline import timeline
from examples.demo.users import DemoExchange

from pitwall_crds.rollout.rollout import Rollout

ROLLOUT = """
metadata: {name: sampler, namespace: default}
spec:
  flag: sampler.variant
  variantRef: {name: u}
  stages: [{weightBasisPoints: 10000}]
  analysis: {gates: [{name: errors, rate: {metric: Errors}, absoluteMarginBasisPoints: 200}]}
"""


def exchange(reply: Reply) -> DemoExchange:
    return DemoExchange(0.0, "user", "session", "q", False, reply, None if reply.error else True, 0.0)


def test_what_failed_is_told_apart_from_what_was_never_asked() -> None:
    replies = [
        Reply(0.1, arm="stable", variant="u"),
        Reply(0.1, error="HTTP 502"),
        Reply(0.0, error="not asked: 24 questions wait already", was_asked=False),
    ]
    told = list(timeline(Rollout.model_validate(yaml.safe_load(ROLLOUT)), [exchange(one) for one in replies], 0.0))

    assert told[-3:] == [
        "  1 of 2 questions failed",
        "    1 times: HTTP 502",
        "  1 more were not asked, since as many as this machine can bear waited for an answer",
    ]

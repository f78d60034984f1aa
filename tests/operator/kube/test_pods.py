"""Why pods are not ready, in the words that a status shows."""

from typing import Any

import pytest

from pitwall_operator.kube.pods import trouble_of


def pod(*, container: dict[str, Any] | None = None, unscheduled: str = "") -> dict[str, Any]:
    conditions = [{"type": "PodScheduled", "status": "False", "message": unscheduled}] if unscheduled else []
    status = {"conditions": conditions, "containerStatuses": [container] if container else []}
    return {"metadata": {"name": "aks-v1-7f"}, "status": status}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(pod(), "", id="just made"),
        pytest.param(pod(container={"state": {"waiting": {"reason": "ContainerCreating"}}}), "", id="starting"),
        pytest.param(pod(container={"state": {"running": {}}, "ready": False}), "", id="loading its models"),
        pytest.param(
            pod(unscheduled="0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
            "pod aks-v1-7f cannot be scheduled: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            id="no GPU",
        ),
        pytest.param(
            pod(container={"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}),
            "pod aks-v1-7f: ErrImagePull: no such image",
            id="no image",
        ),
        pytest.param(
            pod(
                container={
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                    "lastState": {"terminated": {"exitCode": 2, "message": "loading\nunknown sampler 'akz'\n"}},
                }
            ),
            "pod aks-v1-7f ended with status 2: unknown sampler 'akz' (3 restarts)",
            id="its own last words",
        ),
        pytest.param(
            pod(container={"restartCount": 1, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}),
            "pod aks-v1-7f ended with status 137: OOMKilled (1 restarts)",
            id="out of memory",
        ),
    ],
)
def test_words(found, words):
    assert trouble_of([pod(), found]) == words

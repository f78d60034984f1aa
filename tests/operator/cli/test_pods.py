"""Why a pod does not answer, in words."""

from typing import Any

import pytest

from pitwall_operator.cli.sources.pods import pools_of

LABELS = {"pitwall.dev/variant": "aks-v1", "pitwall.dev/pool": "main", "pitwall.dev/revision": "r1"}
METADATA = {"name": "aks-v1", "namespace": "video-qa", "labels": LABELS}
DEPLOYMENT = {"metadata": METADATA, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}


def pod(name: str = "p", metadata: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {"metadata": {**METADATA, "name": name, **(metadata or {})}, "status": status}


def ready(value: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": value}]


def state(**state: Any) -> list[dict[str, Any]]:
    return [{"state": state}]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param({"conditions": ready("True")}, "", id="ready"),
        pytest.param({"phase": "Running", "conditions": ready("False")}, "not ready yet", id="running"),
        pytest.param(
            {"containerStatuses": state(waiting={"reason": "ImagePullBackOff", "message": "no such image"})},
            "ImagePullBackOff: no such image",
            id="waits-for-its-image",
        ),
        pytest.param({"containerStatuses": state(waiting={})}, "waiting", id="waits-without-a-word"),
        pytest.param(
            {"containerStatuses": state(terminated={"reason": "OOMKilled", "exitCode": 137})},
            "OOMKilled, exit code 137",
            id="ended",
        ),
        pytest.param(
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
                ]
            },
            "Unschedulable: no GPU",
            id="no-node-takes-it",
        ),
        pytest.param({"phase": "Pending"}, "Pending", id="nothing-known-but-the-phase"),
        pytest.param({}, "Pending", id="just-made"),
    ],
)
def test_a_pod_says_why_it_does_not_answer(status, reason):
    [pool] = pools_of([DEPLOYMENT], [pod(**status)])

    assert [(each.ready, each.reason) for each in pool.pods] == [(reason == "", reason)]


def test_a_pool_has_its_own_pods_that_stay():
    other = {"labels": {**LABELS, "pitwall.dev/pool": "control"}}
    pods = [pod("stays"), pod("goes", {"deletionTimestamp": "2026-01-01T00:00:00Z"}), pod("elsewhere", other)]
    [pool] = pools_of([DEPLOYMENT], pods)

    assert (pool.variant, pool.pool, pool.revision, pool.ready, pool.desired) == ("aks-v1", "main", "r1", 1, 2)
    assert [each.name for each in pool.pods] == ["stays"]


def test_a_deployment_without_status_has_nothing_ready():
    [pool] = pools_of([{"metadata": METADATA, "spec": {}}], [])

    assert (pool.ready, pool.desired) == (0, 1)

"""Why pods are not ready, in the words that a status shows."""

from typing import Any

import pytest

from pitwall_operator.kube.pools.pods import fault_of, trouble_of


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


def test_an_init_container_is_heard_before_the_others():
    found = pod(container={"state": {"waiting": {"reason": "PodInitializing"}}})
    found["status"]["initContainerStatuses"] = [{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]

    assert trouble_of([found]) == "pod aks-v1-7f ended with status 1: Error (0 restarts)"


@pytest.mark.parametrize(
    ("container", "words"),
    [
        pytest.param({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}, "", id="it ended well"),
        pytest.param(
            {"state": {"terminated": {"exitCode": 3}}}, "ended with status 3 (0 restarts)", id="no word at all"
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "ErrImagePull"}}}, ": ErrImagePull", id="a reason without message"
        ),
        pytest.param({"state": {"waiting": {}}}, "", id="it waits for nothing that is known"),
        pytest.param({"state": None, "lastState": None}, "", id="nothing is known of it"),
    ],
)
def test_a_container_that_says_little_is_told_with_what_there_is(container, words):
    said = trouble_of([pod(container=container)])

    assert said.removeprefix("pod aks-v1-7f").strip() == words.strip()


def test_no_pods_and_pods_without_status_are_no_trouble():
    assert trouble_of([]) == trouble_of([{"metadata": {"name": "x"}}]) == ""


def test_a_long_story_is_cut():
    assert len(trouble_of([pod(unscheduled="x" * 1000)])) == 300


def test_a_pod_that_was_scheduled_is_none_of_the_schedulers():
    found = pod()
    found["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]

    assert trouble_of([found]) == ""


# --- whose fault it is ---


def unready(*, conditions: tuple[dict[str, Any], ...] = (), limited: bool = False, **container: Any) -> dict[str, Any]:
    found = pod(container={"name": "runtime", "ready": False, **container})
    found["status"]["conditions"] = [{"type": "Ready", "status": "False"}, *conditions]
    limits = {"limits": {"memory": "1Gi"}} if limited else {}
    return {**found, "spec": {"containers": [{"name": "runtime", "resources": limits}]}}


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
LOST = "pod aks-v1-7f is on a node that does not answer"
RUNNING = {"running": {"startedAt": "2027-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(unready(lastState=CRASHED, state=RUNNING), "", id="it crashed and starts again"),
        pytest.param(unready(state=CRASHED), "", id="it crashed"),
        pytest.param(unready(state=RUNNING, started=True), "", id="it runs and fails its probe"),
        pytest.param(unready(state=KILLED, limited=True), "", id="it took more memory than it may"),
        pytest.param(unready(state=KILLED), "pod aks-v1-7f was killed for memory that others took", id="neighbours"),
        pytest.param(unready(state=RUNNING, started=False), "pod aks-v1-7f starts", id="it takes another's place"),
        pytest.param(unready(state=RUNNING, ready=True), LOST, id="a lost node"),
        pytest.param(
            unready(state=CRASHED, conditions=({"type": "DisruptionTarget", "status": "True", "reason": "Evicted"},)),
            "pod aks-v1-7f was taken by the platform: Evicted", id="evicted while it ended",
        ),
        pytest.param({"metadata": {"name": "x", "deletionTimestamp": "now"}}, "1 of 1 pods are gone", id="leaving"),
        pytest.param({"metadata": {"name": "x"}}, "pod x starts", id="just made"),
    ],
)  # fmt: skip
def test_whose_fault_it_is(found, words):
    assert fault_of([found], 1) == words


def test_one_pod_that_crashes_is_enough_to_blame_the_application():
    assert fault_of([unready(state=RUNNING, ready=True), unready(state=CRASHED)], 2) == ""


def test_pods_that_nobody_has_are_gone():
    assert fault_of([], 3) == "3 of 3 pods are gone"
    ready = pod(container={"ready": True, "state": RUNNING})
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert fault_of([ready], 1) == "its pods were taken away"

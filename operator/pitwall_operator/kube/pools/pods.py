"""Says in words why pods are not ready, and whether they have themselves to blame.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pitwall_operator.kube.client import Object

STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})
OUT_OF_MEMORY: Final = "OOMKilled"
WORDS: Final = 300


def trouble_of(pods: Iterable[Object]) -> str:
    """The first thing that keeps any of them from being ready; empty where they merely start."""
    return next((words[:WORDS] for pod in pods for words in _troubles(pod)), "")


def _troubles(pod: Object) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container_troubles(name, container)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"pod {name} cannot be scheduled: {condition.get('message') or condition.get('reason', '')}"


def _container_troubles(pod: str, container: dict[str, Any]) -> Iterator[str]:
    """Why it waits; of one that ended, its last words (the end of its log, where it said nothing else)."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
    if ended and ended.get("exitCode"):
        last = (ended.get("message") or ended.get("reason") or "").strip().splitlines()
        said = f": {last[-1]}" if last else ""
        yield f"pod {pod} ended with status {ended['exitCode']}{said} ({container.get('restartCount', 0)} restarts)"
    if waiting.get("reason") and waiting["reason"] not in STARTING:
        message = waiting.get("message")
        yield f"pod {pod}: {waiting['reason']}" + (f": {message}" if message else "")


def fault_of(pods: Iterable[Object], wanted: int) -> str:
    """What befell those of the wanted pods that are not ready, by no fault of their own; empty if any of them ended by
    itself, or runs and does not answer its probe. What is gone without a word was taken by somebody."""
    found = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    unready = [pod for pod in found if _condition(pod, "Ready") != "True"]
    if any(_blames_itself(pod) for pod in unready):
        return ""
    words = [f"pod {pod['metadata']['name']} {_befallen(pod)}" for pod in unready]
    if wanted > len(found):
        words.append(f"{wanted - len(found)} of {wanted} pods are gone")
    return "; ".join(words)[:WORDS] or "its pods were taken away"


def _condition(pod: Object, kind: str) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((str(one.get("status")) for one in conditions if one.get("type") == kind), "")


def _containers(pod: Object) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _is_disrupted(pod: Object) -> bool:
    """Whether the platform took it: an eviction, a preemption, a node that was drained or shut down."""
    return _condition(pod, "DisruptionTarget") == "True" or bool((pod.get("status") or {}).get("reason"))


def _blames_itself(pod: Object) -> bool:
    """Whether its application ended by itself, or runs and says that it is not ready. Where all containers say that
    they are ready, it is the node that does not answer; a container without a limit of its own that ran out of memory
    was killed for what others took."""
    if _is_disrupted(pod) or all(one.get("ready") for one in _containers(pod)):
        return False
    return any(_ended_itself(pod, one) or _fails_its_probe(one) for one in _containers(pod) if not one.get("ready"))


def _ended_itself(pod: Object, container: dict[str, Any]) -> bool:
    ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
    if not ended or not ended.get("exitCode"):
        return False
    return ended.get("reason") != OUT_OF_MEMORY or _has_memory_limit(pod, container.get("name", ""))


def _has_memory_limit(pod: Object, container: str) -> bool:
    declared = (pod.get("spec") or {}).get("containers") or ()
    mine: dict[str, Any] = next((one for one in declared if one.get("name") == container), {})
    return "memory" in ((mine.get("resources") or {}).get("limits") or {})


def _fails_its_probe(container: dict[str, Any]) -> bool:
    return bool((container.get("state") or {}).get("running")) and bool(container.get("started"))


def _befallen(pod: Object) -> str:
    status = pod.get("status") or {}
    if _is_disrupted(pod):
        conditions = status.get("conditions") or ()
        target: dict[str, Any] = next((one for one in conditions if one.get("type") == "DisruptionTarget"), {})
        return f"was taken by the platform: {target.get('reason') or status.get('reason')}"
    containers = _containers(pod)
    if containers and all(one.get("ready") for one in containers):
        return "is on a node that does not answer"
    if any(_was_killed_for_memory(one) for one in containers):
        return "was killed for memory that others took"
    return "starts"


def _was_killed_for_memory(container: dict[str, Any]) -> bool:
    ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
    return ended is not None and ended.get("reason") == OUT_OF_MEMORY

"""Says in words why pods are not ready.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pitwall_operator.kube.client import Object

STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})
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

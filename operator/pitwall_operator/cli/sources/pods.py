"""Groups a cluster's Deployments and pods into the pools of every variant, and says why a pod does not answer."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pitwall_crds.names import ObjectLabel
from pitwall_operator.cli.sources.port import Pod, PoolView

Manifest = Mapping[str, Any]


def pools_of(deployments: Iterable[Manifest], pods: Iterable[Manifest]) -> Iterator[PoolView]:
    """One view for each Deployment of a variant, with its pods."""
    by_pool: dict[tuple[str, str, str], list[Pod]] = {}
    for pod in pods:
        if "deletionTimestamp" not in pod["metadata"]:
            by_pool.setdefault(_key(pod), []).append(_seen(pod))
    for deployment in deployments:
        key = _key(deployment)
        yield PoolView(
            *key,
            revision=_label(deployment, ObjectLabel.REVISION),
            ready=deployment.get("status", {}).get("readyReplicas", 0),
            desired=deployment["spec"].get("replicas", 1),
            pods=tuple(by_pool.get(key, ())),
        )


def _label(owned: Manifest, label: ObjectLabel) -> str:
    return str(owned["metadata"].get("labels", {}).get(label, ""))


def _key(owned: Manifest) -> tuple[str, str, str]:
    return owned["metadata"]["namespace"], _label(owned, ObjectLabel.VARIANT), _label(owned, ObjectLabel.POOL)


def _seen(pod: Manifest) -> Pod:
    status = pod.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    ready = conditions.get("Ready", {}).get("status") == "True"
    return Pod(pod["metadata"]["name"], ready, "" if ready else _reason(status, conditions.get("PodScheduled", {})))


def _reason(status: Manifest, scheduled: Manifest) -> str:
    """Why a pod does not answer: what its container waits for, else why no node takes it, else its phase."""
    for container in status.get("containerStatuses", ()):
        match container.get("state", {}):
            case {"waiting": waiting}:
                return ": ".join(filter(None, (waiting.get("reason", "waiting"), waiting.get("message", "")[:200])))
            case {"terminated": ended}:
                return f"{ended.get('reason', 'ended')}, exit code {ended.get('exitCode')}"
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')[:200]}"
    return "not ready yet" if status.get("phase") == "Running" else str(status.get("phase", "Pending"))

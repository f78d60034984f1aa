"""Writes announcements as Kubernetes Events, and counts a repeated one instead of writing it twice."""

import hashlib
import logging
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pitwall_crds.names import FIELD_MANAGER
from pitwall_operator.kube.client import EVENTS, Kube, Object
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.errors import KubeConflictError, KubeError, KubeRefusedError

log = logging.getLogger(__name__)

MESSAGE_BYTES: Final = 1000


@dataclass(slots=True)
class Events:
    """Writes Events. They tell people; no decision relies on them, so a failed one is only logged."""

    kube: Kube
    instance: str = field(default_factory=socket.gethostname)

    async def announce(self, rollout: Object, effect: Announce) -> str:
        """Tell; why that was refused, empty if it was not."""
        log.log(
            logging.WARNING if effect.warning else logging.INFO,
            "%s/%s %s: %s", rollout["metadata"]["namespace"], rollout["metadata"]["name"], effect.reason,
            effect.message,
        )  # fmt: skip
        event = self._event(rollout, effect)
        try:
            await self.kube.create(EVENTS, event)
        except KubeConflictError:
            await self._again(event)
        except KubeError as error:
            log.warning("an event could not be written: %s", error)
            return f"an Event could not be written: {error}" if isinstance(error, KubeRefusedError) else ""
        return ""

    async def _again(self, event: Object) -> None:
        head = event["metadata"]
        try:
            known = await self.kube.get(EVENTS, head["namespace"], head["name"])
            counted = {**event, "firstTimestamp": known.get("firstTimestamp"), "count": known.get("count", 1) + 1}
            await self.kube.apply(EVENTS, counted)
        except KubeError as error:
            log.warning("an event could not be counted: %s", error)

    def _event(self, rollout: Object, effect: Announce) -> Object:
        metadata = rollout["metadata"]
        said = hashlib.sha256(f"{metadata['uid']}|{effect.reason}|{effect.message}".encode()).hexdigest()[:16]
        now = datetime.fromtimestamp(self.kube.clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.name,
            "metadata": {"namespace": metadata["namespace"], "name": f"{metadata['name']}.{said}"},
            "involvedObject": {
                "apiVersion": rollout["apiVersion"], "kind": rollout["kind"], "name": metadata["name"],
                "namespace": metadata["namespace"], "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": "Warning" if effect.warning else "Normal",
            "reason": effect.reason.value,
            "message": effect.message.encode()[:MESSAGE_BYTES].decode(errors="ignore"),
            "source": {"component": FIELD_MANAGER, "host": self.instance},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": self.instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }  # fmt: skip

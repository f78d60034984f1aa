"""Writes the statuses of Rollouts and SamplerVariants, never over what somebody else wrote meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from pitwall_crds.host.printable import printable
from pitwall_crds.names import EventReason
from pitwall_crds.reading.faults import first_faults
from pitwall_crds.resource import Condition, ConditionStatus
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_crds.variant.variant import SamplerVariantStatus
from pitwall_operator.kube.cache import Cache, version_of
from pitwall_operator.kube.client import ROLLOUTS, Kind, Kube, Object
from pitwall_operator.kube.events import Events
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.errors import KubeConflictError, KubeNotFoundError, OvertakenError
from pitwall_operator.values.object_key import Key

WORDS_SECONDS: Final = 5.0
"""A status of which only the words changed is written no more often than this."""


@dataclass(slots=True)
class StatusWriter:
    """Where statuses are written, and when the words of each last were; the latter can be lost."""

    kube: Kube
    cache: Cache
    events: Events
    clock: Callable[[], float] = time.monotonic
    _words_at: dict[Key, float] = field(default_factory=dict)

    def forget(self, key: Key) -> None:
        """The rollout is gone."""
        self._words_at.pop(key, None)

    async def write(self, found: Object, rollout: Rollout, status: RolloutStatus) -> None:
        """The status of a rollout, if it says something new. Raises OvertakenError."""
        if status == rollout.status:
            return
        key = (rollout.metadata.namespace, rollout.metadata.name)
        same = rollout.status.observed_generation and _deeds(status) == _deeds(rollout.status)
        if same and self.clock() - self._words_at.get(key, float("-inf")) < WORDS_SECONDS:
            return
        self._words_at[key] = self.clock()
        await self.put(ROLLOUTS, found, as_json(status))

    async def put(self, kind: Kind, found: Object, status: Object) -> None:
        """The status of an object. Raises OvertakenError after reading the object that somebody else changed, and where
        it is gone: what a turn decided for it is not to be done."""
        metadata = found["metadata"]
        key = (metadata["namespace"], metadata["name"])
        try:
            self.cache.put(kind, await self.kube.replace_status(kind, {**found, "status": status}))
        except KubeNotFoundError as gone:
            self.cache.drop(kind, key, version_of(found))
            raise OvertakenError(str(gone)) from gone
        except KubeConflictError as conflict:
            try:
                self.cache.put(kind, await self.kube.get(kind, *key))
            except KubeNotFoundError:
                self.cache.drop(kind, key, version_of(found))
            raise OvertakenError(str(conflict)) from conflict

    async def tell_broken(self, key: Key, error: Exception) -> None:
        """Say in a rollout's status that its turn broke; all else that the status says stays."""
        found = self.cache.get(ROLLOUTS, key)
        if found is not None:
            words = printable(f"{type(error).__name__}: {error}")
            said = f"its turn broke, so nothing moves; the operator's log says where: {words}"
            await self._say_not_ready(found, EventReason.BROKEN, said, {"reason": said[:256]})

    async def tell_standstill(self, found: Object, words: str) -> None:
        """Say in a rollout's status, and as an Event, what keeps the operator itself from moving anything."""
        said = f"the operator cannot do what it needs to, so nothing moves: {printable(words)}"
        await self._say_not_ready(found, EventReason.REFUSED, said, {"reason": said[:256]})
        await self.events.announce(found, Announce(EventReason.REFUSED, said, warning=True))

    async def refuse(self, found: Object, error: ValidationError) -> None:
        """Say in the status that a resource cannot be read, which the API server should have refused."""
        said = "; ".join(first_faults(error, most=4))
        words = {"phase": Phase.INVALID.value, "reason": said[:256]}
        await self._say_not_ready(found, EventReason.INVALID, f"the resource cannot be read: {said}", words)

    async def _say_not_ready(self, found: Object, reason: EventReason, said: str, words: Object) -> None:
        known = status if isinstance(status := found.get("status"), dict) else {}
        told = conditions if isinstance(conditions := known.get("conditions"), list) else []
        told = [one for one in told if isinstance(one, dict)]
        generation = found["metadata"].get("generation", 0)
        ready = Condition(
            type="Ready",
            status=ConditionStatus.FALSE,
            observed_generation=generation,
            last_transition_time=timestamps.to_text(self.kube.clock()),
            reason=reason,
            message=said[:2048],
        ).to_yaml_dict()
        before: Object = next((one for one in told if one.get("type") == "Ready"), {})
        if {**before, "lastTransitionTime": ""} == {**ready, "lastTransitionTime": ""}:
            return
        others = [one for one in told if one.get("type") != "Ready"]
        whole = {**known, **words, "observedGeneration": generation, "conditions": [ready, *others]}
        await self.put(ROLLOUTS, found, whole)


def as_json(status: RolloutStatus | SamplerVariantStatus) -> Object:
    """Also what is as by default, since people and columns read it; the API server refuses null."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _deeds(status: RolloutStatus) -> RolloutStatus:
    """The status without words that change by themselves."""
    conditions = tuple(one.model_copy(update={"message": ""}) for one in status.conditions)
    return status.model_copy(update={"reason": "", "conditions": conditions})

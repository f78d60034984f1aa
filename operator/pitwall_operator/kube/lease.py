"""Leader election: decides by a Lease which replica may act.

Only the monotonic clock decides, so a clock that jumps cannot elect two. The times in the Lease are for people: a
candidate takes a Lease over when it saw no change of it for a whole duration by its own clock; a holder stops acting
a safety margin before that could happen.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pitwall_operator.kube.client import LEASES, Kube, Object
from pitwall_operator.values.errors import KubeConflictError, KubeError, KubeNotFoundError

log = logging.getLogger(__name__)

DURATION_SECONDS: Final = 12.0
RENEW_SECONDS: Final = 3.0
RETRY_SECONDS: Final = 1.0
MARGIN_SECONDS: Final = 5.0
"""A call that begins now ends within this time (kube.TIMEOUT_SECONDS), so it ends while the lease is still held."""


@dataclass(slots=True)
class Lease:
    """One replica's view of the Lease."""

    kube: Kube
    namespace: str
    name: str
    identity: str
    clock: Callable[[], float] = time.monotonic
    _held_until: float = field(default=0.0, init=False)
    _seen: tuple[str, str] = field(default=("", ""), init=False)
    _seen_at: float = field(default=0.0, init=False)
    _leading: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def may_act(self) -> bool:
        """Whether a call that begins now ends before anybody else can hold the lease."""
        return self.clock() < self._held_until - MARGIN_SECONDS

    @property
    def leading(self) -> asyncio.Event:
        """Set while this replica holds the lease."""
        return self._leading

    async def keep(self, stopped: asyncio.Event) -> None:
        """Acquire, renew, acquire again until told to stop; then give the lease back."""
        while not stopped.is_set():
            await self._try_once()
            pause = RENEW_SECONDS if self.may_act() else RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause)

    async def release(self) -> None:
        """Let another replica take over at once."""
        if not self._leading.is_set():
            return
        self._follow("it was given back")
        with contextlib.suppress(KubeError):
            found = await self.kube.get(LEASES, self.namespace, self.name)
            if _spec(found).get("holderIdentity") == self.identity:
                said = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
                found["spec"] = {**_spec(found), **said}
                await self.kube.put_lease(found)

    async def _try_once(self) -> None:
        """One step of the election; whatever goes wrong, the lease runs out by itself."""
        asked = self.clock()
        try:
            if await self._hold():
                self._held_until = asked + DURATION_SECONDS
                if not self._leading.is_set():
                    log.info("%s holds the lease %s/%s", self.identity, self.namespace, self.name)
                    self._leading.set()
                return
        except KubeError as error:
            log.warning("the lease %s/%s cannot be renewed: %s", self.namespace, self.name, error)
        if not self.may_act() and self._leading.is_set():
            self._follow("it was not renewed in time")

    async def _hold(self) -> bool:
        """Whether the lease is ours after this call."""
        try:
            found = await self.kube.get(LEASES, self.namespace, self.name)
        except KubeNotFoundError:
            await self.kube.put_lease(self._fresh())
            return True
        spec = _spec(found)
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self.identity) and not self._expired(found):
            self._held_until = 0.0
            return False
        taken = {name: spec[name] for name in ("acquireTime", "leaseTransitions") if name in spec}
        if holder != self.identity:
            taken = {"acquireTime": _now(), "leaseTransitions": _following(spec.get("leaseTransitions"))}
        found["spec"] = {
            **taken,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(DURATION_SECONDS),
            "renewTime": _now(),
        }
        try:
            await self.kube.put_lease(found)
        except KubeConflictError:
            return False
        return True

    def _expired(self, found: Object) -> bool:
        """Whether nobody renewed it for a whole duration, by this replica's own clock."""
        seen = (found["metadata"]["uid"], found["metadata"]["resourceVersion"])
        if seen != self._seen:
            self._seen, self._seen_at = seen, self.clock()
            return False
        return self.clock() - self._seen_at >= DURATION_SECONDS

    def _fresh(self) -> Object:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.name,
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": int(DURATION_SECONDS),
                "acquireTime": _now(),
                "renewTime": _now(),
                "leaseTransitions": 0,
            },
        }

    def _follow(self, why: str) -> None:
        self._held_until = 0.0
        self._leading.clear()
        log.warning("%s no longer holds the lease %s/%s: %s", self.identity, self.namespace, self.name, why)


def _spec(found: Object) -> Mapping[str, Any]:
    """What a Lease says; whoever may write Leases can leave it without."""
    return found.get("spec") or {}


def _following(transitions: object) -> int:
    """The number after this one, as far as the API server's 32 bits go; what is no number counts as none."""
    return transitions + 1 if isinstance(transitions, int) and 0 <= transitions < _MOST_TRANSITIONS else 1


_MOST_TRANSITIONS: Final = 2**31 - 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

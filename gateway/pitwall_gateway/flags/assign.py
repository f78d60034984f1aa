"""Assigns a user to an arm and a variant, and names the variants that get a shadow copy; it never fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pitwall_crds.names import Arm, experiment_flag, shadow_flag
from pitwall_gateway.flags.first_visits import FirstVisits
from pitwall_gateway.flags.port import ERROR_REASON, AssignedFlag, Flags

log = logging.getLogger(__name__)
SERVING_ARMS = frozenset({Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE})


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who answers a user. An empty variant means that nothing is known to serve."""

    arm: Arm
    variant: str
    reason: str


class Assigner:
    """Evaluates the traffic flag, and its shadow and experiment flags, for one user at a time."""

    def __init__(self, flags: Flags, flag: str, serving_variant: Callable[[str], str]) -> None:
        """`serving_variant` gets the last known stable variant and returns it, or another if it serves no more."""
        self._flags = flags
        self._flag = flag
        self._serving_variant = serving_variant
        self._last_stable = ""
        self._complaint = ""
        self._first_visits = FirstVisits()

    def meets(self, user: str) -> str | None:
        """The present split's name at a user's first question under it, else None; a caller without a name is a new one
        each time."""
        return self._first_visits.split if self._first_visits.meets(user, self._flags.document(self._flag)) else None

    def assign(self, targeting_key: str) -> Assignment:
        """The flag's arm and variant; on any failure the last known stable variant with reason ERROR."""
        resolution = self._flags.resolve(self._flag, targeting_key)
        if resolution.variant not in SERVING_ARMS or not resolution.value:
            self._complain(resolution)
            return Assignment(Arm.STABLE, self.stable_variant(), ERROR_REASON)
        self._complain(None)
        arm = Arm(resolution.variant)
        if arm is not Arm.CANDIDATE:
            self._last_stable = resolution.value
        return Assignment(arm, resolution.value, resolution.reason)

    def copies(self, targeting_key: str) -> tuple[str, ...]:
        """The variants that get a shadow copy of this user's question, each once."""
        shadow, prefix = shadow_flag(self._flag), experiment_flag(self._flag, "")
        keys = [key for key in self._flags.keys() if key == shadow or key.startswith(prefix)]  # noqa: SIM118 – a port
        values = (self._flags.resolve(key, targeting_key).value for key in sorted(keys))
        return tuple(dict.fromkeys(value for value in values if value))

    def stable_variant(self) -> str:
        """The last stable variant that the flag named if it serves, else one that does; empty when none is known."""
        return self._serving_variant(self._last_stable)

    def _complain(self, failed: AssignedFlag | None) -> None:
        """Log a failure when it begins and its end, not once a query."""
        complaint = "" if failed is None else failed.detail or f"it says {failed.variant!r} → {failed.value!r}"
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if failed is None:
            log.warning("flag %s: evaluated again", self._flag)
        else:
            log.warning("flag %s: %s; answering with %s", self._flag, complaint, self.stable_variant() or "nobody")

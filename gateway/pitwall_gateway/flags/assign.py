"""Assigns a user to an arm and a variant, and names the variants that get a shadow copy; it never fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pitwall_crds.names import Arm, experiment_flag, shadow_flag
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.flags.first_visits import Counts, FirstVisits
from pitwall_gateway.flags.port import ERROR_REASON, AssignedFlag, Flags
from pitwall_gateway.flags.said import DocumentReader, Substitute

log = logging.getLogger(__name__)
SERVING_ARMS = frozenset({Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE})
LOOKS = 3
"""A flag may change between its evaluation and a look at its document; then it is evaluated again, so many times."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who answers a user, and under which run. An empty variant means that nothing is known to serve."""

    arm: Arm
    variant: str
    reason: str
    run: str = ""

    @property
    def series(self) -> ArmSeries:
        """Whose series the question counts on."""
        return ArmSeries(self.variant, self.arm, self.run)


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
        self._runs = DocumentReader()
        self._shadow_runs = DocumentReader()

    def meets(self, user: str, counts: Counts) -> None:
        """A question of this user, which is counted where it is the first under the present split; a caller without a
        name is a new one each time."""
        self._first_visits.meets(user, self._flags.document(self._flag), counts)

    def assign(self, targeting_key: str) -> Assignment:
        """The flag's arm and variant; on any failure the last known stable variant with reason ERROR."""
        resolution, run = self._settled(self._flag, targeting_key, self._runs)
        if resolution.variant not in SERVING_ARMS or not resolution.value:
            self._complain(resolution)
            return Assignment(Arm.STABLE, self.stable_variant(), ERROR_REASON)
        self._complain(None)
        arm = Arm(resolution.variant)
        if arm is not Arm.CANDIDATE:
            self._last_stable = resolution.value
        return Assignment(arm, resolution.value, resolution.reason, run)

    def copies(self, targeting_key: str) -> tuple[ArmSeries, ...]:
        """The series of the shadow copies of this user's question, each variant once. Experiments have no run: nothing
        is decided by them, and the candidate's pairs must be a fair sample."""
        prefix = experiment_flag(self._flag, "")
        keys = [key for key in self._flags.keys() if key.startswith(prefix)]  # noqa: SIM118 – a port
        runs = {self._flags.resolve(key, targeting_key).value: "" for key in sorted(keys)}
        shadow = shadow_flag(self._flag)
        if shadow in self._flags.keys():  # noqa: SIM118 – a port
            resolution, run = self._settled(shadow, targeting_key, self._shadow_runs)
            runs[resolution.value] = run
        return tuple(ArmSeries(variant, Arm.SHADOW, run) for variant, run in runs.items() if variant)

    def _settled(self, key: str, targeting_key: str, runs: DocumentReader) -> tuple[AssignedFlag, str]:
        """The flag's word and the run of the same document; a flag that changes all the time has no run."""
        before = self._flags.document(key)
        for _ in range(LOOKS):
            resolution = self._flags.resolve(key, targeting_key)
            after = self._flags.document(key)
            if after is before:
                return resolution, runs.read(before).run
            before = after
        return resolution, ""

    def stable_variant(self) -> str:
        """The variant that the flag names as stable, whether it serves or not. While no flag says, the last one that
        did if it serves, else one that does; empty when none is known."""
        return self._runs.read(self._flags.document(self._flag)).stable or self._serving_variant(self._last_stable)

    def substitute(self) -> Substitute | None:
        """Who may answer stable's questions at this moment, should stable not be able to."""
        return self._runs.read(self._flags.document(self._flag)).substitute

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

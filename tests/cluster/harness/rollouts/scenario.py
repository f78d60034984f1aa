"""One test's rollout: its namespace, users and operator, and helpers to observe it."""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.plane.control_plane import Request
from harness.plane.kube import Kubectl, condition
from harness.processes import PATIENCE_SECONDS, until
from harness.rollouts import examples
from harness.rollouts.world import FlagServiceProcess, Operator, Prometheus, QuestionLoad

from pitwall_crds.names import FULL_WEIGHT
from pitwall_operator.record.lines import Line
from pitwall_operator.record.replay import replay

QUIET_SECONDS = 2.0
FEW = 40.0
"""Questions a second that can be measured, and prove nothing within a test."""
CANARY = [
    {"weightBasisPoints": 2000, "minSeconds": 1},
    {"weightBasisPoints": 10_000, "minSeconds": 0, "bakeSeconds": 1},
]
"""No shadow first: the candidate gets users at once."""


def disagreements(journal: Sequence[Line]) -> list[str]:
    """Where a verdict is not what its blocks' counts give; a record without blocks would prove nothing."""
    replayed = list(replay(journal))
    assert replayed, "the record has no blocks"
    return [words for block in replayed for words in block.disagreements()]


@dataclass
class Scenario:
    """Everything that belongs to one rollout of the examples."""

    kubectl: Kubectl
    namespace: str
    flags: FlagServiceProcess
    prometheus: Prometheus
    load: QuestionLoad
    operator: Operator
    name: str = "sampler"
    replicas: list[Operator] = field(default_factory=list)

    @property
    def flag(self) -> str:
        return self.load.flag

    def take_operator(self, **changes: Any) -> Operator:
        """Another operator than usual, not started yet."""
        self.operator = replace(self.operator, **changes)
        self.replicas.append(self.operator)
        return self.operator

    def apply(self, file: str, **edits: object) -> str:
        """`kubectl apply` of the variants and of one example; edits name a path with __ for dots."""
        rollout = examples.rollout(file, self.flag)
        for path, value in edits.items():
            rollout = examples.edited(rollout, path.replace("__", "."), value)
        return self.kubectl.apply([*examples.variants(), rollout], self.namespace)

    def start(self, file: str = "rollout.yaml") -> None:
        """Starts the users, and brings the first variant to everybody, as an installation begins."""
        self.load.start()
        self.operator.start()
        self.apply(file)
        self.await_phase("Stable")
        self.await_status(lambda _: bool(self.split()), "the flag")

    def start_canary(self, *, stages: Sequence[Mapping[str, int]] = CANARY, **edits: object) -> None:
        """Has the example's candidate get users, and too few of them to prove anything."""
        self.start()
        self.load.behave(rate=FEW)
        self.apply("rollout-aks.yaml", spec__stages=list(stages), **edits)
        self.await_phase("Canary")
        share = stages[0]["weightBasisPoints"]
        self.await_status(lambda status: status["weight"] == f"{share // 100}%", "the first stage's weight")
        self.await_share("aks-v1", share)

    def ask(self, verb: str, actor: str = "test", **more: object) -> None:
        """What `kubectl pitwall VERB` does."""
        action = {"id": secrets.token_hex(4), "verb": verb, "actor": actor, **more}
        self.patch("rollout", self.name, {"spec": {"action": action}})

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(patch), namespace=self.namespace)

    def rollout(self) -> dict[str, Any]:
        return self._read(f"pitwall.dev/v1alpha1/namespaces/{self.namespace}/rollouts/{self.name}")

    def _read(self, path: str) -> dict[str, Any]:
        """What is asked for again and again, without a kubectl each time: that takes more than what is waited for."""
        found: dict[str, Any] = self.operator.plane.read(f"/apis/{path}")
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.rollout().get("status", {})
        return found

    def await_status(
        self, claim: Callable[[dict[str, Any]], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Returns once the status is so; fails with what it was last."""
        last: dict[str, Any] = {}

        def holds() -> bool:
            assert not self.load.process.has_ended, f"the load ended:\n{self.load.process.last_words()}"
            last.clear()
            last.update(self.status())
            return claim(last)

        try:
            until(holds, seconds=seconds, what=what, every=0.3)
        except AssertionError as error:
            words = {name: last.get(name) for name in ("phase", "stage", "weight", "verdict", "reason")}
            raise AssertionError(f"{error}; last {words}\n{self.operator.process.last_words()}") from None

    def await_phase(self, phase: str, *, variant: str = "", seconds: float = PATIENCE_SECONDS) -> None:
        """Returns once the rollout is in this phase, with this variant serving."""

        def reached(status: dict[str, Any]) -> bool:
            serves = not variant or status.get("stableVariant") == variant
            return status.get("phase") == phase and serves and self._is_observed()

        self.await_status(reached, f"phase {phase} {variant}", seconds)

    def await_split(self, split: Mapping[str, int]) -> None:
        """Returns once users are split so: a status is written before what it means is done."""
        self.await_status(lambda _: self.split() == split, f"users split {split}")

    def await_share(self, variant: str, basis_points: int) -> None:
        """Returns once the variant has this share of users."""
        claim = f"{basis_points} of 10000 users for {variant}"
        self.await_status(lambda _: self.split().get(variant, 0) == basis_points, claim)

    def assert_promoted_once(self, variant: str = "aks-v1") -> None:
        """The end that every way must have: the candidate serves, was promoted once, and the record is whole."""
        self.await_phase("Stable", variant=variant)
        self.await_split({variant: FULL_WEIGHT})
        reasons = [entry["reason"] for entry in self.status()["history"] if entry["variant"] == variant]
        assert reasons.count("Promoted") == 1
        self.assert_record_is_whole()

    def assert_weight_only_grew(self, variant: str = "aks-v1") -> None:
        """Nobody who had met the candidate was taken back."""
        weights = [split.get(variant, 0) for split in self.flags.history(self.flag)]
        assert weights == sorted(weights), weights

    def assert_record_is_whole(self) -> None:
        """One run, and every verdict is what its blocks' counts give: none is missing, none counts twice."""
        journal = self.journal()
        assert len({line["run"] for line in journal if line["kind"] == "block"}) == 1
        assert disagreements(journal) == []

    def await_rest(self) -> int:
        """Where the audit log ends once the operator has written nothing but its lease for a moment."""
        plane = self.operator.plane

        def is_quiet() -> bool:
            position = plane.audit_position()
            time.sleep(QUIET_SECONDS)
            return not self.writes(position)

        until(is_quiet, what="an operator at rest")
        return plane.audit_position()

    def writes(self, since: int) -> list[Request]:
        """What the operator asked the API server to change, beside its lease, from a position in the audit log on."""
        asked = self.operator.plane.requests("operator", since=since)
        return [request for request in asked if request.is_write and request.resource != "leases"]

    def _is_observed(self) -> bool:
        """Whether the status is about the present spec."""
        found = self.rollout()
        return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])

    def condition(self, kind: str) -> str:
        return condition(self.rollout(), kind)

    def deployments(self) -> dict[str, int]:
        """Replicas by name."""
        return {
            each["metadata"]["name"]: each["spec"]["replicas"]
            for each in self._read(f"apps/v1/namespaces/{self.namespace}/deployments")["items"]
        }

    def split(self) -> dict[str, int]:
        """Each variant's share of 10000 as users get it."""
        return self.flags.split(self.flag)

    def journal(self) -> list[dict[str, Any]]:
        return self.flags.journal(self.namespace, self.name)

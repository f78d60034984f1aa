"""Keeps the operators of a cluster apart: which Rollouts are this one's, by instance and by namespace.

An operator of single namespaces claims each by a Lease there; one of the whole cluster keeps out of namespaces that
are claimed, and claims the rest by a Lease where administrators alone write. Of two that want the same, the one that
came first has it, and learns of the other, to tell people. Whoever may write Leases in a namespace can keep an operator
out of that one, and of no other; what cannot be read of a Lease counts as not said, and is written anew.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pitwall_crds.host.printable import printable
from pitwall_crds.names import ObjectLabel
from pitwall_operator.kube.client import LEASES, Kube, Object
from pitwall_operator.values.errors import KubeConflictError, KubeError, KubeNotFoundError, KubeRefusedError

log = logging.getLogger(__name__)

RENEW_SECONDS: Final = 10.0
DURATION_SECONDS: Final = 40.0
"""A claim that nobody renewed for so long, as seen from here, is nobody's."""

CLAIM_LABEL: Final = "pitwall.dev/claim"
SCOPE: Final = "pitwall.dev/scope"
RIVAL: Final = "pitwall.dev/rival"
"""Annotation of a claim: who wants the same, and since when he last said so."""

NAME_CHARACTERS: Final = 320
"""Of another operator's name; a namespace, a slash and the name of a Lease have 317."""

SAID_SECONDS: Final = 60.0
"""An operator that keeps out of what it is for says so this often."""
SHOWN: Final = 5
"""So many of the namespaces that it keeps out of are named."""

CLUSTER: Final = "cluster"
NAMESPACE: Final = "namespace"
EVERYWHERE: Final = ""
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class OperatorScope:
    """What one operator is for.

    Attributes:
        owner: its name among operators, the same for all its replicas: `namespace/lease`.
        claims_in: the namespace of the claims of the whole cluster, the same for all operators. Whoever may write
            Leases there can keep an operator out of everything.
        instance: the value of the label `pitwall.dev/instance` of its Rollouts; empty: those without the label.
        namespaces: those that it watches; none are all.
    """

    owner: str
    claims_in: str = "kube-system"
    instance: str = ""
    namespaces: tuple[str, ...] = ()

    @property
    def claim(self) -> str:
        """The name of its Lease in a namespace that it claims."""
        return self.of_a_namespace if self.namespaces else f"{self.of_a_namespace}-everywhere"

    @property
    def of_a_namespace(self) -> str:
        """The name of the Lease of each namespace that somebody claims."""
        return f"pitwall-claim-{self.instance or DEFAULT}"


@dataclass(slots=True)
class Claims:
    """Which namespaces are this operator's, as far as is known. Unknown is ours: the API server refuses late writes."""

    kube: Kube
    scope: OperatorScope
    clock: Callable[[], float] = time.monotonic
    rivals: dict[str, str] = field(default_factory=dict)
    """Whose a namespace is, where it is another operator's; the key EVERYWHERE: the whole cluster's."""

    _contested: dict[str, str] = field(default_factory=dict)
    _seen: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _told_at: float = float("-inf")

    def are_ours(self, found: Object) -> bool:
        """Whether a resource is this operator's business."""
        metadata = found["metadata"]
        if (metadata.get("labels") or {}).get(ObjectLabel.INSTANCE, "") != self.scope.instance:
            return False
        return not {EVERYWHERE, metadata["namespace"]} & self.rivals.keys()

    def contested(self, namespace: str) -> str:
        """Which other operator wants this namespace too, and how to keep the two apart; empty if none does."""
        rival = self._contested.get(namespace) or self._contested.get(EVERYWHERE, "")
        return rival and (
            f"operator {rival} watches this namespace too and keeps out of it: give it other namespaces "
            "(watch.namespaces) or another instance (operator.instance)"
        )

    def held_back(self) -> str:
        """What this operator keeps out of, whose that is and what sets the two apart; empty if it has all it wants."""
        whole = self.rivals.get(EVERYWHERE)
        if whole:
            lease = f"{self.scope.claims_in}/{self.scope.claim}"
            return (
                f"operator {whole} has the whole cluster by Lease {lease}, so this one does nothing: stop one of them, "
                "or give it namespaces (watch.namespaces) or another instance (operator.instance)"
            )
        shown = ", ".join(f"{place} ({rival})" for place, rival in sorted(self.rivals.items())[:SHOWN])
        more = f" and {len(self.rivals) - SHOWN} more" if len(self.rivals) > SHOWN else ""
        return shown and (
            f"other operators have these namespaces by Leases {self.scope.of_a_namespace} in them, so this one does "
            f"nothing there: {shown}{more}"
        )

    async def keep(self, leading: asyncio.Event, stopped: asyncio.Event, changed: Callable[[], None]) -> None:
        """Renew the claims while this replica leads, and call `changed` when others' claims have."""
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), RENEW_SECONDS)
            if leading.is_set() and not stopped.is_set() and await self.settle():
                changed()

    async def settle(self) -> bool:
        """Claim what is to be claimed, and learn what is another's; whether that changed. What cannot be found out
        stays as it was, and keeps nothing else from being settled."""
        before, contested = dict(self.rivals), dict(self._contested)
        for namespace in self.scope.namespaces:
            await self._settle(f"namespace {namespace}", self._claim(namespace, namespace))
        if not self.scope.namespaces:
            await self._settle("the other namespaces", self._survey())
            await self._settle("the whole cluster", self._claim(self.scope.claims_in, EVERYWHERE))
        self._tell(changed=self.rivals != before)
        return (self.rivals, self._contested) != (before, contested)

    async def _settle(self, what: str, settling: Coroutine[Any, Any, None]) -> None:
        """One claim; whatever it meets, the others are settled all the same."""
        words = ""
        try:
            await settling
        except KubeRefusedError as error:
            words = f"other operators cannot be kept apart: {error}; give this one the rights on leases"
        except KubeError as error:
            log.warning("the claim of %s cannot be settled: %s", what, error)
        except Exception:  # a Lease that others wrote must stop neither the other claims nor the turns
            log.exception("the claim of %s could not be settled; again in %.0f s", what, RENEW_SECONDS)
        if words and words != self._said.get(what):
            log.warning("%s", words)
        self._said[what] = words

    def _tell(self, *, changed: bool) -> None:
        """Say what this operator keeps out of: at once, and again each minute, louder where it was told to be there."""
        words = self.held_back()
        if changed and not words:
            log.warning("claims: no namespace is another operator's")
        if words and (changed or self.clock() - self._told_at >= SAID_SECONDS):
            self._told_at = self.clock()
            wanted = bool(self.scope.namespaces) or EVERYWHERE in self.rivals
            log.log(logging.WARNING if wanted or changed else logging.INFO, "claims: %s", words)

    async def _survey(self) -> None:
        """Which namespaces others have claimed. Each claim counts where it is and nowhere else, so that nobody's own
        namespace decides about the others."""
        fields = f"metadata.name={self.scope.of_a_namespace}"
        found = [claim async for page in self.kube.pages(LEASES, fields=fields) for claim in page["items"]]
        others = {claim["metadata"]["namespace"]: _holder(claim) for claim in found if self._is_anothers(claim)}
        everywhere = {place: rival for place, rival in self.rivals.items() if place == EVERYWHERE}
        self.rivals = others | everywhere

    async def _claim(self, namespace: str, place: str) -> None:
        """Make or renew one claim; or learn whose it is, and tell him."""
        try:
            found = await self.kube.get(LEASES, namespace, self.scope.claim)
        except KubeNotFoundError:
            found = self._fresh(namespace)
        if self._is_anothers(found):
            self.rivals[place] = _holder(found)
            await self._protest(found)
            return
        self.rivals.pop(place, None)
        rival = _rival(found, self.kube.clock())
        if rival:
            self._contested[place] = rival
        else:
            self._contested.pop(place, None)
        self._mark(found)
        found["spec"] = {
            "holderIdentity": self.scope.owner,
            "leaseDurationSeconds": int(DURATION_SECONDS),
            "renewTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        with contextlib.suppress(KubeConflictError):  # somebody told us of himself meanwhile: next time
            await self.kube.put_lease(found)

    async def _protest(self, claim: Object) -> None:
        """Tell the holder of a claim that somebody else wants it."""
        said = {RIVAL: f"{self.scope.owner} {self.kube.clock():.0f}"}
        claim["metadata"]["annotations"] = {**_annotations(claim), **said}
        with contextlib.suppress(KubeConflictError):
            await self.kube.put_lease(claim)

    def _is_anothers(self, claim: Object) -> bool:
        """Whether another operator holds it, and renewed it lately as far as could be seen."""
        holder, renewed = _holder(claim), str(_spec(claim).get("renewTime", ""))[:NAME_CHARACTERS]
        key = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        seen, at = self._seen.get(key, ("", 0.0))
        if seen != f"{holder} {renewed}":
            at = self.clock()
            self._seen[key] = (f"{holder} {renewed}", at)
        return holder not in ("", self.scope.owner) and self.clock() - at < DURATION_SECONDS

    def _fresh(self, namespace: str) -> Object:
        metadata = {"namespace": namespace, "name": self.scope.claim}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.name, "metadata": metadata, "spec": {}}

    def _mark(self, claim: Object) -> None:
        """Say what a claim of ours is, also where somebody said something else."""
        metadata, scope = claim["metadata"], NAMESPACE if self.scope.namespaces else CLUSTER
        labels = {ObjectLabel.NAME.value: "pitwall", CLAIM_LABEL: self.scope.instance or DEFAULT}
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        metadata["annotations"] = {**_annotations(claim), SCOPE: scope}


def _spec(claim: Object) -> Mapping[str, Any]:
    return claim.get("spec") or {}


def _annotations(claim: Object) -> Mapping[str, str]:
    return claim["metadata"].get("annotations") or {}


def _holder(claim: Object) -> str:
    """Printable, since it is told to people, and no longer than a name can be."""
    return printable(str(_spec(claim).get("holderIdentity") or "")[:NAME_CHARACTERS])


def _rival(claim: Object, now: float) -> str:
    """Who said lately that it wants the same; empty if nobody did, or nobody can read it."""
    rival, _, since = _annotations(claim).get(RIVAL, "").partition(" ")
    if not (since.isascii() and since.isdigit() and len(since) <= _MOST_DIGITS):
        return ""
    return printable(rival[:NAME_CHARACTERS]) if abs(now - int(since)) < DURATION_SECONDS else ""


_MOST_DIGITS: Final = 12
"""Of epoch seconds."""

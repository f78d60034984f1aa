"""Keeps the operators of a cluster apart: which Rollouts are this one's, by instance and by namespace.

An operator of single namespaces claims each by a Lease there; one of the whole cluster keeps out of namespaces that
are claimed. Of two that want the same, the one that came first has it, and learns of the other, to tell people.
Others may write these Leases too: what cannot be read of one counts as not said, and is written anew.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
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

CLUSTER: Final = "cluster"
NAMESPACE: Final = "namespace"
EVERYWHERE: Final = ""
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class OperatorScope:
    """What one operator is for.

    Attributes:
        owner: its name among operators, the same for all its replicas: `namespace/lease`.
        home: the namespace that it runs in.
        instance: the value of the label `pitwall.dev/instance` of its Rollouts; empty: those without the label.
        namespaces: those that it watches; none are all.
    """

    owner: str
    home: str
    instance: str = ""
    namespaces: tuple[str, ...] = ()

    @property
    def claim(self) -> str:
        """The name of its Lease in a namespace that it claims."""
        name = f"pitwall-claim-{self.instance or DEFAULT}"
        return name if self.namespaces else f"{name}-everywhere"


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
            await self._settle(namespace, self._claim(namespace, namespace))
        if not self.scope.namespaces:
            await self._settle(EVERYWHERE, self._claim_the_rest())
        if self.rivals != before:
            whose = ", ".join(f"{place or 'the cluster'} is {rival}'s" for place, rival in sorted(self.rivals.items()))
            log.warning("claims: %s", whose or "no namespace is another operator's")
        return (self.rivals, self._contested) != (before, contested)

    async def _settle(self, place: str, claiming: Coroutine[Any, Any, None]) -> None:
        """One claim; whatever it meets, the others are settled all the same."""
        words, where = "", place or "the cluster"
        try:
            await claiming
        except KubeRefusedError as error:
            self._contested.pop(place, None)
            words = f"other operators cannot be kept apart: {error}; give this one the rights on leases"
        except KubeError as error:
            log.warning("the claim of %s cannot be renewed: %s", where, error)
        except Exception:  # a Lease that others wrote must stop neither the other claims nor the turns
            log.exception("the claim of %s could not be settled; again in %.0f s", where, RENEW_SECONDS)
        if words and words != self._said.get(place):
            log.warning("%s", words)
        self._said[place] = words

    async def _claim_the_rest(self) -> None:
        """The whole cluster, but for what others have claimed."""
        claimed = [claim async for claim in self._claims()]
        others = [claim for claim in claimed if self._is_anothers(claim)]
        own = [claim for claim in claimed if _holder(claim) == self.scope.owner]
        everywhere = [claim for claim in (*others, *own) if _scope(claim) == CLUSTER]
        elder = min(everywhere, key=_age, default=None)
        self.rivals = {claim["metadata"]["namespace"]: _holder(claim) for claim in others if _scope(claim) == NAMESPACE}
        if elder is None or elder in own:
            await self._claim(self.scope.home, EVERYWHERE)
            return
        self.rivals[EVERYWHERE] = _holder(elder)
        await self._protest(elder)

    async def _claims(self) -> AsyncIterator[Object]:
        selector = f"{CLAIM_LABEL}={self.scope.instance or DEFAULT}"
        async for page in self.kube.pages(LEASES, "", selector):
            for claim in page["items"]:
                yield claim

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


def _scope(claim: Object) -> str:
    return _annotations(claim).get(SCOPE, "")


def _age(claim: Object) -> tuple[str, str]:
    return str(claim["metadata"].get("creationTimestamp", "")), _holder(claim)

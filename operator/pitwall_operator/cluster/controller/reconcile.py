"""Reconciles one Rollout in a cluster: observes, decides, then writes record, status, effects and Events.

The status is written only if it says something new, and before the effects: a replica that was overtaken does nothing.
A crash anywhere leaves lines that the next reconciliation repeats, or a difference that it closes.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pydantic import ValidationError

from pitwall_crds.host.printable import printable
from pitwall_crds.names import EventReason
from pitwall_crds.reading.load import revision_of
from pitwall_crds.resource import ConditionStatus
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_crds.variant.pools import pool_name
from pitwall_crds.variant.variant import SamplerVariant, SamplerVariantStatus
from pitwall_flags.client import FlagClient
from pitwall_operator.cluster.controller.next_turns import Due
from pitwall_operator.cluster.controller.notebook import Notebook
from pitwall_operator.cluster.controller.statuses import StatusWriter, as_json
from pitwall_operator.cluster.rivals import rivals
from pitwall_operator.decision.permission.runnable import Known, in_words, variant_problems
from pitwall_operator.decision.telling.conditions import with_contest
from pitwall_operator.decision.telling.variant_status import describe_variant
from pitwall_operator.kube.cache import OVERSIZED, Cache, is_leaving, mentioned
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kube, Object
from pitwall_operator.kube.events import Events
from pitwall_operator.kube.namespace_claims import Claims
from pitwall_operator.kube.pools.deployments import Deployments
from pitwall_operator.kube.pools.manifests import PORT
from pitwall_operator.kube.pools.revisions import KeptSpecs
from pitwall_operator.observe.reader import Reader
from pitwall_operator.observe.samplers import SamplerReader
from pitwall_operator.turn.elsewhere import Elsewhere
from pitwall_operator.turn.run_planner import RunPlanner
from pitwall_operator.turn.turn import TurnPorts, see_split, turn
from pitwall_operator.values.errors import OvertakenError, TurnFailedError
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.observation import PoolSeen, Unseen
from pitwall_operator.values.platform import Pools
from pitwall_operator.values.samplers_said import SamplersSaid, VariantNews

log = logging.getLogger(__name__)

METRICS_SECONDS: Final = 30.0


class StatusListener(Protocol):
    """Who wants to know every rollout's status."""

    def show(self, rollout: Rollout, status: RolloutStatus) -> None:
        """It is so now."""

    def forget(self, key: Key) -> None:
        """The rollout is gone."""


@dataclass(slots=True)
class Reconciler:
    """What turns need, and what they may forget.

    Attributes:
        statuses: told every status that was decided, for the operator's own metrics.
        known: what the runtime image can run.
        claims: which resources are this operator's.
        samplers: asks ready pods which samplers they have; None asks nobody.
        writer: writes what the turns leave in the statuses.
        due: when rollouts have their next turns.
        resync_seconds: when a rollout that rests is looked at again.
    """

    kube: Kube
    cache: Cache
    flags: FlagClient
    platform: Deployments
    reader: Reader
    events: Events
    statuses: StatusListener
    known: Known
    claims: Claims
    resync_seconds: float = 600.0
    clock: Callable[[], float] = time.monotonic
    planner: RunPlanner = field(default_factory=RunPlanner)
    samplers: SamplerReader | None = None
    writer: StatusWriter = field(init=False)
    due: Due = field(init=False)
    _metrics_at: dict[Key, float] = field(default_factory=dict)
    _kept: KeptSpecs = field(init=False)
    _failures: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    _elsewhere: Elsewhere = field(default_factory=Elsewhere)

    def __post_init__(self) -> None:
        self.writer = StatusWriter(self.kube, self.cache, self.events, self.clock)
        self.due = Due(self.resync_seconds)
        self._kept = KeptSpecs(self.kube, self.cache)

    async def take(self, key: Key) -> float | None:
        """Take a rollout's turn; in how many seconds the next one is due, None if the rollout is gone.

        Raises TurnFailedError, OvertakenError, and what the API server or the flag service raise.
        """
        found = self.cache.get(ROLLOUTS, key)
        if found is None or is_leaving(found):
            self._forget(key)
            return None
        if not self.claims.are_ours(found):
            self._forget(key)
            return self.resync_seconds
        try:
            rollout = Rollout.model_validate(found)
        except ValidationError as error:
            await self.writer.refuse(found, error)
            return self.resync_seconds
        again = await self._take(key, found, rollout)
        return again if self.cache.get(ROLLOUTS, key) is not None else None

    def _forget(self, key: Key) -> None:
        """The rollout is gone."""
        self.reader.forget(key)
        self.statuses.forget(key)
        self.writer.forget(key)
        self.planner.forget(key)
        self.due.forget(key)
        self._failures.pop(key, None)

    async def describe(self, key: Key) -> None:
        """The status of a variant that no rollout mentions."""
        found = self.cache.get(VARIANTS, key)
        if found is None:
            self._metrics_at.pop(key, None)
        elif not self.cache.rollouts_of_variant(key) and self.claims.are_ours(found):
            await self._describe_one(found, {}, ())

    async def _take(self, key: Key, found: Object, rollout: Rollout) -> float:
        names = mentioned(found) | await self._unmentioned(key, rollout)
        view = self.platform.of(key, names)
        names |= frozenset(await view.pools())
        variants = [variant for name in sorted(names) if (variant := self._variant((key[0], name)))]

        async def store(rollout: Rollout, status: RolloutStatus) -> None:
            self.statuses.show(rollout, status)
            status = with_contest(rollout, status, self.claims.contested(key[0]), now=self.kube.clock())
            await self.writer.write(found, rollout, status)

        notebook = Notebook(self.flags, store)
        invalid, failures = self._invalid(variants), self._failures
        ports = TurnPorts(
            self.flags, view, notebook, notebook, invalid, self.kube.clock, self.planner, failures,
            self.known.prefixes, self._elsewhere,
        )  # fmt: skip
        reading = self.reader.reading(rollout)
        revisions = await self._revisions(rollout, variants, await view.pools())
        done = await turn(rollout, variants, revisions, ports, reading, rivals(self.cache, key, found))
        told = [await self.events.announce(found, effect) for effect in notebook.said]
        self._failures[key] = (*self._failures.get(key, ()), *filter(None, told))
        after = rollout.model_copy(update={"status": done.decision.status})
        await self._describe(key, names | _remembered(after), after)
        if done.failures:
            raise TurnFailedError("; ".join(str(failure) for failure in done.failures))
        return self.due.after(key, done, self.cache.deployments_of(key))

    # --- what a turn needs ---

    async def _unmentioned(self, key: Key, rollout: Rollout) -> frozenset[str]:
        """Variants that may serve again, or serve although a Rollout that was made anew does not say so.

        While nobody can say which those are, all of the namespace may be.
        """
        served = frozenset(known.variant for known in rollout.status.served)
        if rollout.status.stable_variant:
            return served
        split = await see_split(self.flags, rollout.spec.flag)
        if isinstance(split, Unseen):
            return frozenset(name for namespace, name in self.cache.objects[VARIANTS] if namespace == key[0])
        return served | frozenset(share.variant for share in split.shares)

    def _variant(self, key: Key) -> SamplerVariant | None:
        found = self.cache.get(VARIANTS, key)
        if found is None or is_leaving(found):
            return None
        if words := found.get(OVERSIZED):
            log.warning("SamplerVariant %s/%s is not run: %s", *key, words)
            return None
        try:
            return SamplerVariant.model_validate(found)
        except ValidationError as error:
            log.warning("SamplerVariant %s/%s cannot be read: %s", *key, error)
            return None

    def _invalid(self, variants: Iterable[SamplerVariant]) -> Mapping[str, str]:
        """Variants that the webhook would refuse, where it is on: why they cannot run."""
        found = {variant.metadata.name: in_words(variant_problems(variant, self.known)) for variant in variants}
        return {name: words for name, words in found.items() if words}

    async def _revisions(
        self, rollout: Rollout, declared: Iterable[SamplerVariant], pools: Pools
    ) -> Mapping[tuple[str, str], SamplerVariant]:
        """Specs by name and revision: the declared ones, and those that were kept when pools first ran them."""
        specs = {(variant.metadata.name, revision_of(variant)): variant for variant in declared}
        status, namespace = rollout.status, rollout.metadata.namespace
        needed = {
            (status.stable_variant, status.stable_revision),
            (status.candidate_variant, status.candidate_revision),
        }
        if not status.stable_variant:  # what serves already will be
            needed |= {(name, seen.applied) for name, found in pools.items() for seen in found.values()}
        for name, revision in sorted(needed - specs.keys()):
            kept = await self._kept.of((namespace, name), revision) if name and revision else None
            if kept is not None:
                specs[(name, revision)] = kept
        return specs

    # --- variants ---

    async def _describe(self, key: Key, names: Collection[str], rollout: Rollout) -> None:
        pools = await self.platform.of(key, names).pools()
        for name in sorted(names):
            found = self.cache.get(VARIANTS, (key[0], name))
            owners = self.cache.rollouts_of_variant((key[0], name))
            if found is not None and (key in owners or not owners):
                await self._describe_one(found, pools.get(name, {}), (rollout,))

    async def _describe_one(self, found: Object, pools: Mapping[Any, PoolSeen], rollouts: Sequence[Rollout]) -> None:
        key = (found["metadata"]["namespace"], found["metadata"]["name"])
        variant = self._variant(key)
        if variant is None:
            return
        fresh = self.clock() - self._metrics_at.get(key, float("-inf")) >= METRICS_SECONDS
        metrics = self.reader.variant_metrics(key) if fresh else None
        endpoint = f"http://{pool_name(key[1], next(iter(pools)))}.{key[0]}.svc:{PORT}" if pools else ""
        said = await self._ask_samplers(key, pools, endpoint)
        news = VariantNews(metrics, said)
        status = describe_variant(variant, pools, rollouts, news, now=self.kube.clock(), endpoint=endpoint)
        status = _with_problems(status, self._invalid([variant]).get(key[1], ""))
        if metrics is not None:
            self._metrics_at[key] = self.clock()
        if status != variant.status:
            await self._write_variant(found, status)

    async def _ask_samplers(self, key: Key, pools: Mapping[Any, PoolSeen], endpoint: str) -> SamplersSaid | None:
        if self.samplers is None or not any(pool.ready for pool in pools.values()):
            return None
        return await self.samplers.ask(key, endpoint)

    async def _write_variant(self, found: Object, status: SamplerVariantStatus) -> None:
        try:
            await self.writer.put(VARIANTS, found, as_json(status))
        except OvertakenError:
            log.debug("%s was changed meanwhile; its status follows", found["metadata"]["name"])


def _with_problems(status: SamplerVariantStatus, problems: str) -> SamplerVariantStatus:
    """The status of a variant that cannot run says so first of all."""
    if not problems:
        return status
    said = {"status": ConditionStatus.FALSE, "reason": EventReason.INVALID.value, "message": printable(problems)[:2048]}
    return status.model_copy(update={"conditions": tuple(one.model_copy(update=said) for one in status.conditions)})


def _remembered(rollout: Rollout) -> frozenset[str]:
    """Variants that the rollout had to do with lately."""
    status = rollout.status
    names = {status.stable_variant, status.candidate_variant, *(entry.variant for entry in status.history)}
    return frozenset(names | {off.variant for off in status.flagged_off}) - {""}

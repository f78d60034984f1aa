"""Says in an admission review how long the rollout that is being applied would take, by the traffic of now."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pydantic import ValidationError

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.cluster.webhook.reviewing import MOST_OF_ONE
from pitwall_operator.kube.cache import Cache, key_of
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kind, Object
from pitwall_operator.observe.reader import Reader
from pitwall_operator.turn.run_planner import sentences_of
from pitwall_operator.values.observation import Unseen

log = logging.getLogger(__name__)

MOST: Final = 5
"""With all other advice still within what an API server passes on."""
PATIENCE_SECONDS: Final = 4.0
"""A webhook that answers late lets `kubectl apply` wait, so a plan that takes longer is left out."""
THREAD: Final = ThreadPoolExecutor(1, "plans for reviews")
"""However many edits are reviewed, also those that change nothing: one plan at a time, beside those of runs."""
AT_ONCE: Final = MOST_OF_ONE // 2
"""So many reviews wait for their plan, others go without: they hold places for which reviews without one wait, and the
API server lets none wait for twice this patience."""
_WAITING: Final = asyncio.Semaphore(AT_ONCE)


async def plan_warnings(kind: Kind, operation: str, found: Object, cache: Cache, reader: Reader) -> tuple[str, ...]:
    """The plan's sentences; none where nothing serves yet, nothing was changed, or nothing is measured."""
    rollout = _changed(kind, operation, found, cache)
    if rollout is None or _WAITING.locked():
        return ()
    try:
        async with _WAITING, asyncio.timeout(PATIENCE_SECONDS):
            reading = await reader.look(rollout)
            if isinstance(reading, Unseen):
                return ()
            stable, replicas = rollout.status.stable_variant, _replicas(rollout, cache)
            return (await sentences_of(rollout.spec, reading, stable, replicas, THREAD))[:MOST]
    except TimeoutError:
        log.warning("Rollout %s/%s was not planned within %g s", *key_of(found), PATIENCE_SECONDS)
        return ()


def _changed(kind: Kind, operation: str, found: Object, cache: Cache) -> Rollout | None:
    """The rollout with the status that is stored, if it asks for something else than what is stored."""
    stored = cache.get(ROLLOUTS, key_of(found)) if kind is ROLLOUTS and operation == "UPDATE" else None
    if stored is None or stored.get("spec") == found.get("spec"):
        return None
    try:
        known, wanted = Rollout.model_validate(stored), Rollout.model_validate({**found, "status": stored["status"]})
    except (ValidationError, KeyError):
        return None
    same = known.spec.model_copy(update={"action": wanted.spec.action}) == wanted.spec
    return None if same or not known.status.stable_variant else wanted


def _replicas(rollout: Rollout, cache: Cache) -> int:
    """Of the candidate at full weight; one where it is not declared yet."""
    declared = cache.get(VARIANTS, (rollout.metadata.namespace, rollout.spec.variant_ref.name))
    try:
        return SamplerVariant.model_validate(declared).spec.runtime.replicas if declared else 1
    except ValidationError:
        return 1

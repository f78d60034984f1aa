"""Says of a Rollout whose candidate has an image of its own that its cache begins empty, unlike its control's."""

from collections.abc import Iterator

from pydantic import ValidationError

from pitwall_crds.host import build
from pitwall_crds.rollout.gate import Gate, OnHarm
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Object
from pitwall_operator.kube.pools.manifests import CONTAINER


def cold_candidate(rollout: Rollout, cache: Cache) -> Iterator[str]:
    """A warning, where gates about pods decide, say nothing of a warm-up, and the two arms' caches are not the same."""
    namespace, name = rollout.metadata.namespace, rollout.spec.variant_ref.name
    gates = [gate.name for gate in rollout.spec.analysis.gates if _is_misled(gate)]
    image = _own_image(cache, namespace, name)
    stored = cache.get(ROLLOUTS, (namespace, rollout.metadata.name)) or {}
    stable = (stored.get("status") or {}).get("stableVariant")
    if not gates or not image or (stable and _own_image(cache, namespace, stable) == image):
        return
    more = f" and {len(gates) - 1} more" if len(gates) > 1 else ""
    yield (
        f"{name!r} has an image of its own, so its cache begins empty, unlike its control's: gate {gates[0]}{more} may "
        f"condemn or hold it for that; give {build.VARIABLE} in its pod template if it embeds alike, or warmupSeconds"
    )


def _is_misled(gate: Gate) -> bool:
    return gate.is_about_pods and gate.on_harm is not OnHarm.OBSERVE and gate.warmup_seconds is None


def _own_image(cache: Cache, namespace: str, name: str) -> str:
    """The image of a variant that says nothing of what it embeds; empty for the installation's, and for an unknown."""
    try:
        runtime = SamplerVariant.model_validate(cache.get(VARIANTS, (namespace, name))).spec.runtime
    except ValidationError:
        return ""
    template = runtime.template.model_dump(by_alias=True)
    containers = (template.get("spec") or {}).get("containers") or ()
    ours: Object = next((one for one in containers if one.get("name") == CONTAINER), {})
    if any(one.get("name") == build.VARIABLE for one in ours.get("env") or ()):
        return ""
    return str(ours.get("image") or runtime.image)

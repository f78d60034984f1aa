"""Computes the gateway's routes from Kubernetes EndpointSlices.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterable
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pitwall_crds.names import MANAGED_BY, POOL_ARMS, Arm, ObjectLabel, Pool
from pitwall_crds.variant.pools import pool_name

SELECTOR: Final = f"{ObjectLabel.MANAGED_BY}={MANAGED_BY}"
"""Selects the EndpointSlices of the runtimes' Services; their labels are the Services', which anybody may copy."""
SERVICE_LABEL: Final = "kubernetes.io/service-name"
"""Whose slice it is, as Kubernetes' controller writes it over whatever a Service says."""
PORT_NAME: Final = "http"

Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], BeforeValidator(lambda value: value or ())]
"""The API server writes an empty list as null."""
Variants = dict[str, dict[str, list[str]]]


class _Part(BaseModel):
    """A part of an EndpointSlice, as far as routes need it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Conditions(_Part):
    """Whether an endpoint takes requests; unknown counts as yes, as the API's documentation asks."""

    ready: bool | None = None


class EndpointTarget(_Part):
    """The pod behind an endpoint."""

    uid: str = ""


class Endpoint(_Part):
    """One pod's addresses."""

    addresses: Listed[str] = ()
    conditions: Conditions = Conditions()
    target: EndpointTarget = Field(default=EndpointTarget(), alias="targetRef")

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests and has an address to send them to."""
        return self.conditions.ready is not False and bool(self.addresses)


class Port(_Part):
    """One port of all endpoints of a slice."""

    name: str | None = None
    port: int | None = None


class SliceOwner(_Part):
    """The object that a slice goes with."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class SliceMetadata(_Part):
    """Which slice it is, of which Service, at which version."""

    name: str = ""
    owners: Listed[SliceOwner] = Field(default=(), alias="ownerReferences")
    labels: dict[str, str] = {}
    created: str = Field(default="", alias="creationTimestamp")
    resource_version: str = Field(default="", alias="resourceVersion")


class Slice(_Part):
    """An EndpointSlice: some or all pods of one Service, in one address family."""

    metadata: SliceMetadata
    address_type: str = Field(default="IPv4", alias="addressType")
    endpoints: Listed[Endpoint] = ()
    ports: Listed[Port] = ()

    @property
    def variant(self) -> str:
        """The SamplerVariant that the pods serve; empty for a slice that is none of ours."""
        return self.metadata.labels.get(ObjectLabel.VARIANT, "")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that the slice's pool serves; none for an unknown pool, and for a slice of a Service that merely
        carries a pool's labels: a pool has one Service, whose name is nobody else's."""
        pool = self.metadata.labels.get(ObjectLabel.POOL, "")
        if pool not in POOL_ARMS or not self._is_of(pool_name(self.variant, Pool(pool))):
            return ()
        return POOL_ARMS[Pool(pool)]

    def _is_of(self, service: str) -> bool:
        """Whether Kubernetes' controller made the slice for this Service."""
        controllers = [(owner.kind, owner.name) for owner in self.metadata.owners if owner.controller]
        return self.metadata.labels.get(SERVICE_LABEL) == service and controllers == [("Service", service)]

    def urls(self) -> dict[str, str]:
        """The ready endpoints' URLs by pod, so that a pod with two addresses or in two slices counts once."""
        port = next((port.port for port in self.ports if port.name == PORT_NAME and port.port), None)
        if port is None:
            return {}
        ready = [endpoint for endpoint in self.endpoints if endpoint.is_ready]
        return {
            endpoint.target.uid or endpoint.addresses[0]: f"http://{self._host(endpoint.addresses[0])}:{port}"
            for endpoint in ready
        }

    def _host(self, address: str) -> str:
        return f"[{address}]" if self.address_type == "IPv6" else address


class Slices(_Part):
    """A list of EndpointSlices, at the version from which a watch goes on."""

    metadata: SliceMetadata
    items: Listed[Slice] = ()


def variants(slices: Iterable[Slice]) -> Variants:
    """Variant → arm → URLs of ready pods; a pool without a ready pod is there with no URL.

    The variant that has been there longest comes first: it answers when no flag says who is stable.
    """
    oldest_first = sorted(slices, key=lambda part: (part.metadata.created, part.address_type, part.metadata.name))
    pools: dict[str, dict[Arm, dict[str, str]]] = {}
    for part in oldest_first:
        for arm in part.arms if part.variant else ():
            pool = pools.setdefault(part.variant, {}).setdefault(arm, {})
            pool.update({pod: url for pod, url in part.urls().items() if pod not in pool})
    return {
        variant: {arm: sorted(pool.values()) for arm, pool in sorted(arms.items())} for variant, arms in pools.items()
    }

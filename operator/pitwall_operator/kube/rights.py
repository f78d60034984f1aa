"""Lists the rights that Pitwall's parts need in a namespace, and what installing the chart there takes.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pitwall_crds.names import GROUP

READ: Final = ("get", "list", "watch")
OWN: Final = (*READ, "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource of the API server.

    Attributes:
        group: the API group; empty is the core.
        resource: its plural, with a subresource after a slash.
        verb: as a Role names it.
        name: the one object that is meant; empty is every one.
    """

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        kind, slash, part = self.resource.partition("/")
        whole = f"{kind}.{self.group}" if self.group else kind
        return f"{self.verb} {whole}{slash}{part}" + (f" {self.name}" if self.name else "")


def _rights(group: str, resources: str, verbs: tuple[str, ...]) -> Iterator[Right]:
    for resource in resources.split():
        for verb in verbs:
            yield Right(group, resource, verb)


OPERATOR: Final = frozenset(
    (
        *_rights(GROUP, "rollouts samplervariants", READ),
        *_rights(GROUP, "rollouts/status samplervariants/status samplervariants/finalizers", ("update",)),
        *_rights("apps", "deployments", OWN),
        *_rights("apps", "controllerrevisions", ("get", "list", "create", "delete")),
        *_rights("", "services", OWN),
        *_rights("", "configmaps", ("create", "patch", "delete")),
        *_rights("", "pods", ("list",)),
        *_rights("", "events", ("get", "create", "patch")),
        *_rights("policy", "poddisruptionbudgets", OWN),
    )
)
"""In each namespace that the operator watches. `list pods` only says why pods are not ready; `finalizers` matters only
where the API server's OwnerReferencesPermissionEnforcement is on."""

CLAIMS: Final = frozenset(_rights("coordination.k8s.io", "leases", ("get", "create", "update")))
"""Of an operator of single namespaces, in each: it claims them by a Lease. `get` and `update` of that one will do."""

SURVEY: Final = frozenset(_rights("coordination.k8s.io", "leases", ("list",)))
"""Of an operator of the whole cluster, in all namespaces: it keeps out of what is claimed. Its own claim takes CLAIMS
in the namespace of such claims."""

LEASE: Final = frozenset(_rights("coordination.k8s.io", "leases", ("get", "create", "update")))
"""Of the operator, where its Lease is: the release's namespace. `get` and `update` of that Lease alone will do."""

GATEWAY: Final = frozenset(_rights("discovery.k8s.io", "endpointslices", READ))
"""Of the gateway, in the namespace whose runtimes it asks."""

_KEPT: Final = ("get", "create", "patch", "delete")
_MADE: Final = frozenset(
    (
        *_rights("", "services serviceaccounts", _KEPT),
        *_rights("", "secrets", (*_KEPT, "list", "update")),
        *_rights("apps", "deployments statefulsets", _KEPT),
        *_rights("policy", "poddisruptionbudgets", _KEPT),
        *_rights("networking.k8s.io", "networkpolicies", _KEPT),
        *_rights("rbac.authorization.k8s.io", "roles rolebindings", _KEPT),
        *_rights("", "pods", _KEPT),
        *_rights("", "pods/log", ("get",)),
        *_rights("apps", "deployments statefulsets replicasets", ("list", "watch")),
        *_rights("", "pods services persistentvolumeclaims", ("list", "watch")),
    )
)
"""Of Helm: the chart's objects with the default options, the Secrets of the releases, and what `--wait` and `helm test`
look at."""

INSTALLER: Final = _MADE | OPERATOR | LEASE | GATEWAY
"""Of whoever installs the chart in a namespace: also what its Roles hand on, since nobody may give what he has not."""

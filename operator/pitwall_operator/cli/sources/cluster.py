"""Resources and pods in a namespace of a cluster, for the commands."""

import asyncio
import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import ValidationError

from pitwall_crds.names import API_VERSION, MANAGED_BY, ObjectLabel
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_flags.service.auth import TokenScope
from pitwall_operator.cli.context import fail, problems
from pitwall_operator.cli.sources import flags
from pitwall_operator.cli.sources.api import APPLY, MERGE, Api
from pitwall_operator.cli.sources.forward import flag_service, flags_authority
from pitwall_operator.cli.sources.kubeconfig import ClusterTarget
from pitwall_operator.cli.sources.pods import pools_of
from pitwall_operator.cli.sources.port import Edit, PoolView
from pitwall_operator.machine.resources import Applied
from pitwall_operator.machine.stored import KINDS, Resource
from pitwall_operator.values.errors import CommandError, Exit

if TYPE_CHECKING:
    from pitwall_operator.record.lines import Line
    from pitwall_operator.values.observation import Reading, Unseen

FIELD_MANAGER: Final = "pitwall-cli"
"""Owner of what the verbs write. Not `kubectl-…`: Flux undoes what managers of that prefix wrote."""

ATTEMPTS: Final = 5
PLURALS: Final = {"Rollout": "rollouts", "SamplerVariant": "samplervariants"}
OWNED: Final = {"labelSelector": f"{ObjectLabel.MANAGED_BY}={MANAGED_BY}"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A namespace, and the way to its API server."""

    api: Api
    target: ClusterTarget
    namespace: str

    @classmethod
    def open(cls, target: ClusterTarget) -> "Cluster":
        """The cluster as kubectl would find it; nothing is asked of it yet. Raises CommandError."""
        api, namespace = Api.open(target)
        return cls(api, target, target.namespace or namespace)

    @property
    def place(self) -> str:
        """For messages."""
        return f"namespace {self.namespace}"

    @property
    def record_is_near(self) -> bool:
        """It is with the flag service."""
        return False

    def rollouts(self, *, everywhere: bool = False) -> tuple[Rollout, ...]:
        """By namespace and name."""
        return tuple(found for found in self._all("Rollout", everywhere) if isinstance(found, Rollout))

    def variants(self, *, everywhere: bool = False) -> tuple[SamplerVariant, ...]:
        """By namespace and name."""
        return tuple(found for found in self._all("SamplerVariant", everywhere) if isinstance(found, SamplerVariant))

    def pools(self, *, everywhere: bool = False) -> tuple[PoolView, ...]:
        """From the Deployments and pods that the operator owns."""
        scope = "" if everywhere else f"/namespaces/{quote(self.namespace, safe='')}"
        deployments = self.api.list(f"/apis/apps/v1{scope}/deployments", OWNED)
        return tuple(pools_of(deployments, self.api.list(f"/api/v1{scope}/pods", OWNED)))

    def ingest(self) -> str:
        """Not known here: its metrics are Prometheus' matter."""
        return ""

    def actor(self) -> str:
        """Whom the API server takes us for; where it does not tell, this machine's user."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        except CommandError:
            return getpass.getuser()
        return str(answer["status"]["userInfo"]["username"])[:128]

    def edit(self, rollout: Rollout, change: Edit) -> None:
        """Merge the change into the spec that it was worked out from, or work it out anew."""
        path = self._path("Rollout", rollout.metadata.namespace, rollout.metadata.name)
        for _ in range(ATTEMPTS):
            data = self.api.get(path)
            version = data["metadata"]["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version}, "spec": change(Rollout.model_validate(data))}
            try:
                self.api.patch(path, patch, kind=MERGE, manager=FIELD_MANAGER)
            except CommandError as error:
                if error.code is not Exit.CONFLICT:
                    raise
            else:
                return
        fail(
            f"Rollout {rollout.metadata.name!r} was changed by others {ATTEMPTS} times meanwhile; "
            "nothing was written, try again",
            Exit.CONFLICT,
        )

    def apply(self, resource: Resource) -> Applied:
        """Server-side apply; fields that others own are not taken from them."""
        explicit = "namespace" in resource.metadata.model_fields_set
        namespace = resource.metadata.namespace if explicit else self.namespace
        path = self._path(resource.kind, namespace, resource.metadata.name)
        before = self._version(path)
        after = self.api.patch(path, resource.to_manifest(), kind=APPLY, manager=FIELD_MANAGER)
        if before is None:
            return Applied.CREATED
        return Applied.UNCHANGED if after["metadata"]["resourceVersion"] == before else Applied.CONFIGURED

    def delete(self, kind: str, name: str) -> bool:
        """Delete in the chosen namespace."""
        path = self._path(kind, self.namespace, name)
        if self._version(path) is None:
            return False
        self.api.delete(path)
        return True

    def switch(self, flag: str, *, killed: bool, reason: str, service: str | None) -> None:
        """By the cluster's flag service, with the Secret's kill token."""
        actor = self.actor()
        with flag_service(self.api, self.target.kubectl_options(), TokenScope.KILL, service) as (url, token):
            client = FlagClient(url, token=token, authority=flags_authority())
            asyncio.run(flags.switch(client, flag, killed=killed, actor=actor, reason=reason))

    def reading(
        self, rollout: Rollout, *, prometheus: str | None = None, gateways: str | None = None
    ) -> "Reading | Unseen":
        """From Prometheus, which knows what every gateway counts."""
        from pitwall_operator.observe.gateways import GATEWAYS, matchers
        from pitwall_operator.observe.prometheus import PrometheusSource
        from pitwall_operator.observe.reader import Reader
        from pitwall_operator.values.observation import Unseen

        if prometheus is None:
            return Unseen("of a cluster, give --prometheus-url to have its traffic measured")
        try:
            source = PrometheusSource(prometheus, gateways=matchers(gateways) if gateways else GATEWAYS)
        except ValueError as error:
            return Unseen(str(error))
        try:
            return asyncio.run(Reader(source).look(rollout))
        finally:
            source.close()

    def record(self, rollout: Rollout, *, service: str | None = None) -> Iterator["Line"]:
        """From the flag service's journal."""
        known = rollout.metadata
        with flag_service(self.api, self.target.kubectl_options(), TokenScope.KILL, service) as (url, token):
            yield from asyncio.run(
                flags.journal(FlagClient(url, token=token, authority=flags_authority()), known.namespace, known.name)
            )

    def _all(self, kind: str, everywhere: bool) -> Iterator[Resource]:
        """Every resource; one that this version cannot read is told, and does not hide the others."""
        for data in self.api.list(self._path(kind, "" if everywhere else self.namespace)):
            try:
                yield KINDS[kind].model_validate(data)
            except ValidationError as error:
                field = ".".join(map(str, error.errors()[0]["loc"]))
                name = f"{data['metadata']['namespace']}/{data['metadata']['name']}"
                words = f"{kind} {name} is left out: this version of pitwall cannot read its {field}; upgrade pitwall"
                problems.print(f"pitwall: {words}", markup=False)

    def _version(self, path: str) -> str | None:
        """The resourceVersion, or None where there is no such resource."""
        try:
            return str(self.api.get(path)["metadata"]["resourceVersion"])
        except CommandError as error:
            if error.code is Exit.NOT_FOUND:
                return None
            raise

    def _path(self, kind: str, namespace: str, name: str = "") -> str:
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"/apis/{API_VERSION}{scope}/{PLURALS[kind]}" + (f"/{quote(name, safe='')}" if name else "")

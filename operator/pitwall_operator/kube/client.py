"""A small Kubernetes client: the few calls that the operator makes, each with a typed outcome.

Objects are dictionaries. The generated models are passed over on purpose: turning one list of a thousand objects into
them and back costs more than everything else that the operator does with it.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from pitwall_crds import names
from pitwall_operator.kube.clock import ClusterClock
from pitwall_operator.kube.fence import Fence
from pitwall_operator.values.errors import (
    KubeConflictError,
    KubeInvalidError,
    KubeNotFoundError,
    KubeRefusedError,
    KubeUnreachableError,
)

Object = dict[str, Any]

TIMEOUT_SECONDS: Final = 4.0
LIST_TIMEOUT_SECONDS: Final = 30.0
PAGE_SIZE: Final = 20
"""Objects of a page: each may have 1.5 MB, and one rare character makes four bytes of every other while it is read."""
_OBJECTS: Final = "application/json"
_YAML: Final = "application/yaml"
_JSON_PATCH: Final = "application/json-patch+json"
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_HEADS: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


# The library is marked as typed, but these parts of it are not.
_config: Any = config


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type: what its objects call themselves, and where they are."""

    api_version: str
    name: str
    plural: str

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """The URL path of an object, of one of its parts, or of a list (of all namespaces, where none is given)."""
        root = "/apis" if "/" in self.api_version else "/api"
        places = (f"namespaces/{namespace}" if namespace else "", self.plural, name, part)
        return "/".join((root, self.api_version, *filter(None, places)))


ROLLOUTS: Final = Kind(names.API_VERSION, "Rollout", "rollouts")
VARIANTS: Final = Kind(names.API_VERSION, "SamplerVariant", "samplervariants")
DEPLOYMENTS: Final = Kind("apps/v1", "Deployment", "deployments")
REVISIONS: Final = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
SERVICES: Final = Kind("v1", "Service", "services")
PODS: Final = Kind("v1", "Pod", "pods")
CONFIG_MAPS: Final = Kind("v1", "ConfigMap", "configmaps")
EVENTS: Final = Kind("v1", "Event", "events")
BUDGETS: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
LEASES: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")


async def connect(kubeconfig: Path | None, fence: Fence, context: str | None = None) -> "Kube":
    """The cluster of a kubeconfig file; without one, the cluster that this process runs in, else the user's own."""
    configuration = Configuration()
    if kubeconfig is not None:
        await _config.load_kube_config(str(kubeconfig), context, client_configuration=configuration)
    else:
        try:
            _config.load_incluster_config(client_configuration=configuration)
        except _config.ConfigException:
            await _config.load_kube_config(context=context, client_configuration=configuration)
    return Kube(ApiClient(configuration), fence)


@dataclass(frozen=True, slots=True)
class Login:
    """Where the API server is and how to speak to it, for another client."""

    server: str
    ca_path: str | None
    insecure: bool
    scheme: str | None
    token: str | None
    certificate_path: str | None
    private_key_path: str | None


class Kube:
    """An API server. Changing calls pass the fence."""

    def __init__(self, api: ApiClient, fence: Fence) -> None:
        self._api: Any = api
        self._fence = fence
        self.clock = ClusterClock()

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def login(self) -> Login:
        """What this client uses now; a token is read anew from where it comes."""
        configuration = self._api.configuration
        header = (await configuration.auth_settings()).get("BearerToken", {}).get("value") or ""
        scheme, _, token = header.rpartition(" ")
        return Login(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object. Raises KubeNotFoundError and the others."""
        self._fence.read("get", kind.plural)
        return await self._send("GET", kind.path(namespace, name))

    async def serves(self, *kinds: Kind) -> bool:
        """Whether the API server knows these resources, which are all of one group."""
        path = kinds[0].path().removesuffix(f"/{kinds[0].plural}")
        try:
            known = {found["name"] for found in (await self._send("GET", path)).get("resources", ())}
        except KubeNotFoundError:
            return False
        return known >= {kind.plural for kind in kinds}

    async def pages(
        self, kind: Kind, namespace: str = "", selector: str = "", *, fields: str = "", heads: bool = False
    ) -> AsyncIterator[Object]:
        """A list, page by page, all of one resourceVersion; `heads` asks for the objects' metadata alone."""
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        query = {"limit": str(PAGE_SIZE), **{name: text for name, text in chosen.items() if text}}
        while True:
            self._fence.read("list", kind.plural)
            page = await self._send(
                "GET", kind.path(namespace), query=query, accept=_HEADS if heads else _OBJECTS,
                timeout_seconds=LIST_TIMEOUT_SECONDS,
            )  # fmt: skip
            yield page
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def apply(self, kind: Kind, manifest: Object) -> Object:
        """Server-side apply: the fields of this manifest become ours, whoever held them."""
        head = manifest["metadata"]
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        path = kind.path(head["namespace"], head["name"])
        return await self._change("patch", kind, path, manifest, query, "application/apply-patch+yaml")

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """A new object, with its free-form parts as the API server itself writes them. Raises KubeConflictError where
        there is one of this name."""
        path = kind.path(manifest["metadata"]["namespace"])
        return await self._change("post", kind, path, _as_yaml(manifest), None, _YAML)

    async def owned(self, kind: Kind, namespace: str, name: str, uid: str) -> Object | None:
        """The object if its owner has this uid. It is asked by a patch that changes nothing, so no right is needed to
        read others' objects. Raises KubeNotFoundError and the others."""
        test = [{"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": uid}]
        try:
            return await self._change("patch", kind, kind.path(namespace, name), test, None, _JSON_PATCH)
        except KubeInvalidError:
            return None

    async def replace_status(self, kind: Kind, current: Object) -> Object:
        """The object's status, if nobody changed the object meanwhile. Raises KubeConflictError."""
        head = current["metadata"]
        return await self._change("put", kind, kind.path(head["namespace"], head["name"], "status"), current)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        """Remove an object, what it owns in the background; nothing happens where there is none (or another one)."""
        body: Object = {"propagationPolicy": "Background", **({"preconditions": {"uid": uid}} if uid else {})}
        try:
            await self._change("delete", kind, kind.path(namespace, name), body)
        except (KubeNotFoundError, KubeConflictError):
            return

    async def put_lease(self, manifest: Object) -> Object:
        """Write the lease, which is what the fence relies on, so it is written past it. Raises KubeConflictError."""
        head = manifest["metadata"]
        self._fence.read("put", LEASES.plural)
        if "resourceVersion" in head:
            return await self._send("PUT", LEASES.path(head["namespace"], head["name"]), manifest)
        return await self._send("POST", LEASES.path(head["namespace"]), manifest)

    async def _change(
        self,
        verb: str,
        kind: Kind,
        path: str,
        body: Object | list[Object] | str,
        query: Mapping[str, str] | None = None,
        content_type: str = _OBJECTS,
    ) -> Object:
        self._fence.begin(verb, kind.plural)
        try:
            return await self._send(verb.upper(), path, body, query, content_type)
        finally:
            self._fence.changed(verb, kind.plural)

    async def _send(  # noqa: PLR0913 – HTTP has as many parts
        self,
        method: str,
        path: str,
        body: Object | list[Object] | str | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _OBJECTS,
        accept: str = _OBJECTS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Object:
        headers = {"Content-Type": content_type, "Accept": accept}
        suffix = f"?{urlencode(query)}" if query else ""
        asked = self.clock.steady()
        try:
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            response = await self._api.rest_client.request(
                method,
                f"{self._api.configuration.host}{path}{suffix}",
                headers=headers,
                body=body,
                _request_timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            )
            self.clock.heard(response.headers.get("Date", ""), asked)
            content = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            words = str(error) or type(error).__name__
            raise KubeUnreachableError(f"the API server did not answer {method} {path}: {words}") from error
        return _outcome(method, path, response.status, content)


def _as_yaml(manifest: Object) -> str:
    """JSON that readers of YAML understand too.

    What is free-form, as `data` of a ControllerRevision, an API server keeps as it was sent: of JSON each space. What
    it then writes anew is a forbidden change to it, so its garbage collector can make no orphan of such an object. Of
    YAML it keeps its own writing.
    """
    text = json.dumps(manifest, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _outcome(method: str, path: str, status: int, content: bytes) -> Object:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if 200 <= status < 300 and isinstance(answer, dict):
        return answer
    if not isinstance(answer, dict):  # a proxy or a login page answered in its own words
        answer = {"message": content[:500].decode(errors="replace") or status}
    words = f"{method} {path}: {answer.get('message', status)}"
    match status:
        case 404:
            raise KubeNotFoundError(words)
        case 409:
            raise KubeConflictError(words)
        case 200 | 201 | 202 | 408 | 429 | 500 | 502 | 503 | 504:
            raise KubeUnreachableError(words)
        case 422:
            raise KubeInvalidError(words)
        case _:
            raise KubeRefusedError(words)

"""A small client of the Kubernetes API server whose every failure is a sentence that names the remedy."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from pitwall_operator.cli.sources.kubeconfig import ClusterTarget, load
from pitwall_operator.values.errors import CommandError, Exit

REQUEST_SECONDS: Final = (5.0, 20.0)
"""For the connection, and for every part of an answer."""

PAGE: Final = 500
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

NOT_INSTALLED: Final = (
    "Pitwall's custom resources are not installed in this cluster; "
    "install the Helm chart, or choose another cluster by --context"
)

REMEDIES: Final = {
    401: ("the API server does not know you, log in again", Exit.FORBIDDEN),
    403: ("ask for a role that allows it", Exit.FORBIDDEN),
    409: ("look again and repeat", Exit.CONFLICT),
}


@dataclass(frozen=True, slots=True)
class Api:
    """The way to an API server. Every method raises CommandError."""

    client: client.ApiClient

    @classmethod
    def open(cls, target: ClusterTarget) -> tuple["Api", str]:
        """The API server as kubectl would find it, and the context's namespace; nothing is asked of it yet."""
        settings = client.Configuration()
        try:
            namespace = load(target, settings)
        except ConfigException as error:
            words = f"the kubeconfig cannot be used: {error}; compare `kubectl config view`"
            raise CommandError(words, Exit.BAD_INPUT) from None
        settings.retries = urllib3.Retry(0)
        if not settings.verify_ssl:
            urllib3.disable_warnings(InsecureRequestWarning)  # the kubeconfig's owner decided so; kubectl is as quiet
        return cls(client.ApiClient(configuration=settings)), namespace

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One object, or one page of a list."""
        return self._ask("GET", path, query or {})

    def list(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Every object of a list, page by page."""
        asked = {**(query or {}), "limit": str(PAGE)}
        while True:
            page = self.get(path, asked)
            yield from page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return
            asked["continue"] = token

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new object."""
        return self._ask("POST", path, {}, body, "application/json")

    def patch(self, path: str, body: Mapping[str, Any], *, kind: str, manager: str) -> dict[str, Any]:
        """A changed object; `kind` is MERGE or APPLY."""
        return self._ask("PATCH", path, {"fieldManager": manager}, body, kind)

    def delete(self, path: str) -> dict[str, Any]:
        """An object that goes away."""
        return self._ask("DELETE", path, {})

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None, kind: str = ""
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {})}
        request = self.client.param_serialize(
            method=method, resource_path=path, query_params=list(query.items()), header_params=headers,
            body=body, auth_settings=["BearerToken"],
        )  # fmt: skip
        with self._in_sentences():
            answer = self.client.call_api(*request, _request_timeout=REQUEST_SECONDS)
            text = answer.response.data.decode()
            if not 200 <= answer.status < 300:
                raise ApiException(status=answer.status, reason=answer.reason, body=text)
        return self._object(text)

    def _object(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            words = (
                f"{self.client.configuration.host} does not answer as an API server does; is this the right context?"
            )
            raise CommandError(words, Exit.UNREACHABLE)
        return found

    @contextmanager
    def _in_sentences(self) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise trouble_of(error) from None
        except (HTTPError, OSError) as error:
            server = self.client.configuration.host
            words = f"no answer from {server} ({_cause(error)}); is the cluster up, and is this the right context?"
            raise CommandError(words, Exit.UNREACHABLE) from None


def trouble_of(error: ApiException) -> CommandError:
    """The API server's refusal in words."""
    status = _status(error)
    message = status.get("message") or error.reason or "no reason given"
    if error.status in (400, 422) or "denied the request" in message:
        return CommandError(message, Exit.BAD_INPUT)
    if error.status == 404:
        named = (status.get("details") or {}).get("name")
        return CommandError(message, Exit.NOT_FOUND) if named else CommandError(NOT_INSTALLED, Exit.NOT_INSTALLED)
    if "Apply failed" in message:
        return CommandError(f"{message}; change them with the tool that they belong to", Exit.CONFLICT)
    remedy, code = REMEDIES.get(
        error.status or 0, (f"the API server answered {error.status}; try again", Exit.UNREACHABLE)
    )
    return CommandError(f"{message}; {remedy}", code)


def _status(error: ApiException) -> dict[str, Any]:
    """The metav1.Status of a refusal, or nothing where a proxy or the router answered in its own words."""
    try:
        body = json.loads(error.body or "")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _cause(error: BaseException) -> str:
    """The innermost reason, without the layers that a client wraps around it."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    return str(error).rpartition(": ")[2] or type(error).__name__

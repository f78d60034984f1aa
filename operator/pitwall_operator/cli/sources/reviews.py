"""Asks the API server's authorizer what somebody may do in a namespace."""

from collections.abc import Iterable
from typing import Any, Final

from pitwall_operator.cli.sources.api import Api
from pitwall_operator.kube.rights import Right

REVIEWS: Final = "/apis/authorization.k8s.io/v1"


def denied(api: Api, rights: Iterable[Right], namespace: str, account: str = "") -> list[Right]:
    """Those of the rights that we do not have there, or that a service account (`namespace:name`) does not have.

    Raises CommandError where the API server cannot be asked, or we may not ask about others.
    """
    return [right for right in sorted(rights, key=str) if not _may(api, right, namespace, account)]


def _may(api: Api, right: Right, namespace: str, account: str) -> bool:
    kind, _, part = right.resource.partition("/")
    asked = {"group": right.group, "resource": kind, "subresource": part, "verb": right.verb, "name": right.name}
    spec: dict[str, Any] = {"resourceAttributes": {**asked, "namespace": namespace}}
    if not account:
        return _allowed(api, f"{REVIEWS}/selfsubjectaccessreviews", "SelfSubjectAccessReview", {"spec": spec})
    owner, _, name = account.partition(":")
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{owner}", "system:authenticated"]
    spec |= {"user": f"system:serviceaccount:{owner}:{name}", "groups": groups}
    path = f"{REVIEWS}/namespaces/{namespace}/localsubjectaccessreviews"
    return _allowed(api, path, "LocalSubjectAccessReview", {"metadata": {"namespace": namespace}, "spec": spec})


def _allowed(api: Api, path: str, kind: str, review: dict[str, Any]) -> bool:
    answer = api.post(path, {"apiVersion": "authorization.k8s.io/v1", "kind": kind, **review})
    return bool(answer["status"].get("allowed"))

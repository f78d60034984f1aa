"""The chart on a real API server: installed, upgraded, uninstalled; what it may, what it keeps, what it cleans."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import binaries
from harness.plane import kube
from harness.plane.kube import Kubectl, KubectlRefusedError
from harness.processes import until
from harness.rollouts import examples
from harness.rollouts.examples import edited

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "pitwall"
VALUES = ROOT / "tests" / "charts" / "values"
NAME = "pit"
OF_OTHERS = ("PodMonitor", "PrometheusRule", "Certificate", "Issuer")
"""Kinds that this API server does not know."""
TOKENS = {"evaluate", "write", "kill", "gateway"}
VARIANT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "SamplerVariant",
    "metadata": {"name": "uniform-v1"},
    "spec": {"sampler": {"name": "uniform"}, "maxFrames": 8},
}


@dataclass(frozen=True, slots=True)
class Release:
    """One installation in a namespace of its own."""

    kubectl: Kubectl
    namespace: str

    def helm(self, *arguments: str | Path, check: bool = True) -> str:
        command = [binaries.found("helm")["helm"], *arguments, "--namespace", self.namespace]
        command += ["--kubeconfig", self.kubectl.kubeconfig]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *arguments: str, chart: Path = CHART) -> str:
        """Installs it the first time. The test session's CRDs were there before: kubectl applied them."""
        forced = ["--force-conflicts"] if "--force-conflicts" in self.helm("upgrade", "--help") else []
        return self.helm("upgrade", "--install", "--take-ownership", *forced, NAME, chart, *arguments)

    def secret(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self.kubectl.get("secret", name, self.namespace)["data"]
        return found

    def webhooks(self) -> list[dict[str, Any]]:
        name = f"{NAME}-pitwall-operator.{self.namespace}"
        found: list[dict[str, Any]] = self.kubectl.get("validatingwebhookconfiguration", name)["webhooks"]
        return found

    def objects(self) -> set[str]:
        """Everything that says it belongs to this release, in the namespace and beside it."""
        kinds = self.kubectl("api-resources", "--verbs=list,delete", "-o", "name").split()
        readable = [kind for kind in kinds if "." not in kind or kind.split(".", 1)[1] in self._groups()]
        selector = f"--selector=app.kubernetes.io/instance={NAME}"
        found = self.kubectl("get", ",".join(readable), selector, "-o", "name", namespace=self.namespace)
        return {line for line in found.splitlines() if re.fullmatch(r"[a-z0-9.]+/\S+", line)}  # others are warnings

    @staticmethod
    def _groups() -> set[str]:
        return {
            "apps", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io",
            "admissionregistration.k8s.io", "apiextensions.k8s.io", "batch", "pitwall.dev",
        }  # fmt: skip


@pytest.fixture
def release(kubectl, namespace, crds):
    made = Release(kubectl, namespace)
    yield made
    made.helm("uninstall", NAME, check=False)


@pytest.fixture
def restricted(kubectl, namespace):
    """The namespace admits only pods of the strictest of Kubernetes' security standards."""
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")


def test_its_pods_are_admitted_where_only_confined_ones_are(release, kubectl, restricted):
    release.upgrade()
    selector = f"app.kubernetes.io/instance={NAME}"
    components = lambda: {  # noqa: E731
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for pod in kubectl.list("pods", release.namespace, selector)
    }

    until(lambda: components() == {"operator", "flags", "gateway"}, what="a pod of every component")


def test_where_no_operator_answers_an_abort_and_a_pause_pass_the_webhook_and_no_other_change(release, kubectl):
    rollout = edited(examples.rollout("rollout.yaml", f"flag.{release.namespace}"), "spec.progressDeadlineSeconds", 77)
    kubectl.apply([*examples.variants(), rollout], release.namespace)
    release.upgrade()  # no node runs its pods
    name = rollout["metadata"]["name"]

    def patch(**spec: Any) -> None:
        kubectl("patch", "rollout", name, "--type=merge", "-p", json.dumps({"spec": spec}), namespace=release.namespace)

    abort = {"id": "a1", "verb": "Abort", "actor": "sre"}
    seconds = iter(range(700, 31_536_000))
    until(lambda: _refused(patch, progressDeadlineSeconds=next(seconds)), what="the webhook is asked")
    patch(paused=True)
    patch(action=abort)
    for change in (
        {"onInconclusive": "Promote"},
        {"progressDeadlineSeconds": None},
        {"paused": False, "stages": rollout["spec"]["stages"][1:]},
    ):
        assert _refused(patch, **change)
    spec = kubectl.get("rollout", name, release.namespace)["spec"]

    assert (spec["action"], spec["paused"]) == (abort, True)


def _refused(patch: Callable[..., None], **spec: Any) -> bool:
    try:
        patch(**spec)
    except KubectlRefusedError as refusal:
        return "failed calling webhook" in str(refusal)
    return False


def test_tokens_and_certificate_are_made_once_and_outlive_an_upgrade(release):
    release.upgrade()
    tokens, certificate = release.secret("pitwall-flags-tokens"), release.secret(f"{NAME}-pitwall-webhook")
    release.upgrade("--set=gateway.replicas=3")

    assert tokens.keys() == TOKENS | {"gateway.json"}
    words = {name: base64.b64decode(tokens[name]) for name in TOKENS}
    assert len(set(words.values())) == len(TOKENS)
    assert all(len(word) >= 32 for word in words.values())
    (flag_set,) = json.loads(base64.b64decode(tokens["gateway.json"])).values()
    assert flag_set == {
        "flags": ["sampler.variant"],
        "evaluate": f"sha256:{hashlib.sha256(words['gateway']).hexdigest()}",
    }
    assert release.secret("pitwall-flags-tokens") == tokens
    assert release.secret(f"{NAME}-pitwall-webhook") == certificate
    assert {one["clientConfig"]["caBundle"] for one in release.webhooks()} == {certificate["ca.crt"]}


def test_the_certificate_is_good_for_the_service_that_the_webhook_calls(release, tmp_path):
    release.upgrade()
    for name, content in release.secret(f"{NAME}-pitwall-webhook").items():
        (tmp_path / name).write_bytes(base64.b64decode(content))
    service = release.webhooks()[0]["clientConfig"]["service"]
    host = f"{service['name']}.{service['namespace']}.svc"
    verify = ["openssl", "verify", "-CAfile", tmp_path / "ca.crt", "-verify_hostname", host, tmp_path / "tls.crt"]

    assert subprocess.run(verify, capture_output=True, check=False, timeout=30).returncode == 0


def test_an_upgrade_brings_newer_resource_types(release, kubectl, tmp_path):
    release.upgrade()
    newer = shutil.copytree(CHART, tmp_path / "pitwall")
    crd = newer / "files" / "crds" / "pitwall.dev_rollouts.yaml"
    crd.write_text(crd.read_text().replace("description: What should serve.", "description: What shall serve soon."))
    release.upgrade(chart=newer)
    columns = kubectl.get("crd", "rollouts.pitwall.dev")["spec"]["versions"][0]["additionalPrinterColumns"]
    release.upgrade()

    assert columns[0]["description"] == "What shall serve soon."


def test_uninstalling_leaves_users_resources_and_flags_and_nothing_else(release, kubectl):
    # No operator runs here, and two that should would have the API server wait for their word.
    release.upgrade("--set=gateway.autoscaling.enabled=true", "--set=webhook.failurePolicy=Ignore")
    claim = "persistentvolumeclaim/data-pit-pitwall-flags-0"
    until(lambda: claim in release.objects(), what="the flag service's volume claim")
    kubectl.apply(VARIANT, release.namespace)
    before = release.objects()
    release.helm("uninstall", NAME, "--cascade", "foreground", "--wait")
    kept = {f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in kube.CRDS} | {claim}

    assert len(before) > 25
    assert kept <= before
    until(lambda: release.objects() == kept, what="an end of everything else")
    assert kubectl.get("samplervariant", "uniform-v1", release.namespace)["metadata"]["name"] == "uniform-v1"


def test_installing_again_finds_the_flags_and_the_resource_types(release, kubectl):
    release.upgrade()
    release.helm("uninstall", NAME, "--wait")

    assert "deployed" in release.helm("install", NAME, CHART)


@pytest.mark.parametrize("case", sorted(path.stem for path in VALUES.glob("*.yaml")))
def test_the_api_server_accepts_every_object(release, kubectl, case):
    here = json.dumps([release.namespace])
    where = ["--set", f"gateway.namespace={release.namespace}"]
    if yaml.safe_load((VALUES / f"{case}.yaml").read_text()).get("watch"):
        where += ["--set-json", f"watch.namespaces={here}"]
    rendered = release.helm("template", NAME, CHART, "--values", VALUES / f"{case}.yaml", *where)
    objects = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] not in OF_OTHERS]
    told = kubectl("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-", manifest=objects)

    assert told.count("(server dry run)") == len(objects)


OPERATOR = [
    ("get,list,watch", "rollouts.pitwall.dev"), ("update", "rollouts.pitwall.dev/status"),
    ("get,list,watch", "samplervariants.pitwall.dev"), ("update", "samplervariants.pitwall.dev/status"),
    ("get,list,watch,create,patch,delete", "deployments.apps"), ("get,create", "controllerrevisions.apps"),
    ("get,list,watch,create,patch,delete", "services"), ("create,patch", "configmaps"), ("create,patch", "events"),
    ("get,list,watch,create,patch,delete", "poddisruptionbudgets.policy"),
    ("update", "samplervariants.pitwall.dev/finalizers"), ("list", "pods"),
]  # fmt: skip
OPERATOR_MUST_NOT = [
    ("update,patch,create,delete", "rollouts.pitwall.dev"),
    ("update,patch,create,delete", "samplervariants.pitwall.dev"),
    ("get,list,watch,create", "secrets"), ("get,list", "configmaps"), ("create,delete,get", "pods"),
    ("create", "pods/exec"), ("create,update,patch", "roles.rbac.authorization.k8s.io"), ("get,list", "namespaces"),
    ("update,delete,patch", "leases.coordination.k8s.io"), ("create", "serviceaccounts/token"),
    ("impersonate", "users"),
]  # fmt: skip


class Rights:
    """What a service account of the release may do, as the API server's authorizer says."""

    def __init__(self, release: Release, account: str) -> None:
        self._kubectl = release.kubectl
        self._user = f"system:serviceaccount:{release.namespace}:{account}"
        self._groups = ["system:serviceaccounts", f"system:serviceaccounts:{release.namespace}", "system:authenticated"]

    def denied(self, asked: list[tuple[str, str]], namespace: str) -> set[str]:
        """Those that it may not, of `verb,verb resource`."""
        every = sorted(pairs(asked))
        reviews = [self._review(*one.split(), namespace) for one in every]
        return {one for one, allowed in zip(every, self._answers(reviews), strict=True) if not allowed}

    def may(self, verb: str, what: str, namespace: str, name: str = "") -> bool:
        return self._answers([self._review(verb, what, namespace, name)])[0]

    def _answers(self, reviews: list[dict[str, Any]]) -> list[bool]:
        lines = 'jsonpath={.status.allowed}{"\\n"}'
        return [
            line == "true" for line in self._kubectl("create", "-o", lines, "-f", "-", manifest=reviews).splitlines()
        ]

    def _review(self, verb: str, what: str, namespace: str, name: str = "") -> dict[str, Any]:
        kind, _, part = what.partition("/")
        resource, _, group = kind.partition(".")
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": part}
        spec = {"user": self._user, "groups": self._groups}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {**spec, "resourceAttributes": {**asked, "namespace": namespace, "name": name}},
        }


def pairs(asked: list[tuple[str, str]]) -> set[str]:
    return {f"{verb} {what}" for verbs, what in asked for verb in verbs.split(",")}


@pytest.mark.parametrize("everywhere", [True, False], ids=["cluster-wide", "one-namespace"])
def test_the_operator_may_what_it_needs_and_no_more(release, everywhere):
    release.upgrade(*([] if everywhere else ["--set", f"watch.namespaces={{{release.namespace}}}"]))
    operator = Rights(release, f"{NAME}-pitwall-operator")

    assert operator.denied(OPERATOR, release.namespace) == set()
    assert operator.denied(OPERATOR, "default") == (set() if everywhere else pairs(OPERATOR))
    assert operator.denied(OPERATOR_MUST_NOT, release.namespace) == pairs(OPERATOR_MUST_NOT)
    assert operator.may("get", "leases.coordination.k8s.io", release.namespace, "pit-pitwall-operator")
    assert not operator.may("create", "leases.coordination.k8s.io", "default")
    assert operator.may("list", "leases.coordination.k8s.io", "default") == everywhere


def test_the_gateway_may_read_where_pods_are_in_one_namespace_and_nothing_else(release):
    release.upgrade()
    gateway = Rights(release, f"{NAME}-pitwall-gateway")
    reads = [("get,list,watch", "endpointslices.discovery.k8s.io")]
    nothing = [*OPERATOR, *OPERATOR_MUST_NOT]

    assert gateway.denied(reads, release.namespace) == set()
    assert gateway.denied(reads, "default") == pairs(reads)
    assert gateway.denied(nothing, release.namespace) == pairs(nothing)


def test_who_may_view_or_edit_a_namespace_may_view_or_edit_rollouts(release, kubectl):
    release.upgrade()
    kubectl("create", "serviceaccount", "ann", namespace=release.namespace)
    account = f"--serviceaccount={release.namespace}:ann"
    kubectl("create", "rolebinding", "ann", "--clusterrole=view", account, namespace=release.namespace)
    ann = Rights(release, "ann")

    until(lambda: ann.may("list", "rollouts.pitwall.dev", release.namespace), what="the view role's new rule")
    assert not ann.may("create", "rollouts.pitwall.dev", release.namespace)

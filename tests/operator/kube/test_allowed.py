"""What a pod template may say: everything that stays inside its pods, and beyond them what the administrator allows."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pitwall_crds.resource import Border
from pitwall_crds.variant.pod.container import ContainerSecurity
from pitwall_crds.variant.pod.template import PodSecurity, PodTemplate
from pitwall_operator.kube import allowed as kube_allowed
from pitwall_operator.kube.allowed import NOTHING_ALLOWED, TemplateAllowance

HARMLESS = {
    "metadata": {
        "annotations": {
            "note": "a",
            "container.apparmor.security.beta.kubernetes.io/runtime": "runtime/default",
            "checksum/settings": "5f",
            "kubectl.kubernetes.io/default-container": "runtime",
            "prometheus.io/scrape": "true",
        },
    },
    "spec": {
        "nodeSelector": {"gpu": "h200"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["a"]}]}]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 5,
                        "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}},
                    }
                ]
            },
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", "namespaces": ["shop"]}]
            },
        },
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "priorityClassName": "videos-first",
        "runtimeClassName": "nvidia",
        "securityContext": {"fsGroup": 2000, "runAsUser": 1000},
        "containers": [
            {
                "name": "runtime",
                "env": [
                    {"name": "HF_HOME", "value": "/var/cache/pitwall/hub"},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "URL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "url"}}},
                ],
                "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
                "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
            },
            {"name": "sidecar", "image": "s:1", "ports": [{"name": "http", "containerPort": 80}]},
        ],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
            {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
        ],
    },
}


def template_problems(template: PodTemplate, allowed: TemplateAllowance) -> tuple[str, ...]:
    return kube_allowed.template_problems(template, allowed, namespace="shop")


def template(**spec: Any) -> PodTemplate:
    return PodTemplate.model_validate({"spec": spec})


def container(**content: Any) -> PodTemplate:
    return template(containers=[{"name": "runtime", **content}])


def security(**content: Any) -> PodTemplate:
    return container(securityContext=content)


def secret_variable(name: str) -> PodTemplate:
    return container(env=[{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "write"}}}])


def host_path(path: str) -> PodTemplate:
    return template(volumes=[{"name": "host", "hostPath": {"path": path}}])


NETWORKS = "k8s.v1.cni.cncf.io/networks"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/runtime"


def marked(**marks: dict[str, str]) -> PodTemplate:
    return PodTemplate.model_validate({"metadata": marks})


def affinity(kind: str, when: str, term: dict[str, Any]) -> PodTemplate:
    return template(affinity={kind: {f"{when}DuringSchedulingIgnoredDuringExecution": [term]}})


def beside(*namespaces: str) -> dict[str, Any]:
    return {"topologyKey": "zone", "namespaces": list(namespaces)}


REACHING = [
    pytest.param(security(privileged=True), "privileged", "containers[0].securityContext.privileged", id="privileged"),
    pytest.param(security(allowPrivilegeEscalation=True), "privileged", "allowPrivilegeEscalation", id="escalation"),
    pytest.param(security(capabilities={"add": ["SYS_ADMIN"]}), "privileged", "capabilities.add", id="capabilities"),
    pytest.param(security(runAsUser=0), "privileged", "runAsUser 0", id="root by number"),
    pytest.param(security(runAsNonRoot=False), "privileged", "runAsNonRoot false", id="root by leave"),
    pytest.param(security(seccompProfile={"type": "Unconfined"}), "privileged", "seccompProfile", id="every call"),
    pytest.param(template(securityContext={"runAsUser": 0}), "privileged", "spec.securityContext", id="pod root"),
    pytest.param(
        PodTemplate.model_validate({"metadata": {"annotations": {APPARMOR: "unconfined"}}}), "privileged",
        "spec.runtime.template.metadata.annotations['container.apparmor", id="no AppArmor, by an annotation",
    ),
    pytest.param(
        template(containers=[{"name": "tool", "securityContext": {"privileged": True}}]), "privileged",
        "containers[0].securityContext.privileged", id="a privileged sidecar",
    ),
    pytest.param(template(hostNetwork=True), "hostNetwork", "hostNetwork", id="the node's network"),
    pytest.param(template(hostPID=True), "hostNetwork", "hostPID", id="the node's processes"),
    pytest.param(template(hostIPC=True), "hostNetwork", "hostIPC", id="the node's memory"),
    pytest.param(template(initContainers=[{"name": "first"}]), "initContainers", "initContainers", id="init"),
    pytest.param(
        template(priorityClassName="system-cluster-critical"), "systemPriority",
        "priorityClassName 'system-cluster-critical'", id="before the cluster's own pods",
    ),
    pytest.param(
        template(priorityClassName="system-node-critical"), "systemPriority", "'system-node-critical'",
        id="before everybody's pods",
    ),
    pytest.param(
        template(tolerations=[{"key": "gpu", "operator": "Exists"}, {"operator": "Exists"}]), "anyNode",
        "tolerations[1] of every taint", id="whatever the taint",
    ),
    pytest.param(
        template(tolerations=[{"operator": "Exists", "effect": "NoSchedule"}]), "anyNode", "tolerations[0]",
        id="whatever the taint of one effect",
    ),
    pytest.param(
        template(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]), "anyNode",
        "of node-role.kubernetes.io/control-plane", id="a control plane's nodes",
    ),
    pytest.param(
        affinity("podAntiAffinity", "required", beside("shop", "till")), "affinityNamespaces",
        "podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces 'till'",
        id="no place for another namespace's pods",
    ),
    pytest.param(
        affinity("podAntiAffinity", "preferred", {"weight": 100, "podAffinityTerm": beside("till")}),
        "affinityNamespaces",
        "podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.namespaces 'till'",
        id="worse places for another namespace's pods",
    ),
    pytest.param(
        affinity("podAffinity", "required", beside("till")), "affinityNamespaces", "podAffinity.required",
        id="a place beside another namespace's pods",
    ),
    pytest.param(
        affinity("podAffinity", "preferred", {"weight": 1, "podAffinityTerm": beside("till")}), "affinityNamespaces",
        "podAffinity.preferred", id="rather beside another namespace's pods",
    ),
    pytest.param(host_path("/"), "hostPaths", "volumes[0].hostPath '/'", id="a path of the node"),
    pytest.param(template(serviceAccountName="admin"), "serviceAccounts", "'admin'", id="an account"),
    pytest.param(template(automountServiceAccountToken=True), "serviceAccounts", "automount", id="an account's token"),
    pytest.param(secret_variable("keys"), "secrets", "env[0].valueFrom.secretKeyRef 'keys'", id="a secret variable"),
    pytest.param(
        template(volumes=[{"name": "s", "secret": {"secretName": "keys"}}]), "secrets", "volumes[0].secret 'keys'",
        id="a secret file",
    ),
    pytest.param(template(imagePullSecrets=[{"name": "keys"}]), "secrets", "imagePullSecrets[0]", id="pull secret"),
    pytest.param(
        template(volumes=[{"name": "f", "persistentVolumeClaim": {"claimName": "films", "readOnly": True}}]), "claims",
        "volumes[0].persistentVolumeClaim 'films'", id="a claim",
    ),
    pytest.param(
        marked(annotations={NETWORKS: "host-lan"}), "annotations", f"metadata.annotations['{NETWORKS}']",
        id="another network",
    ),
    pytest.param(marked(labels={"app": "till"}), "labels", "metadata.labels['app']", id="a place behind a Service"),
]  # fmt: skip
EVERYTHING = TemplateAllowance(*[True] * 6, ("/",), ("admin",), ("keys",), ("till",), ("films",), (NETWORKS,), ("app",))


def test_what_stays_inside_its_pods_is_allowed():
    assert template_problems(PodTemplate.model_validate(HARMLESS), NOTHING_ALLOWED) == ()
    assert template_problems(PodTemplate(), NOTHING_ALLOWED) == ()
    assert PodTemplate.model_validate(HARMLESS).to_yaml_dict() == HARMLESS


@pytest.mark.parametrize(("asked", "switch", "place"), REACHING)
def test_what_reaches_beyond_is_refused_with_its_place_and_what_would_allow_it(asked, switch, place):
    [words] = template_problems(asked, NOTHING_ALLOWED)

    assert place in words
    assert f"runtime.allow.{switch} of the chart" in words


@pytest.mark.parametrize(("asked", "switch", "place"), [one for one in REACHING if one.id != "an account's token"])
def test_each_is_allowed_by_its_own_switch_and_by_no_other(asked, switch, place):
    values = {
        "privileged": ("privileged", True), "writableRoot": ("writable_root", True),
        "hostNetwork": ("host_network", True), "initContainers": ("init_containers", True),
        "hostPaths": ("host_paths", ("/",)),
        "systemPriority": ("system_priority", True), "anyNode": ("any_node", True),
        "serviceAccounts": ("service_accounts", ("admin",)), "secrets": ("secrets", ("keys",)),
        "affinityNamespaces": ("affinity_namespaces", ("till",)), "claims": ("claims", ("films",)),
        "annotations": ("annotations", (NETWORKS,)), "labels": ("labels", ("app",)),
    }  # fmt: skip
    for name, (field, value) in values.items():
        allowed = template_problems(asked, TemplateAllowance(**{field: value})) == ()
        assert allowed == (name == switch), name


@pytest.mark.parametrize(
    "key",
    [
        "v1.multus-cni.io/default-network", "cni.projectcalico.org/ipAddrs", "sidecar.istio.io/inject",
        "linkerd.io/inject",
        "iam.amazonaws.com/role", "vault.hashicorp.com/agent-inject", "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "kubectl.kubernetes.io/other", "prometheus.io.evil.example/scrape", "example.com/prometheus.io/",
    ],
)  # fmt: skip
def test_no_annotation_that_others_may_obey_and_no_label_is_laid_on_pods_without_leave(key):
    for kind in ("annotations", "labels"):
        [words] = template_problems(marked(**{kind: {key: "x"}}), NOTHING_ALLOWED)
        assert f"spec.runtime.template.metadata.{kind}[{key!r}] is not allowed here" in words
        assert f"runtime.allow.{kind} of the chart" in words
        assert template_problems(marked(**{kind: {key: "x"}}), TemplateAllowance(**{kind: (key,)})) == ()


@pytest.mark.parametrize(
    ("listed", "key", "fine"),
    [
        ("team.example/", "team.example/cost", True), ("team.example/", "other.team.example/cost", False),
        ("team.example/", "team.example.evil/cost", False), ("team.example/cost", "team.example/cost-center", False),
        ("team.example", "team.example/cost", False), ("/", "team.example/cost", False),
    ],
)  # fmt: skip
def test_a_domain_is_allowed_with_its_slash_and_a_key_as_it_is(listed, key, fine):
    for kind in ("annotations", "labels"):
        asked = marked(**{kind: {key: "x"}})
        assert (template_problems(asked, TemplateAllowance(**{kind: (listed,)})) == ()) is fine


@pytest.mark.parametrize("kind", ["annotations", "labels"])
def test_the_operators_own_keys_are_nobodys_to_give(kind):
    [words] = template_problems(
        marked(**{kind: {"pitwall.dev/pool": "main"}}), TemplateAllowance(**{kind: ("pitwall.dev/",)})
    )

    assert (
        words
        == f"spec.runtime.template.metadata.{kind}['pitwall.dev/pool'] is the operator's own to write; leave it out"
    )


FOR_BOTH: dict[str, tuple[list[Any], list[Any], str]] = {
    "runAsNonRoot": ([True], [False], "privileged"),
    "runAsUser": ([1, 1000], [0], "privileged"),
    "runAsGroup": ([1, 1000], [0], "privileged"),
    "seccompProfile": (
        [{"type": "RuntimeDefault"}],
        [{"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "any.json"}],
        "privileged",
    ),
}
CONFINEMENT: dict[type[Border], dict[str, tuple[list[Any], list[Any], str]]] = {
    PodSecurity: {
        **FOR_BOTH,
        "fsGroup": ([2000], [0], "privileged"),
        "fsGroupChangePolicy": (["Always", "OnRootMismatch"], [], ""),
        "supplementalGroups": ([[], [2000]], [[0], [2000, 0]], "privileged"),
    },
    ContainerSecurity: {
        **FOR_BOTH,
        "allowPrivilegeEscalation": ([False], [True], "privileged"),
        "privileged": ([False], [True], "privileged"),
        "readOnlyRootFilesystem": ([True], [False], "writableRoot"),
        "capabilities": (
            [{"drop": ["MKNOD"]}, {"drop": []}, {"add": []}],
            [{"add": ["NET_BIND_SERVICE"]}, {"add": ["ALL"], "drop": ["ALL"]}],
            "privileged",
        ),
    },
}
"""Of each field: what confines as the operator does or more, what confines less, and the switch for that."""


def with_security(of: type[Border], content: dict[str, Any]) -> list[PodTemplate]:
    if of is PodSecurity:
        return [template(securityContext=content)]
    places = [("containers", "runtime"), ("containers", "tool"), ("initContainers", "first")]
    return [template(**{field: [{"name": name, "securityContext": content}]}) for field, name in places]


@pytest.mark.parametrize("of", CONFINEMENT, ids=["of a pod", "of a container"])
def test_each_field_of_a_security_context_has_its_row(of):
    assert {field.alias for field in of.model_fields.values()} == set(CONFINEMENT[of])


@pytest.mark.parametrize(
    ("of", "field"),
    [pytest.param(of, field, id=f"{of.__name__}.{field}") for of in CONFINEMENT for field in CONFINEMENT[of]],
)
def test_less_confinement_than_the_operators_needs_leave(of, field):
    fine, less, switch = CONFINEMENT[of][field]
    init = TemplateAllowance(init_containers=True)
    leave = replace(
        init, **{{"privileged": "privileged", "writableRoot": "writable_root", "": "any_node"}[switch]: True}
    )
    for value in fine:
        for asked in with_security(of, {field: value}):
            assert template_problems(asked, init) == ()
    for value in less:
        for asked in with_security(of, {field: value}):
            [words] = template_problems(asked, init)
            assert f"securityContext.{field}" in words
            assert f"runtime.allow.{switch} of the chart" in words
            assert template_problems(asked, leave) == ()


def test_a_token_is_mounted_for_an_allowed_account_alone():
    asked = template(serviceAccountName="admin", automountServiceAccountToken=True)

    assert template_problems(asked, EVERYTHING) == ()
    assert len(template_problems(template(automountServiceAccountToken=True), EVERYTHING)) == 1


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/films", True), ("/films/", True), ("/films/old", True), ("/films-of-others", False), ("/", False),
     ("/films/../etc", False), ("films", False), ("", False), ("//films", False), ("/films/./a", True)],
)  # fmt: skip
def test_a_path_is_allowed_at_and_below_its_root(path, allowed):
    assert (template_problems(host_path(path), TemplateAllowance(host_paths=("/films",))) == ()) is allowed


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"spec": {"shareProcessNamespace": True}}, id="a field that is not on the list"),
        pytest.param({"spec": {"volumes": [{"name": "p", "projected": {"sources": []}}]}}, id="a token by projection"),
        pytest.param({"spec": {"volumes": [{"name": "p", "csi": {"driver": "d"}}]}}, id="a driver of the node"),
        pytest.param({"spec": {"nodeName": "control-plane"}}, id="a node past the scheduler"),
        pytest.param({"spec": {"containers": [{"name": "runtime", "envFrom": [{}]}]}}, id="a Secret as variables"),
        pytest.param({"spec": {"containers": [{"name": "runtime", "lifecycle": {}}]}}, id="hooks"),
        pytest.param(
            {
                "spec": {
                    "affinity": {
                        "podAntiAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                {"topologyKey": "zone", "namespaceSelector": {}}
                            ]
                        }
                    }
                }
            },
            id="all namespaces' pods",
        ),
        pytest.param(
            {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]}},
            id="a port of the node",
        ),
        pytest.param({"spec": {"nodeSelector": {"a": {"b": "c"}}}}, id="nesting where text belongs"),
        pytest.param({"spec": {"containers": [{"name": "c"}] * 9}}, id="too many containers"),
        pytest.param({"spec": {"nodeSelector": {f"k{n}": "v" for n in range(65)}}}, id="too many labels"),
    ],
)
def test_what_is_not_on_the_list_cannot_be_said(content):
    with pytest.raises(ValidationError):
        PodTemplate.model_validate(content)

"""Manifests of a pool: safe pods, probes, the user's overlay, a budget that lets nodes be drained."""

from typing import Any

import pytest

from pitwall_crds.reading.load import revision_of
from pitwall_crds.variant import SamplerVariant
from pitwall_operator.kube import manifests
from pitwall_operator.kube.manifests import APPLIED, Defaults, Owner, PoolRequest, merge
from pitwall_operator.values.observation import Pool

OWNER = Owner("shop", "aks-v1", "uid-1", "sampler")


def variant(**runtime: Any) -> SamplerVariant:
    spec = {"sampler": {"name": "aks"}, "runtime": runtime}
    return SamplerVariant.model_validate({"metadata": {"name": "aks-v1", "namespace": "shop"}, "spec": spec})


def deployment(pool: Pool = Pool.MAIN, defaults: Defaults | None = None, **runtime: Any) -> dict[str, Any]:
    declared = variant(**runtime)
    image = declared.spec.runtime.image or "registry.example/runtime:1"
    wanted = PoolRequest(declared, revision_of(declared), image, pool, 3)
    return manifests.deployment(OWNER, wanted, defaults or Defaults("registry.example/runtime:1"))


def container(found: dict[str, Any]) -> dict[str, Any]:
    return found["spec"]["template"]["spec"]["containers"][0]


def test_pods_are_as_restricted_as_the_restricted_standard_asks():
    pod = deployment()["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container(deployment())["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_every_writable_path_is_a_volume():
    found = deployment()
    volumes = {volume["name"]: volume for volume in found["spec"]["template"]["spec"]["volumes"]}
    writable = [mount for mount in container(found)["volumeMounts"] if not mount.get("readOnly")]
    assert {mount["mountPath"] for mount in writable} == {"/var/cache/pitwall", "/tmp"}
    assert all("emptyDir" in volumes[mount["name"]] for mount in writable)


@pytest.mark.parametrize(
    ("pool", "name", "arm"),
    [(Pool.MAIN, "aks-v1", "stable"), (Pool.CONTROL, "aks-v1-control", "control"),
     (Pool.CANDIDATE, "aks-v1-candidate", "candidate")],
)  # fmt: skip
def test_each_pool_has_its_name_its_labels_and_its_arm(pool, name, arm):
    found = deployment(pool)
    assert found["metadata"]["name"] == name
    assert found["metadata"]["labels"]["pitwall.dev/rollout"] == "sampler"
    assert found["spec"]["selector"]["matchLabels"]["pitwall.dev/pool"] == pool.value
    assert found["spec"]["selector"]["matchLabels"].items() <= found["spec"]["template"]["metadata"]["labels"].items()
    assert container(found)["args"][container(found)["args"].index("--arm") + 1] == arm


def test_neither_selector_knows_the_revision_so_an_edit_can_roll():
    found, offered = deployment(), manifests.service(OWNER, Pool.MAIN)
    assert "pitwall.dev/revision" in found["spec"]["template"]["metadata"]["labels"]
    assert "pitwall.dev/revision" not in found["spec"]["selector"]["matchLabels"]
    assert offered["spec"]["selector"] == found["spec"]["selector"]["matchLabels"]


def test_the_overlay_merges_containers_by_name_and_can_remove():
    overlay = {
        "metadata": {"annotations": {"team": "video"}},
        "spec": {
            "nodeSelector": {"nvidia.com/mig.config": "all-1g.10gb"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "topologySpreadConstraints": None,
            "containers": [
                {"name": "runtime", "env": [{"name": "HF_HOME", "value": "/x"}, {"name": "HOME", "value": "/x"}]},
                {"name": "sidecar", "image": "s:1"},
            ],
        },
    }
    found = deployment(template=overlay)
    pod = found["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == ["runtime", "sidecar"]
    environment = {one["name"]: one["value"] for one in container(found)["env"]}
    assert environment["HOME"] == "/x"
    assert environment["HF_HOME"] == "/x"
    assert container(found)["image"] == "registry.example/runtime:1"
    assert pod["nodeSelector"] == {"nvidia.com/mig.config": "all-1g.10gb"}
    assert "topologySpreadConstraints" not in pod
    assert found["spec"]["template"]["metadata"]["annotations"] == {"team": "video"}
    assert found["spec"]["template"]["metadata"]["labels"]["pitwall.dev/pool"] == "main"


def test_resources_and_image_are_the_variants():
    found = deployment(image="paper:2", resources={"limits": {"nvidia.com/gpu": 1}, "requests": {"memory": "8Gi"}})
    assert container(found)["image"] == "paper:2"
    assert container(found)["resources"] == {"limits": {"nvidia.com/gpu": "1"}, "requests": {"memory": "8Gi"}}


def test_the_digest_changes_with_what_is_applied_and_with_nothing_else():
    digests = {
        deployment()["metadata"]["annotations"][APPLIED],
        deployment()["metadata"]["annotations"][APPLIED],
        deployment(image="other:1")["metadata"]["annotations"][APPLIED],
        deployment(defaults=Defaults("registry.example/runtime:1", grace_seconds=5))["metadata"]["annotations"][
            APPLIED
        ],
    }
    assert len(digests) == 3


@pytest.mark.parametrize(("probe", "seconds"), [("readinessProbe", 15), ("livenessProbe", 60)])
def test_a_busy_pod_is_not_taken_for_dead_at_once(probe, seconds):
    found = container(deployment())[probe]
    assert found["timeoutSeconds"] == 5
    assert found["failureThreshold"] * found["periodSeconds"] >= seconds


def test_a_pod_that_shall_stop_serves_until_gateways_know_and_is_killed_only_after_its_last_answer():
    found = deployment(defaults=Defaults("registry.example/runtime:1", grace_seconds=40))
    arguments = container(found)["args"]
    told = int(arguments[arguments.index("--grace-seconds") + 1])
    leaving = container(found)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert told == 40
    assert leaving > 0
    assert found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > leaving + told


def test_a_budget_never_blocks_the_drain_of_a_node_for_ever():
    budget = manifests.disruption_budget(OWNER, Pool.MAIN)
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_everything_goes_when_the_variant_goes():
    declared = variant()
    objects = [
        deployment(),
        manifests.service(OWNER, Pool.MAIN),
        manifests.disruption_budget(OWNER, Pool.MAIN),
        manifests.config_map(OWNER, declared, "r"),
        manifests.controller_revision(OWNER, declared, "r", "i", 1),
    ]
    for found in objects:
        (reference,) = found["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["uid"], reference["controller"]) == ("SamplerVariant", "uid-1", True)
        assert found["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize(
    ("base", "overlay", "merged"),
    [
        pytest.param({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}, id="mappings merge"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="plain lists are replaced"),
        pytest.param({"a": 1, "b": 2}, {"a": None}, {"b": 2}, id="null removes"),
        pytest.param({"volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}]},
                     {"volumeMounts": [{"mountPath": "/tmp", "name": "big"}, {"mountPath": "/w", "name": "w"}]},
                     {"volumeMounts": [{"mountPath": "/tmp", "name": "big"}, {"mountPath": "/w", "name": "w"}]},
                     id="mounts merge by path"),
    ],
)  # fmt: skip
def test_merging(base, overlay, merged):
    assert merge(base, overlay) == merged

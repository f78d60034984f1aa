"""Manifests of a pool: safe pods, probes, the user's overlay, a budget that lets nodes be drained."""

from typing import Any

import pytest

from pitwall_crds.names import Pool
from pitwall_crds.reading.load import revision_of
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.pools import manifests
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.kube.pools.manifests import Owner, PoolRequest
from pitwall_operator.kube.pools.overlay import merge
from pitwall_operator.kube.whose import APPLIED

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


def test_no_overlay_says_of_pods_that_they_are_others_than_they_are():
    """Users and evidence follow the pods' revision."""
    said = {"pitwall.dev/revision": "of-another", "pitwall.dev/pool": "candidate", "team": "search"}
    found, plain = deployment(template={"metadata": {"labels": said}}), deployment()
    labels = found["spec"]["template"]["metadata"]["labels"]

    assert labels["pitwall.dev/revision"] == found["metadata"]["labels"]["pitwall.dev/revision"]
    assert labels["pitwall.dev/pool"] == plain["spec"]["template"]["metadata"]["labels"]["pitwall.dev/pool"]
    assert labels["team"] == "search"


def test_the_overlay_merges_containers_by_name_and_can_remove():
    overlay = {
        "metadata": {"annotations": {"team": "video"}},
        "spec": {
            "nodeSelector": {"nvidia.com/mig.config": "all-1g.10gb"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "topologySpreadConstraints": [],
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
    assert pod["topologySpreadConstraints"] == []
    assert pod["containers"][1]["securityContext"] == container(deployment())["securityContext"]
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


def test_a_revisions_file_is_the_same_whenever_it_is_run_again():
    first = variant()
    runtime = first.spec.runtime.model_copy(update={"replicas": 7})
    later = first.model_copy(
        update={
            "metadata": first.metadata.model_copy(update={"generation": 9, "annotations": {"applied": "again"}}),
            "spec": first.spec.model_copy(update={"runtime": runtime}),
        }
    )

    assert manifests.config_map(OWNER, later, "r") == manifests.config_map(OWNER, first, "r")


INSTALLED = Defaults(
    "registry.example/runtime:1",
    image_pull_policy="Always",
    image_pull_secrets=("one", "two"),
    service_account="runtime",
    media_roots=("/films", "/clips"),
    allowed_hosts=("minio:9000",),
    cache_volume={"persistentVolumeClaim": {"claimName": "cache"}},
    media_volume={"nfs": {"server": "nas", "path": "/films"}},
)


def test_what_the_installation_says_reaches_every_pod():
    found = deployment(defaults=INSTALLED)
    pod, runtime = found["spec"]["template"]["spec"], container(found)
    volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
    arguments = " ".join(runtime["args"])

    assert pod["serviceAccountName"] == "runtime"
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert runtime["imagePullPolicy"] == "Always"
    assert "--media-root /films --media-root /clips --allow-host minio:9000" in arguments
    assert volumes["cache"] == INSTALLED.cache_volume
    assert volumes["media"] == INSTALLED.media_volume
    assert {"name": "media", "mountPath": "/films", "readOnly": True} in runtime["volumeMounts"]


def test_a_media_volume_without_a_place_is_not_mounted():
    found = deployment(defaults=Defaults("i", media_volume={"emptyDir": {}}))

    assert "media" not in {volume["name"] for volume in found["spec"]["template"]["spec"]["volumes"]}
    assert "media" not in {mount["name"] for mount in container(found)["volumeMounts"]}


def test_an_installation_that_says_nothing_leaves_kubernetes_own_rules():
    found = deployment()

    assert "imagePullPolicy" not in container(found)
    assert not {"serviceAccountName", "imagePullSecrets"} & found["spec"]["template"]["spec"].keys()


def test_laying_the_same_over_it_twice_is_laying_it_once():
    overlay = {"metadata": {"labels": {"team": "video"}}, "spec": {"containers": [{"name": "runtime", "tty": True}]}}
    base = deployment()["spec"]["template"]

    assert merge(merge(base, overlay), overlay) == merge(base, overlay)
    assert merge(base, base) == base


def test_a_sidecar_says_of_its_confinement_what_it_needs_and_keeps_the_rest():
    security = {"readOnlyRootFilesystem": False, "runAsUser": 7, "capabilities": {"add": ["CHOWN"], "drop": ["MKNOD"]}}
    sidecar = {"name": "tool", "image": "t:1", "securityContext": security}
    found = deployment(template={"spec": {"containers": [sidecar], "initContainers": [{"name": "first"}]}})
    pod = found["spec"]["template"]["spec"]
    ours = container(deployment())["securityContext"]

    kept = {**ours, "capabilities": {"add": ["CHOWN"], "drop": ["ALL", "MKNOD"]}}
    assert pod["containers"][1]["securityContext"] == {**kept, "readOnlyRootFilesystem": False, "runAsUser": 7}
    assert pod["initContainers"][0]["securityContext"] == ours


@pytest.mark.parametrize("drop", [["MKNOD"], [], ["ALL"]])
@pytest.mark.parametrize("name", ["runtime", "tool"])
def test_what_a_template_drops_is_dropped_beside_everything(name, drop):
    asked = {"name": name, "securityContext": {"capabilities": {"drop": drop}}}
    pod = deployment(template={"spec": {"containers": [asked]}})["spec"]["template"]["spec"]

    (found,) = [one for one in pod["containers"] if one["name"] == name]
    assert found["securityContext"]["capabilities"]["drop"] == list(dict.fromkeys(["ALL", *drop]))


def test_nobody_writes_to_the_installations_films():
    mounts = [{"name": "media", "mountPath": "/films", "readOnly": False}, {"name": "media", "mountPath": "/again"}]
    containers = [{"name": name, "volumeMounts": mounts} for name in ("runtime", "tool")]
    pod = deployment(defaults=INSTALLED, template={"spec": {"containers": containers}})["spec"]["template"]["spec"]
    own = deployment(template={"spec": {"containers": containers}})["spec"]["template"]["spec"]

    films = [mount for one in pod["containers"] for mount in one["volumeMounts"] if mount["name"] == "media"]
    assert [mount["readOnly"] for mount in films] == [True] * 4
    assert own["containers"][1]["volumeMounts"] == mounts, "where the installation has none, the volume is its own"


CLAIM, FOLDER = {"persistentVolumeClaim": {"claimName": "films"}}, {"hostPath": {"path": "/srv/films/"}}


@pytest.mark.parametrize(
    ("films", "volume", "may_write"),
    [
        pytest.param(CLAIM, CLAIM, False, id="the claim under another name"),
        pytest.param(CLAIM, {"persistentVolumeClaim": {"claimName": "films", "readOnly": False}}, False, id="to write"),
        pytest.param(CLAIM, {"persistentVolumeClaim": {"claimName": "weights"}}, True, id="another claim"),
        pytest.param(FOLDER, {"hostPath": {"path": "/srv/films"}}, False, id="the path"),
        pytest.param(FOLDER, {"hostPath": {"path": "/srv/films/old"}}, False, id="a path below"),
        pytest.param(FOLDER, {"hostPath": {"path": "/srv"}}, False, id="a path above"),
        pytest.param(FOLDER, {"hostPath": {"path": "/srv/films-of-ours"}}, True, id="another path"),
        pytest.param(FOLDER, {"emptyDir": {}}, True, id="a folder of its own"),
    ],
)
@pytest.mark.parametrize("roots", [("/films",), ()], ids=["mounted", "without a place"])
def test_whatever_holds_the_installations_films_is_read_only_by_whatever_name(films, volume, may_write, roots):
    mount = {"name": "mine", "mountPath": "/mine"}
    containers = [{"name": name, "volumeMounts": [mount]} for name in ("runtime", "tool")]
    laid = {"spec": {"containers": containers, "volumes": [{"name": "mine", **volume}]}}
    pod = deployment(defaults=Defaults("i", media_roots=roots, media_volume=films), template=laid)["spec"]["template"]

    mounts = [one for found in pod["spec"]["containers"] for one in found["volumeMounts"] if one["name"] == "mine"]
    assert [not one.get("readOnly") for one in mounts] == [may_write] * 2


@pytest.mark.parametrize(
    ("films", "cache"),
    [
        pytest.param({"hostPath": {"path": "/srv"}}, {"hostPath": {"path": "/srv/cache"}}, id="below the films"),
        pytest.param({"hostPath": {"path": "/srv/films"}}, {"hostPath": {"path": "/srv"}}, id="above the films"),
        pytest.param(CLAIM, CLAIM, id="one claim for both"),
    ],
)
def test_the_installations_own_cache_is_written_to_wherever_it_is(films, cache):
    installed = Defaults("image", media_roots=("/films",), media_volume=films, cache_volume=cache)
    pod = deployment(defaults=installed)["spec"]["template"]["spec"]

    mounts = {one["name"]: one.get("readOnly", False) for one in pod["containers"][0]["volumeMounts"]}
    assert (mounts["cache"], mounts["media"]) == (False, True)


def test_switches_that_kubernetes_spells_with_capitals_arrive():
    spec = {"hostPID": True, "hostIPC": True, "hostNetwork": True}
    pod = deployment(template={"spec": spec})["spec"]["template"]["spec"]

    assert pod.items() >= spec.items()


def test_scaling_changes_no_revision_and_no_file_of_one():
    scaled = declared_variant(replicas=7, scaling={"minReplicas": 1, "maxReplicas": 9})

    assert revision_of(scaled) == revision_of(declared_variant(replicas=2))
    assert manifests.config_map(OWNER, scaled, "r") == manifests.config_map(OWNER, declared_variant(replicas=2), "r")


def declared_variant(**runtime: object) -> SamplerVariant:
    data = {"metadata": {"name": "aks-v1"}, "spec": {"sampler": {"name": "aks"}, "runtime": runtime}}
    return SamplerVariant.model_validate(data)


OVER = {"spec": {"containers": [{"name": "runtime", "image": "paper:2"}]}}
VOUCHED = {"spec": {"containers": [{"name": "runtime", "env": [{"name": "PITWALL_BUILD", "value": ""}]}]}}


@pytest.mark.parametrize(
    ("runtime", "named"),
    [
        pytest.param({}, None, id="the installation's image has no name, so that ingest workers share with it"),
        pytest.param({"image": "registry.example/runtime:1"}, None, id="nor has it where a variant says it too"),
        pytest.param({"image": "paper:2"}, "paper:2", id="an image of the variant's own is named"),
        pytest.param({"template": OVER}, "paper:2", id="also one of its pod template"),
        pytest.param({"image": "paper:2", "template": VOUCHED}, "", id="unless the variant vouches for it"),
    ],
)
def test_an_image_that_is_not_the_installations_is_named_to_its_runtime(runtime, named):
    environment = {one["name"]: one.get("value", "") for one in container(deployment(**runtime))["env"]}
    assert environment.get("PITWALL_BUILD") == named


def test_a_running_pool_whose_image_is_no_more_the_installations_keeps_its_name():
    """An upgrade names no image anew: the pool's pods would begin with an empty cache."""
    declared = variant()
    wanted = PoolRequest(declared, revision_of(declared), "registry.example/runtime:1", Pool.MAIN, 3)
    found = manifests.deployment(OWNER, wanted, Defaults("registry.example/runtime:2"))
    assert "PITWALL_BUILD" not in {one["name"] for one in container(found)["env"]}

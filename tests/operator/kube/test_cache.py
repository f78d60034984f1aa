"""The cache: the newest state wins whatever the order of news, and changes reach those whom they concern."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_operator.kube import cache as caches
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import DEPLOYMENTS, ROLLOUTS, SERVICES, VARIANTS
from pitwall_operator.kube.whose import APPLIED, ROLLOUT_LABEL


def metadata(name: str, version: int, **more: object) -> dict[str, object]:
    return {"namespace": "shop", "name": name, "resourceVersion": str(version), "uid": f"uid-{name}", **more}


def rollout(version: int, variant: str = "aks", *, flag: str = "f", name: str = "sampler", stable: str = ""):
    status = {"stableVariant": stable} if stable else {}
    return {
        "metadata": metadata(name, version),
        "spec": {"flag": flag, "variantRef": {"name": variant}},
        "status": status,
    }


def deployment(version: int, *fields: dict[str, object], labels: dict[str, str] | None = None):
    own = {ROLLOUT_LABEL: "sampler", "pitwall.dev/variant": "aks", "pitwall.dev/pool": "main"}
    head = metadata("aks", version, labels=labels or own, managedFields=list(fields))
    return {"metadata": head, "spec": {"replicas": 2, "template": {"spec": {}}}, "status": {}}


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
def test_the_newest_wins_whatever_the_order(cache, order):
    for version in order:
        cache.put(ROLLOUTS, rollout(version, f"v{version}"))
    assert cache.get(ROLLOUTS, ("shop", "sampler"))["spec"]["variantRef"]["name"] == "v3"
    assert cache.rollouts_of_variant(("shop", "v3")) == {("shop", "sampler")}
    assert not cache.rollouts_of_variant(("shop", "v2"))


def test_ones_own_write_seen_again_is_no_news(cache):
    assert cache.put(ROLLOUTS, rollout(7))
    assert not cache.put(ROLLOUTS, rollout(7))
    assert not cache.put(ROLLOUTS, rollout(6))


def test_a_late_answer_does_not_bring_back_what_was_deleted(cache):
    cache.put(ROLLOUTS, rollout(3))
    assert cache.drop(ROLLOUTS, ("shop", "sampler"), 5) is not None
    assert not cache.put(ROLLOUTS, rollout(4))
    assert cache.put(ROLLOUTS, rollout(6))
    assert cache.drop(ROLLOUTS, ("shop", "sampler"), 5) is None
    assert cache.get(ROLLOUTS, ("shop", "sampler")) is not None


def test_a_list_shows_what_was_deleted_unseen(cache):
    for name, version in (("a", 3), ("b", 4), ("c", 9)):
        cache.put(ROLLOUTS, rollout(version, name=name))
    missing = cache.missing_from(ROLLOUTS, [("shop", "a")], 8)
    assert missing == [("shop", "b")]  # c is younger than the list


def test_a_change_concerns_those_who_share_flag_or_variant(cache):
    cache.put(ROLLOUTS, rollout(1, "aks", flag="f", name="one"))
    cache.put(ROLLOUTS, rollout(2, "dpp", flag="f", name="two"))
    cache.put(ROLLOUTS, rollout(3, "topk", flag="g", name="three", stable="aks"))
    cache.put(ROLLOUTS, rollout(4, "uniform", flag="h", name="four"))
    named = {name for _, name in cache.concerned(ROLLOUTS, cache.get(ROLLOUTS, ("shop", "one")))}
    assert named == {"one", "two", "three"}
    assert cache.concerned(VARIANTS, {"metadata": metadata("uniform", 1)}) == {("shop", "four")}
    assert cache.concerned(DEPLOYMENTS, deployment(1)) == {("shop", "sampler")}


def test_an_object_is_read_once_for_each_of_its_versions(cache):
    read = []

    def name(found):
        read.append(found["metadata"]["resourceVersion"])
        return found["spec"]["variantRef"]["name"]

    key = ("shop", "sampler")
    for version, variant in [(1, "aks"), (2, "dpp")]:
        cache.put(ROLLOUTS, rollout(version, variant))
        assert [cache.read(ROLLOUTS, key, name) for _ in range(3)] == [variant] * 3
    cache.drop(ROLLOUTS, key, 3)
    cache.put(ROLLOUTS, rollout(4, "topk"))
    assert cache.read(ROLLOUTS, key, name) == "topk"
    assert read == ["1", "2", "4"]


def test_a_deployment_is_kept_slim_and_remembers_who_else_sets_its_spec(cache):
    ours = {"manager": "pitwall-operator", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    controllers = {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:status": {}}}
    theirs = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    cache.put(DEPLOYMENTS, deployment(1, ours, controllers))
    assert cache.get(DEPLOYMENTS, ("shop", "aks"))["strangers"] == []
    cache.put(DEPLOYMENTS, deployment(2, ours, theirs))
    kept = cache.get(DEPLOYMENTS, ("shop", "aks"))
    assert kept["strangers"] == ["kubectl-edit"]
    assert "template" not in kept["spec"]
    assert [found["metadata"]["name"] for found in cache.deployments_of(("shop", "sampler"))] == ["aks"]


@pytest.mark.parametrize("kind", [ROLLOUTS, VARIANTS, DEPLOYMENTS, SERVICES], ids=lambda kind: kind.plural)
def test_what_anybody_may_write_on_an_object_at_any_length_is_not_kept(cache, kind):
    long = {f"evil.example/{number}": "x" * 200 for number in range(200)}
    head = metadata(
        "aks", 1, creationTimestamp="2026-01-01T00:00:00Z", deletionTimestamp="2026-01-02T00:00:00Z", generation=3,
        annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", APPLIED: "d" * 999, **long},
        labels={**long, "pitwall.dev/instance": "blue", ROLLOUT_LABEL: "sampler"},
        finalizers=[name + "x" * 999 for name in long], selfLink="/x" * 999,
        managedFields=[{"manager": f"{name}{'x' * 999}", "fieldsV1": {"f:spec": long}} for name in long],
        ownerReferences=[{"uid": name, "name": name} for name in long] + [
            {"uid": "u", "kind": "K" * 999, "name": "n" * 999, "apiVersion": "a" * 999, "controller": True}
        ],
    )  # fmt: skip
    told = {"type": "Progressing", "status": "False", "reason": "r" * 9999, "message": "m" * 9999}
    status = {"readyReplicas": 1, "conditions": [told] * 99, "free": long} if kind is DEPLOYMENTS else {}
    cache.put(kind, {"apiVersion": "v1", "kind": "X", "metadata": head, "spec": {}, "status": status, "data": long})
    kept = cache.get(kind, ("shop", "aks"))

    owned = {"ownerReferences": [{"controller": True, "kind": "K" * 63, "name": "n" * 253, "uid": "u"}]}
    assert kept["metadata"] == {
        **metadata("aks", 1), "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
        "generation": 3, "labels": {"pitwall.dev/instance": "blue", ROLLOUT_LABEL: "sampler"},
        "finalizers": [(name + "x" * 999)[:317] for name in [*long][:4]],
        **({"annotations": {"pitwall.dev/applied": "d" * 64}} if kind is DEPLOYMENTS else {}),
        **(owned if kind in caches.OWNED else {}),
    }  # fmt: skip
    assert len(str(kept)) < (10_000 if kind is DEPLOYMENTS else 3000)


@pytest.mark.parametrize(
    ("kind", "part", "content"),
    [
        pytest.param(VARIANTS, "spec", {"sampler": {"parameters": {"prompt": "x" * 70_000}}}, id="a text"),
        pytest.param(VARIANTS, "spec", {"sampler": {"x" * 70_000: 1}}, id="the name of a field"),
        pytest.param(VARIANTS, "spec", {"runtime": {"env": [{"a": 1}] * 2001}}, id="fields"),
        pytest.param(VARIANTS, "status", {"imageSamplers": [{}] * 2001}, id="a status"),
        pytest.param(ROLLOUTS, "spec", {"flag": "x" * 70_000}, id="of a rollout"),
    ],
)
def test_what_is_larger_than_anybody_may_write_is_not_kept_but_named(cache, kind, part, content):
    cache.put(kind, {"metadata": metadata("aks", 1), "spec": {}, "status": {}, part: content})
    kept = cache.get(kind, ("shop", "aks"))

    assert kept[part] == {}
    assert ("no resource" in kept.get(caches.OVERSIZED, "")) is (part == "spec")
    assert len(str(kept)) < 1000


def test_the_long_memory_in_a_rollouts_status_is_kept(cache):
    cache.put(ROLLOUTS, {**rollout(1), "status": {"cursor": "x" * 500_000}})
    assert len(cache.get(ROLLOUTS, ("shop", "sampler"))["status"]["cursor"]) == 500_000


STEP = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["aks", "dpp", "topk"]), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_news_ends_in_the_same_state(steps, chance):
    """Every watch, list and answer may arrive twice and in any order; what is known at the end is the last of each,
    and the indexes say of the objects what the objects say of themselves."""
    news = list(enumerate(steps, start=1))
    last = {name: (version, variant, is_there) for version, (name, variant, is_there) in news}
    shuffled = [*news, *chance.sample(news, len(news) // 2)]
    chance.shuffle(shuffled)

    cache = Cache()
    for version, (name, variant, is_there) in shuffled:
        if is_there:
            cache.put(ROLLOUTS, rollout(version, variant, flag=variant, name=name))
        else:
            cache.drop(ROLLOUTS, ("shop", name), version)

    expected = {("shop", name): variant for name, (_, variant, is_there) in last.items() if is_there}
    known = {key: found["spec"]["variantRef"]["name"] for key, found in cache.objects[ROLLOUTS].items()}
    assert known == expected
    for variant in ("aks", "dpp", "topk"):
        owners = {key for key, asked in expected.items() if asked == variant}
        assert cache.rollouts_of_variant(("shop", variant)) == cache.rollouts_of_flag(variant) == owners


def test_only_so_many_deletions_are_remembered(cache):
    for number in range(caches.TOMBSTONES + 10):
        cache.drop(ROLLOUTS, ("shop", f"r{number}"), number + 1)

    assert not cache.put(ROLLOUTS, rollout(1, name=f"r{caches.TOMBSTONES}"))
    assert cache.put(ROLLOUTS, rollout(1, name="r0")), "the oldest was forgotten; a list would correct it"


def test_who_is_leaving_stays_no_longer_and_asks_for_nothing(cache):
    cache.put(ROLLOUTS, rollout(1, name="stays"))
    leaving = rollout(2, name="leaves")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cache.put(ROLLOUTS, leaving)

    cache.put(ROLLOUTS, {**rollout(3, name="broken"), "spec": ["of", "no", "shape"]})

    assert cache.flags_of_staying_rollouts() == {("shop", "stays"): "f", ("shop", "broken"): ""}
    assert not cache.stays(("shop", "never-was"))


@pytest.mark.parametrize(
    ("namespace", "missing"),
    [("", {("shop", "a"), ("other", "b")}), ("shop", {("shop", "a")}), ("empty", set())],
)
def test_a_list_of_one_namespace_says_nothing_of_the_others(cache, namespace, missing):
    cache.put(ROLLOUTS, rollout(1, name="a"))
    elsewhere = rollout(2, name="b")
    elsewhere["metadata"]["namespace"] = "other"
    cache.put(ROLLOUTS, elsewhere)

    assert set(cache.missing_from(ROLLOUTS, [], 9, namespace)) == missing


def test_a_rollout_mentions_what_it_asks_for_serves_tries_and_copies_to():
    found = rollout(1, "dpp", stable="uniform")
    found["spec"]["experiments"] = [{"variantRef": {"name": "topk"}}]
    found["status"] |= {"candidateVariant": "aks", "experiments": ["old"]}

    assert caches.mentioned(found) == {"dpp", "uniform", "topk", "aks", "old"}
    assert caches.mentioned({"metadata": {}, "spec": None, "status": None}) == frozenset()


def test_a_deployment_of_nobodys_concerns_nobody(cache):
    assert cache.concerned(DEPLOYMENTS, deployment(1, labels={"app": "x"})) == frozenset()


def test_late_news_of_an_earlier_deletion_does_not_open_the_door_to_what_came_before_the_last_one(cache):
    cache.drop(ROLLOUTS, ("shop", "sampler"), 5)
    cache.drop(ROLLOUTS, ("shop", "sampler"), 3)

    assert not cache.put(ROLLOUTS, rollout(4))

"""Which Rollouts are whose, where several operators run in one cluster."""

import copy

import pytest

from pitwall_operator.kube.namespace_claims import (
    DURATION_SECONDS,
    EVERYWHERE,
    RENEW_SECONDS,
    RIVAL,
    Claims,
    OperatorScope,
)
from pitwall_operator.values.errors import (
    KubeConflictError,
    KubeNotFoundError,
    KubeRefusedError,
    KubeUnreachableError,
)


class LeasesKube:
    """The Leases of a cluster, with optimistic locking."""

    def __init__(self, now: list[float]) -> None:
        self.now, self.leases, self.version, self.trouble, self.broken = now, {}, 0, None, {}

    def clock(self) -> float:
        return self.now[0]

    async def get(self, kind, namespace, name):
        if trouble := self.trouble or self.broken.get(namespace):
            raise trouble
        if (namespace, name) not in self.leases:
            raise KubeNotFoundError(name)
        return copy.deepcopy(self.leases[namespace, name])

    async def pages(self, kind, namespace="", selector="", *, fields="", heads=False):
        if self.trouble:
            raise self.trouble
        name = fields.removeprefix("metadata.name=")
        found = [one for one in self.leases.values() if one["metadata"]["name"] == name]
        yield {"items": copy.deepcopy(found)}

    async def put_lease(self, manifest):
        key = (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        known = self.leases.get(key)
        if known and known["metadata"]["resourceVersion"] != manifest["metadata"].get("resourceVersion"):
            raise KubeConflictError("somebody was faster")
        self.version += 1
        created = known["metadata"]["creationTimestamp"] if known else f"{self.version:03}"
        metadata = {**manifest["metadata"], "resourceVersion": str(self.version), "creationTimestamp": created}
        self.leases[key] = {**copy.deepcopy(manifest), "metadata": metadata}


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def kube(now) -> LeasesKube:
    return LeasesKube(now)


@pytest.fixture
def operator(kube, now):
    """Makes operators of one cluster: by home, and by what they are for."""

    def make(home: str, *namespaces: str, instance: str = "") -> Claims:
        return Claims(kube, OperatorScope(f"{home}/op", "kube-system", instance, namespaces), lambda: now[0])

    return make


def rollout(namespace: str, instance: str = "") -> dict:
    labels = {"pitwall.dev/instance": instance} if instance else {}
    return {"metadata": {"namespace": namespace, "labels": labels}}


async def test_an_operator_takes_care_of_its_own_instance_alone(operator):
    unnamed, blue = operator("a"), operator("b", instance="blue")
    for each in (unnamed, blue):
        await each.settle()

    assert unnamed.are_ours(rollout("shop"))
    assert not unnamed.are_ours(rollout("shop", "blue"))
    assert blue.are_ours(rollout("shop", "blue"))
    assert not blue.are_ours(rollout("shop"))
    assert not unnamed.contested("shop")


async def test_one_of_the_whole_cluster_keeps_out_of_a_namespace_that_is_claimed(operator, kube, now):
    wide, scoped = operator("a"), operator("shop", "shop", "search")
    await wide.settle()
    assert wide.are_ours(rollout("shop"))
    await scoped.settle()

    assert await wide.settle(), "something changed"
    assert not wide.are_ours(rollout("shop"))
    assert not wide.are_ours(rollout("search"))
    assert wide.are_ours(rollout("elsewhere"))
    assert scoped.are_ours(rollout("shop"))
    assert not scoped.contested("shop"), "the two are apart"

    now[0] += DURATION_SECONDS + 1  # the other one is gone
    await wide.settle()
    assert wide.are_ours(rollout("shop"))


async def test_of_two_that_claim_a_namespace_the_first_has_it_and_tells_of_the_other(operator, now):
    first, second = operator("a", "shop"), operator("b", "shop", "search")
    await first.settle()
    await second.settle()
    assert await first.settle(), "there is something to tell"

    assert first.are_ours(rollout("shop"))
    assert not second.are_ours(rollout("shop"))
    assert second.are_ours(rollout("search"))
    assert "operator b/op watches this namespace too" in first.contested("shop")
    assert not second.contested("search")

    now[0] += DURATION_SECONDS + 1  # the second one has gone
    await first.settle()
    assert not first.contested("shop")


async def test_what_others_write_into_a_claim_stops_no_operator(operator, kube):
    wide, scoped = operator("a"), operator("b", "shop")
    await scoped.settle()
    (claim,) = kube.leases.values()
    for odd in ("x soon", "x -1", f"x {'9' * 5000}", "x", " "):
        claim["metadata"]["annotations"][RIVAL] = odd
        await scoped.settle()
        assert not scoped.contested("shop")
    del claim["spec"]
    await wide.settle()
    await scoped.settle()

    assert scoped.are_ours(rollout("shop"))
    assert wide.are_ours(rollout("elsewhere"))


async def test_the_second_takes_over_when_the_first_is_gone(operator, now):
    first, second = operator("a", "shop"), operator("b", "shop")
    await first.settle()
    for _ in range(6):
        await second.settle()
        assert not second.are_ours(rollout("shop"))
        now[0] += DURATION_SECONDS / 6
    now[0] += 1
    await second.settle()

    assert second.are_ours(rollout("shop"))
    assert await first.settle()
    assert not first.are_ours(rollout("shop"))


async def test_of_two_for_the_whole_cluster_the_first_has_it_whoever_looks_first(operator):
    first, second = operator("z"), operator("a")
    await first.settle()
    await second.settle()
    await first.settle()

    assert first.are_ours(rollout("shop"))
    assert not second.are_ours(rollout("shop"))
    assert "operator a/op" in first.contested("shop")
    assert second.rivals == {EVERYWHERE: "z/op"}


async def test_what_cannot_be_found_out_stays_as_it_was(operator, kube):
    first, second = operator("a", "shop"), operator("b", "shop")
    await first.settle()
    await second.settle()
    kube.trouble = KubeUnreachableError("down")

    assert not await second.settle()
    assert not second.are_ours(rollout("shop"))
    assert first.are_ours(rollout("shop"))


async def test_without_the_rights_an_operator_works_and_says_what_is_missing_once(operator, kube, caplog):
    kube.trouble = KubeRefusedError("leases is forbidden")
    alone = operator("a", "shop")
    await alone.settle()
    await alone.settle()

    assert alone.are_ours(rollout("shop"))
    assert caplog.text.count("give this one the rights on leases") == 1


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("me then", id="no time"),
        pytest.param("me", id="nothing but a name"),
        pytest.param("me nan", id="a number that is none"),
        pytest.param("me 1e400", id="more than a number"),
        pytest.param("me " + "9" * 5000, id="a number without end"),
        pytest.param("me 1000000", id="a time that is far away"),
        pytest.param("me ١٠٠٠", id="digits of another script"),
    ],
)
async def test_a_rival_that_nobody_can_read_is_none(operator, kube, said):
    alone = operator("a", "shop")
    await alone.settle()
    kube.leases["shop", "pitwall-claim-default"]["metadata"]["annotations"]["pitwall.dev/rival"] = said
    await alone.settle()

    assert alone.are_ours(rollout("shop"))
    assert not alone.contested("shop")


async def test_a_rivals_name_is_told_in_printable_words_and_no_longer_than_a_name(operator, kube):
    alone = operator("a", "shop")
    await alone.settle()
    said = {"pitwall.dev/rival": "\x1b[31m" + "m" * 5000 + " 1000"}
    kube.leases["shop", "pitwall-claim-default"]["metadata"]["annotations"] = said
    await alone.settle()

    assert "operator \\x1b[31mmmm" in alone.contested("shop")
    assert len(alone.contested("shop")) < 600


@pytest.mark.parametrize("spoilt", [{"spec": None}, {"metadata": {"labels": None, "annotations": None}}], ids=str)
async def test_what_others_wrote_on_a_claim_is_written_anew(operator, kube, now, spoilt):
    scoped, wide = operator("shop", "shop"), operator("a")
    await scoped.settle()
    lease = kube.leases["shop", "pitwall-claim-default"]
    lease["metadata"] |= spoilt.get("metadata", {})
    lease["spec"] = spoilt.get("spec", lease["spec"])
    await scoped.settle()
    await wide.settle()

    assert not wide.are_ours(rollout("shop"))
    assert lease is not kube.leases["shop", "pitwall-claim-default"]


async def test_a_claim_that_cannot_be_settled_keeps_no_other_from_it(operator, kube, caplog):
    several = operator("a", "evil", "shop")
    kube.broken["evil"] = ValueError("nobody foresaw this")
    await several.settle()

    assert ("shop", "pitwall-claim-default") in kube.leases
    assert "the claim of namespace evil could not be settled" in caplog.text

    kube.broken["evil"] = KubeRefusedError("leases is forbidden")
    other = operator("b", "evil", "shop")
    await other.settle()
    assert not other.are_ours(rollout("shop"))


async def test_a_lease_in_anybodys_own_namespace_claims_no_other(operator, kube, now):
    everywhere, own = "pitwall-claim-default-everywhere", "pitwall-claim-default"
    for name in (everywhere, own, "mine"):
        await kube.put_lease({
            "metadata": {
                "namespace": "evil", "name": name, "labels": {"pitwall.dev/claim": "default"},
                "annotations": {"pitwall.dev/scope": "cluster"},
            },
            "spec": {"holderIdentity": "kube-system/op", "renewTime": "2026-01-01T00:00:00Z"},
        })  # fmt: skip
    wide = operator("a")
    await wide.settle()

    assert wide.are_ours(rollout("shop"))
    assert not wide.contested("shop")
    assert wide.rivals == {"evil": "kube-system/op"}, "of its own namespace it may say so"
    assert ("kube-system", everywhere) in kube.leases


async def test_who_is_kept_out_of_the_whole_cluster_says_so_each_minute(operator, kube, now, caplog):
    kept_out = operator("b")
    for renewed in range(13):  # two minutes
        kube.leases["kube-system", "pitwall-claim-default-everywhere"] = {
            "metadata": {"namespace": "kube-system", "name": "pitwall-claim-default-everywhere", "resourceVersion": "1",
                         "creationTimestamp": "1"},
            "spec": {"holderIdentity": "a\x1b[31m/op", "renewTime": str(renewed)},
        }  # fmt: skip
        await kept_out.settle()
        now[0] += RENEW_SECONDS

    said = "operator a\\x1b[31m/op has the whole cluster by Lease kube-system/pitwall-claim-default-everywhere"
    assert kept_out.held_back().startswith(said)
    assert [said in record.getMessage() for record in caplog.records].count(True) == 3
    assert "\x1b" not in caplog.text
    assert not kept_out.are_ours(rollout("shop"))


async def test_who_is_kept_out_of_namespaces_names_a_few_of_them(operator, kube):
    wide, scoped = operator("a"), operator("b", *(f"n{number}" for number in range(9)))
    await scoped.settle()
    await wide.settle()

    assert "does nothing there: n0 (b/op), n1 (b/op)," in wide.held_back()
    assert wide.held_back().endswith("n4 (b/op) and 4 more")


async def test_where_claims_of_namespaces_cannot_be_seen_the_cluster_is_claimed_all_the_same(operator, kube, caplog):
    async def refused(*_, **__):
        raise KubeRefusedError("leases is forbidden: cannot list")
        yield

    kube.pages = refused
    await operator("a").settle()

    assert ("kube-system", "pitwall-claim-default-everywhere") in kube.leases
    assert "cannot list" in caplog.text

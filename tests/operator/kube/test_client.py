"""Every answer of an API server, and none at all, becomes one outcome that a caller can tell apart."""

import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from pitwall_operator.kube.client import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    ROLLOUTS,
    SERVICES,
    VARIANTS,
    Kind,
    connect,
)
from pitwall_operator.kube.fence import Fence
from pitwall_operator.kube.lease import MARGIN_SECONDS
from pitwall_operator.values.errors import (
    KubeConflictError,
    KubeError,
    KubeInvalidError,
    KubeNotFoundError,
    KubeRefusedError,
    KubeUnreachableError,
    NotLeaderError,
)

PATH = "/apis/pitwall.dev/v1alpha1/namespaces/shop/rollouts/sampler"
STATUS = {"kind": "Status", "message": "the reason"}


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        pytest.param(PODS, {}, "/api/v1/pods", id="a core list of all namespaces"),
        pytest.param(PODS, {"namespace": "shop"}, "/api/v1/namespaces/shop/pods", id="of one namespace"),
        pytest.param(
            DEPLOYMENTS, {"namespace": "a", "name": "b"}, "/apis/apps/v1/namespaces/a/deployments/b", id="a group"
        ),
        pytest.param(
            ROLLOUTS, {"namespace": "shop", "name": "sampler", "part": "status"}, f"{PATH}/status", id="a part"
        ),
    ],
)
def test_paths(kind, arguments, path):
    assert kind.path(**arguments) == path


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        pytest.param(400, STATUS, KubeRefusedError, "the reason", id="400 is refused for good"),
        pytest.param(401, STATUS, KubeRefusedError, "the reason", id="401 is refused for good"),
        pytest.param(403, STATUS, KubeRefusedError, "the reason", id="403 is refused for good"),
        pytest.param(404, STATUS, KubeNotFoundError, "the reason", id="404 is not there"),
        pytest.param(409, STATUS, KubeConflictError, "the reason", id="409 is a conflict"),
        pytest.param(422, STATUS, KubeInvalidError, "the reason", id="422 is refused for good"),
        pytest.param(408, STATUS, KubeUnreachableError, "the reason", id="408 is tried again"),
        pytest.param(429, STATUS, KubeUnreachableError, "the reason", id="429 is tried again"),
        pytest.param(500, STATUS, KubeUnreachableError, "the reason", id="500 is tried again"),
        pytest.param(503, STATUS, KubeUnreachableError, "the reason", id="503 is tried again"),
        pytest.param(504, b"<html>gateway time-out", KubeUnreachableError, "<html>gateway", id="a proxy's page"),
        pytest.param(502, b"", KubeUnreachableError, "502|GET", id="nothing said"),
        pytest.param(502, b'"upstream"', KubeUnreachableError, "upstream", id="a JSON string"),
        pytest.param(403, b"[]", KubeRefusedError, "GET", id="a JSON list"),
        pytest.param(200, b"<html>please log in</html>", KubeUnreachableError, "please log in", id="a login page"),
        pytest.param(200, b"[1]", KubeUnreachableError, "GET", id="an answer that is no object"),
        pytest.param(0, None, KubeUnreachableError, "did not answer GET", id="the line is cut in the answer"),
    ],
)
async def test_each_answer_has_its_outcome(kube, api, status, body, kind, words):
    api.on("GET", PATH, status, body)

    with pytest.raises(KubeError, match=words) as outcome:
        await kube.get(ROLLOUTS, "shop", "sampler")
    assert type(outcome.value) is kind
    assert PATH in str(outcome.value)


async def test_an_api_server_that_does_not_listen_is_unreachable(kubeconfig, api):
    kubeconfig.write_text(kubeconfig.read_text().replace(api.url, "http://127.0.0.1:9"))
    elsewhere = await connect(kubeconfig, Fence(lambda: True, Counted()))

    with pytest.raises(KubeUnreachableError, match="the API server did not answer GET"):
        await elsewhere.get(ROLLOUTS, "shop", "sampler")
    await elsewhere.close()


@pytest.mark.slow
async def test_an_api_server_that_is_silent_is_unreachable_in_time(kube, api):
    silent = threading.Event()
    api.answers[("GET", PATH)] = lambda _: (silent.wait(30), (200, {}))[1]
    started = time.monotonic()

    with pytest.raises(KubeUnreachableError, match="TimeoutError"):
        await kube.get(ROLLOUTS, "shop", "sampler")
    silent.set()
    assert time.monotonic() - started < MARGIN_SECONDS, "a call that began under the lease ends under it"


class Counted:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def count(self, verb: str, resource: str) -> None:
        self.calls.append((verb, resource))


async def test_who_may_not_act_reads_and_changes_nothing(kubeconfig, api):
    counted = Counted()
    follower = await connect(kubeconfig, Fence(lambda: False, counted))
    api.on("GET", PATH, 200, {"metadata": {}})
    await follower.get(ROLLOUTS, "shop", "sampler")
    head = {"metadata": {"namespace": "shop", "name": "sampler"}}
    for change in (
        lambda: follower.apply(ROLLOUTS, head),
        lambda: follower.create(ROLLOUTS, head),
        lambda: follower.replace_status(ROLLOUTS, head),
        lambda: follower.delete(ROLLOUTS, "shop", "sampler"),
    ):
        with pytest.raises(NotLeaderError):
            await change()
    await follower.close()

    assert api.asked() == [("GET", PATH)]
    assert counted.calls == [("get", "rollouts")]


async def test_a_change_that_fails_is_counted_too_since_it_may_have_happened(kubeconfig, api):
    counted = Counted()
    leader = await connect(kubeconfig, Fence(lambda: True, counted))
    api.on("POST", "/api/v1/namespaces/shop/services", 500, STATUS)
    with pytest.raises(KubeUnreachableError):
        await leader.create(SERVICES, {"metadata": {"namespace": "shop", "name": "s"}})
    await leader.close()

    assert counted.calls == [("post", "services")]


async def test_the_lease_is_written_past_the_fence_that_relies_on_it(kubeconfig, api):
    follower = await connect(kubeconfig, Fence(lambda: False, Counted()))
    leases = LEASES.path("shop")
    api.on("POST", leases, 201, {"made": True})
    api.on("PUT", f"{leases}/l", 200, {"made": False})
    head = {"namespace": "shop", "name": "l"}

    assert await follower.put_lease({"metadata": head}) == {"made": True}
    assert await follower.put_lease({"metadata": {**head, "resourceVersion": "3"}}) == {"made": False}
    await follower.close()


@pytest.mark.parametrize("status", [200, 404, 409])
async def test_deleting_what_is_gone_or_another_is_fine(kube, api, status):
    path = CONFIG_MAPS.path("shop", "c")
    api.on("DELETE", path, status, STATUS)
    await kube.delete(CONFIG_MAPS, "shop", "c", uid="u1")

    assert api.calls == [("DELETE", path, {"propagationPolicy": "Background", "preconditions": {"uid": "u1"}})]


async def test_what_may_not_be_deleted_is_said(kube, api):
    api.on("DELETE", CONFIG_MAPS.path("shop", "c"), 403, STATUS)

    with pytest.raises(KubeRefusedError):
        await kube.delete(CONFIG_MAPS, "shop", "c")


async def test_applying_takes_the_fields_in_our_name(kube, api):
    path = SERVICES.path("shop", "s")
    api.on("PATCH", path, 200, {"ok": True})
    await kube.apply(SERVICES, {"metadata": {"namespace": "shop", "name": "s"}})

    assert api.asked() == [("PATCH", f"{path}?fieldManager=pitwall-operator&force=true")]


async def test_a_long_list_comes_page_by_page(kube, api):
    pages = iter([("a", "next/1"), ("b", "next/2"), ("c", "")])

    def page(_):
        name, token = next(pages)
        return 200, {"metadata": {"resourceVersion": "7", "continue": token}, "items": [name]}

    api.answers[("GET", PODS.path("shop"))] = page
    found = [one async for page in kube.pages(PODS, "shop", "a=b,c=d") for one in page["items"]]

    assert found == ["a", "b", "c"]
    first, second, third = (dict(parse_qsl(urlsplit(target).query)) for _, target in api.asked())
    assert first == {"limit": "20", "labelSelector": "a=b,c=d"}
    assert (second, third) == (first | {"continue": "next/1"}, first | {"continue": "next/2"})


async def test_a_list_that_breaks_off_gives_what_came_and_then_the_reason(kube, api):
    pages = iter([(200, {"metadata": {"continue": "x"}, "items": ["a"]}), (410, {"message": "too old"})])
    api.answers[("GET", PODS.path())] = lambda _: next(pages)
    listed = kube.pages(PODS)

    assert (await anext(listed))["items"] == ["a"]
    with pytest.raises(KubeRefusedError, match="too old"):
        await anext(listed)


@pytest.mark.parametrize(
    ("served", "known"),
    [
        pytest.param(["rollouts", "rollouts/status", "samplervariants"], True, id="both are there"),
        pytest.param(["rollouts"], False, id="one is missing"),
        pytest.param([], False, id="the group is empty"),
        pytest.param(None, False, id="the group is unknown"),
    ],
)
async def test_whether_our_resources_are_served(kube, api, served, known):
    if served is not None:
        api.on("GET", "/apis/pitwall.dev/v1alpha1", 200, {"resources": [{"name": name} for name in served]})

    assert await kube.serves(ROLLOUTS, VARIANTS) is known


async def test_another_client_gets_the_same_login(kube, api):
    login = await kube.login()

    assert (login.server, login.scheme, login.token) == (api.url, "Bearer", "secret")
    assert login.insecure is False


async def test_the_clock_is_the_api_servers(kube, api):
    api.on("GET", PATH, 200, {"metadata": {}})
    before = kube.clock()
    await kube.get(ROLLOUTS, "shop", "sampler")

    assert abs(kube.clock() - before) < 5


def test_kinds_are_values():
    assert Kind("v1", "Pod", "pods") == PODS

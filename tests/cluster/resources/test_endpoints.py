"""The gateway's routes follow the cluster's runtime pods, whatever the API server does."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import time
import urllib.request
import warnings
from dataclasses import replace

import pytest
from harness.plane.kube import admits_pods
from harness.processes import Process, until

from pitwall_crds.host.backoff import Backoff
from pitwall_crds.host.sockets import free_port
from pitwall_gateway.pools.endpoints import EndpointFollower, Pace

pytestmark = pytest.mark.slow
SHORT = Pace(list_seconds=2.0, watch_seconds=2, slack_seconds=0.5, backoff=Backoff(0.1, 0.5, spread=(0.5, 1.0)))
PATIENT = replace(SHORT, slack_seconds=30.0)
"""However busy the machine is, no watch is taken for lost."""
LOST_SECONDS = 60.0
"""A watch is lost while it is open, or before the server has begun it: either is noticed within a few seconds."""
GATEWAY = "operator"
"""The harness's user that may do nothing unless a Role says so."""


class Runtimes:
    """The Service and pods of a variant's pool, as the operator makes them; their status is what a kubelet writes."""

    def __init__(self, kubectl, namespace):
        self.kubectl = kubectl
        self.namespace = namespace

    def service(self, name, *, called="", **labels):
        """The variant's Service, or one that is called otherwise and selects the pods of that name."""
        ours = {"app.kubernetes.io/managed-by": "pitwall", "pitwall.dev/variant": name, "pitwall.dev/pool": "main"}
        ports = [{"name": "http", "port": 8000, "targetPort": "http"}]
        spec = {"selector": {"pitwall.dev/variant": called or name}, "ports": ports}
        self._apply("v1", "Service", called or name, {**ours, **labels}, spec)

    def pod(self, variant, number, *, ready=True):
        name = f"{variant}-{number}"
        container = {"name": "runtime", "image": "x", "ports": [{"name": "http", "containerPort": 8000}]}
        spec = {"containers": [container], "nodeName": self.namespace}
        self._apply("v1", "Pod", name, {"pitwall.dev/variant": variant}, spec)
        self.ready(variant, number, ready)

    def ready(self, variant, number, ready):
        address = f"10.9.8.{number}"
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": "Running", "conditions": conditions, "podIP": address, "podIPs": [{"ip": address}]}
        self.kubectl.patch_status("pod", f"{variant}-{number}", status, self.namespace)

    def delete(self, kind, name):
        self.kubectl("delete", kind, name, "--grace-period=0", "--force", namespace=self.namespace)

    def _apply(self, version, kind, name, labels, spec):
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}
        self.kubectl.apply(manifest, self.namespace)


@pytest.fixture
def runtimes(kubectl, namespace):
    """Its pods are on a node of their own, since the endpoints controller passes over pods of no node."""
    kubectl.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": namespace}})
    until(lambda: admits_pods(kubectl, namespace), what="the namespace's service account")
    yield Runtimes(kubectl, namespace)
    kubectl("delete", "node", namespace, check=False)


@pytest.fixture
def may_read(kubectl, namespace):
    """The right that the chart gives to the gateway."""
    rules = ["--verb=get,list,watch", "--resource=endpointslices.discovery.k8s.io"]
    kubectl("create", "role", "gateway", *rules, namespace=namespace)
    kubectl("create", "rolebinding", "gateway", "--role=gateway", f"--user={GATEWAY}", namespace=namespace)


@pytest.fixture
def routes(tmp_path):
    """What the routes file says; nothing while there is none."""
    path = tmp_path / "state" / "routes.json"

    def read():
        return json.loads(path.read_text())["variants"] if path.exists() else None

    read.path = path
    return read


@pytest.fixture
def following(control_plane, namespace, routes, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig_of(GATEWAY)))

    @contextlib.asynccontextmanager
    async def follow(pace=SHORT):
        follower = EndpointFollower(namespace, routes.path, pace)
        follower.start()
        try:
            yield
        finally:
            await follower.close()

    yield follow
    # aiohttp leaves the socket of a connection that was given up while it was being opened to the garbage collector
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def become(claim, what, seconds=60.0):
    await asyncio.to_thread(until, claim, seconds=seconds, what=what, every=0.02)


def urls(*numbers):
    return [f"http://10.9.8.{number}:8000" for number in numbers]


async def test_pods_come_get_unready_and_go(following, may_read, runtimes, routes):
    runtimes.service("aks-v2")
    async with following():
        await become(lambda: routes() == {"aks-v2": {"stable": []}}, "a pool without pods")
        runtimes.pod("aks-v2", 1)
        runtimes.pod("aks-v2", 2, ready=False)
        await become(lambda: routes() == {"aks-v2": {"stable": urls(1)}}, "the ready pod only")
        runtimes.ready("aks-v2", 2, True)
        await become(lambda: routes() == {"aks-v2": {"stable": urls(1, 2)}}, "the second pod")
        runtimes.delete("pod", "aks-v2-1")
        await become(lambda: routes() == {"aks-v2": {"stable": urls(2)}}, "the first pod's end")
        runtimes.delete("service", "aks-v2")
        await become(lambda: routes() == {}, "the pool's end")


async def test_a_service_that_somebody_made_with_a_pools_labels_brings_no_pod_into_it(
    following, may_read, runtimes, routes, kubectl, namespace
):
    runtimes.service("aks-v2", called="kims-own", **{"kubernetes.io/service-name": "aks-v2"})
    runtimes.pod("kims-own", 6)
    slices = lambda: kubectl.list("endpointslices", namespace, "pitwall.dev/variant=aks-v2")  # noqa: E731
    await become(lambda: any(one["endpoints"] for one in slices()), "the foreign pod's slice")
    async with following():
        runtimes.service("aks-v2")
        runtimes.pod("aks-v2", 1)
        await become(lambda: routes() == {"aks-v2": {"stable": urls(1)}}, "the pool's own pod alone")


async def test_a_watch_that_the_server_ends_is_resumed_without_another_list(
    following, may_read, runtimes, routes, control_plane
):
    since = control_plane.audit_position()
    asked = lambda verb: [r for r in control_plane.requests(GATEWAY, since=since) if r.verb == verb]  # noqa: E731
    async with following(PATIENT):
        await become(lambda: len(asked("watch")) >= 2, "two watches that ended")
        runtimes.service("aks-v2")
        await become(lambda: routes() == {"aks-v2": {"stable": []}}, "a change in a later watch")

    assert len(asked("list")) == 1


async def test_the_last_known_routes_stay_while_the_api_server_is_away(
    following, may_read, runtimes, routes, control_plane
):
    runtimes.service("aks-v2")
    runtimes.pod("aks-v2", 1)
    async with following():
        await become(lambda: routes() == {"aks-v2": {"stable": urls(1)}}, "the pod")
        control_plane.stop_apiserver()
        await asyncio.sleep(2 * SHORT.backoff.longest_seconds)
        kept = routes()
        control_plane.apiserver.start()
        await asyncio.to_thread(control_plane.await_ready)
        runtimes.pod("aks-v2", 2)
        await become(lambda: routes() == {"aks-v2": {"stable": urls(1, 2)}}, "the pod that came afterwards")

    assert kept == {"aks-v2": {"stable": urls(1)}}


async def test_a_watch_that_is_silently_lost_is_noticed_and_nobody_waits_for_it(
    following, may_read, runtimes, routes, control_plane, caplog
):
    runtimes.service("aks-v2")
    longest = 0.0
    async with following():
        await become(lambda: routes() == {"aks-v2": {"stable": []}}, "the pool")
        control_plane.apiserver.pause()
        until_lost = time.monotonic() + LOST_SECONDS
        while "taken for lost" not in caplog.text and time.monotonic() < until_lost:
            began = time.thread_time()
            await asyncio.sleep(0.01)
            longest = max(longest, time.thread_time() - began)
        control_plane.apiserver.resume()
        runtimes.pod("aks-v2", 2)
        await become(lambda: routes() == {"aks-v2": {"stable": urls(2)}}, "a change after the loss")

    assert "taken for lost" in caplog.text
    assert longest < 0.5, "the event loop, which serves the users, did work of its own"


async def test_a_missing_right_is_named_once_with_its_remedy(following, control_plane, namespace, routes, caplog):
    caplog.set_level(logging.WARNING)
    since = control_plane.audit_position()
    async with following():
        await become(lambda: "service account" in caplog.text, "the warning")
        await become(lambda: len(control_plane.requests(GATEWAY, since=since)) >= 4, "attempts that say nothing more")

    warnings = [record.message for record in caplog.records if namespace in record.message]
    assert len(warnings) == 1
    assert f"may not read EndpointSlices in namespace {namespace}; bind it to a Role" in warnings[0]
    assert routes() is None


def test_a_gateway_is_ready_before_any_pod_is_and_tells_which_variants_have_one(
    may_read, runtimes, namespace, control_plane, tmp_path
):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "pitwall_gateway",
        "--port",
        str(port),
        "--endpoints",
        namespace,
        "--no-authentication",
    ]
    command += ["--routes", tmp_path / "routes.json", "--state-dir", tmp_path]
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig_of(GATEWAY))}
    gateway = Process(command, tmp_path / "gateway.log", environment).start()

    def ready_variants():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return json.load(answer)["variants"]
        except OSError:
            return None

    try:
        until(lambda: ready_variants() == 0, what="a ready gateway without routes")
        runtimes.service("aks-v2")
        runtimes.pod("aks-v2", 1)
        until(lambda: ready_variants() == 1, what="the pod's variant")
    finally:
        gateway.stop()
    assert gateway.exit_status == 0

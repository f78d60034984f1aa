"""Starts the operator in a cluster: `python -m pitwall_operator.cluster --flags-url URL --runtime-image IMAGE …`.

What its service account needs is in `pitwall_operator.kube.rights`; `pitwall check-rights --of operator` asks for it.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until heap.settle()

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

import httpx
from prometheus_client import disable_created_metrics

from pitwall_crds.host import heap, logs
from pitwall_crds.host.http.frugal import FrugalTransport
from pitwall_flags.client import trusting
from pitwall_operator.cluster import handlers, probes
from pitwall_operator.cluster.controller.controller import Controller
from pitwall_operator.cluster.controller.reconcile import Reconciler
from pitwall_operator.cluster.handlers import Watch, WatchPlan
from pitwall_operator.cluster.metrics import OperatorMetrics
from pitwall_operator.cluster.recent_flags import RecentFlags
from pitwall_operator.cluster.settings import OperatorSettings, read
from pitwall_operator.cluster.webhook import admission
from pitwall_operator.cluster.webhook.admission import Review
from pitwall_operator.cluster.webhook.plan_warnings import plan_warnings
from pitwall_operator.cluster.webhook.reviewing import Webhook
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kind, Kube, Object, connect
from pitwall_operator.kube.events import Events
from pitwall_operator.kube.fence import Fence, FencedTransport
from pitwall_operator.kube.lease import Lease
from pitwall_operator.kube.namespace_claims import Claims, OperatorScope
from pitwall_operator.kube.pools.deployments import Deployments
from pitwall_operator.observe.prometheus import PrometheusSource
from pitwall_operator.observe.reader import Reader
from pitwall_operator.observe.samplers import SamplerReader
from pitwall_operator.values.errors import KubeError, OperatorStoppedError

log = logging.getLogger("pitwall_operator.cluster")

FLAGS_TIMEOUT_SECONDS = 3.0
WATCH_END_SECONDS = 8.0


class LeaseHolder:
    """Whether this replica may act: what its lease says, once there is one."""

    def __init__(self) -> None:
        self.lease: Lease | None = None

    def __call__(self) -> bool:
        """Whether a call may be begun now."""
        return self.lease is not None and self.lease.may_act()


async def run(settings: OperatorSettings, stopped: asyncio.Event) -> None:
    """Run until told to stop; then end the turns, and give the lease back."""
    heap.settle()
    metrics, holder = OperatorMetrics(), LeaseHolder()
    fence = Fence(holder, metrics, Fence.crash_point(os.environ))
    kube = await connect(settings.kubeconfig, fence, settings.context)
    flags = RecentFlags(
        settings.flags_url, token=settings.flags_token, timeout_seconds=FLAGS_TIMEOUT_SECONDS,
        transport=FencedTransport(fence, verify=trusting(settings.flags_authority)),
    )  # fmt: skip
    prometheus = _prometheus(settings, kube)
    reader = Reader(prometheus, settings.read_seconds, settings.stale_seconds)
    lease = holder.lease = Lease(kube, settings.lease_namespace, settings.lease_name, settings.identity)
    runtimes = httpx.AsyncClient(transport=FrugalTransport(), trust_env=False)
    controller = _controller(settings, kube, flags, reader, metrics)
    controller.reconciler.samplers = SamplerReader(runtimes)
    try:
        await _serve(settings, kube, lease, controller, metrics, stopped)
    finally:
        await runtimes.aclose()
        await flags.close()
        await kube.close()
        if prometheus is not None:
            prometheus.close()


def _prometheus(settings: OperatorSettings, kube: Kube) -> PrometheusSource | None:
    if not settings.prometheus_url:
        return None
    return PrometheusSource(
        settings.prometheus_url, settings.prometheus_headers, settings.prometheus_timeout_seconds, kube.clock,
        settings.prometheus_most_mebibytes << 20, settings.prometheus_gateways,
    )  # fmt: skip


def _claims(settings: OperatorSettings, kube: Kube) -> Claims:
    owner = f"{settings.lease_namespace}/{settings.lease_name}"
    return Claims(kube, OperatorScope(owner, settings.claims_namespace, settings.instance, settings.namespaces))


def _controller(
    settings: OperatorSettings, kube: Kube, flags: RecentFlags, reader: Reader, metrics: OperatorMetrics
) -> Controller:
    cache = Cache()
    reconciler = Reconciler(
        kube, cache, flags, Deployments(kube, cache, settings.defaults), reader, Events(kube),
        metrics.statuses, settings.known, _claims(settings, kube), settings.resync_seconds,
    )  # fmt: skip
    return Controller(kube, cache, flags, reconciler, reader, metrics, settings.namespaces, settings.workers)


async def _serve(
    settings: OperatorSettings,
    kube: Kube,
    lease: Lease,
    controller: Controller,
    metrics: OperatorMetrics,
    stopped: asyncio.Event,
) -> None:
    watch, background = Watch(_watching(settings, kube, controller)), controller.background
    claims = controller.reconciler.claims
    server = probes.serve(
        settings.port, metrics.registry, healthy=lambda: watch.trouble or background.trouble(),
        ready=lambda: controller.refused or ("" if watch.ready.is_set() else "the watches are being opened"),
        note=lambda: claims.held_back() if lease.leading.is_set() else "",
    )  # fmt: skip
    await _definitions(kube, stopped)
    watch.start()
    end_election = asyncio.Event()
    election = asyncio.create_task(background.keep("lease", lambda: lease.keep(end_election), end_election))
    rounds = {
        "turns": lambda: controller.lead(lease.leading, stopped),
        "claims": lambda: claims.keep(lease.leading, stopped, controller.wake_all),
        "reader": lambda: controller.reader.keep_reading(stopped),
        "leader metric": lambda: _tell(metrics, lease, claims, stopped),
    }
    work = [asyncio.create_task(background.keep(name, begin, stopped), name=name) for name, begin in rounds.items()]
    endings = [asyncio.create_task(stopped.wait()), asyncio.create_task(watch.ended.wait())]
    await asyncio.wait({election, *work, *endings}, return_when=asyncio.FIRST_COMPLETED)
    if watch.trouble and controller.leading:
        await controller.tell_standstill(watch.trouble)
    stopped.set()
    await asyncio.gather(*work, return_exceptions=True)
    end_election.set()
    await asyncio.gather(election, return_exceptions=True)
    await lease.release()
    watch.stop()
    if not watch.is_alive():
        watch.ended.set()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(watch.ended.wait(), WATCH_END_SECONDS)
    await server.end()
    _complain(watch, (election, *work))


def _complain(watch: Watch, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raise OperatorStoppedError with what ended the process, if that was not a signal."""
    failed = [(task.get_name(), task.exception()) for task in tasks if not task.cancelled() and task.exception()]
    words = [f"{name}: {error!r}" for name, error in failed] + ([f"watch: {watch.trouble}"] if watch.trouble else [])
    if words:
        raise OperatorStoppedError("; ".join(words))


def _watching(settings: OperatorSettings, kube: Kube, controller: Controller) -> WatchPlan:
    async def review(kind: Kind, operation: str, found: Object, old: Object | None) -> Review:
        answer = admission.review(kind, operation, found, controller.cache, settings.known, old)
        if answer.refusals:
            return answer
        planned = await plan_warnings(kind, operation, found, controller.cache, controller.reader)
        return replace(answer, warnings=(*answer.warnings, *planned))

    webhook = None
    if settings.webhook_certificate is not None and settings.webhook_private_key is not None:
        webhook = Webhook(settings.webhook_port, settings.webhook_certificate, settings.webhook_private_key)
    return WatchPlan(
        settings.namespaces, controller.changed, controller.deleted, review, kube.login, webhook,
        settings.watch_silence_seconds,
    )  # fmt: skip


async def _definitions(kube: Kube, stopped: asyncio.Event) -> None:
    """Wait until the API server serves our resources: kopf looks for them once."""
    said = ""
    while not stopped.is_set():
        try:
            if await kube.serves(ROLLOUTS, VARIANTS):
                return
            words = (
                f"the API server does not serve {ROLLOUTS.plural} and {VARIANTS.plural} of pitwall.dev yet: apply crds/"
            )
        except KubeError as error:
            words = str(error)
        if words != said:
            log.warning("%s; waiting", words)
        said = words
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1.0)


async def _tell(metrics: OperatorMetrics, lease: Lease, claims: Claims, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        leading = lease.leading.is_set()
        metrics.leads(leading)
        metrics.held_back(claims.rivals if leading else ())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1.0)


async def _main(settings: OperatorSettings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await run(settings, stopped)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the operator process."""
    settings = read(sys.argv[1:] if arguments is None else arguments)
    logs.set_up({"httpx": logging.WARNING, "aiohttp.access": logging.WARNING})
    handlers.quiet()
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        asyncio.run(_main(settings))
    except (OperatorStoppedError, OSError) as error:
        log.error("the operator ends: %s", error)  # noqa: TRY400 – the words say what is wrong
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

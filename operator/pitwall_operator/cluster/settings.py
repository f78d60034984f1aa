"""The settings of the operator in a cluster, read from its command line."""

import argparse
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pitwall_crds.names import FLAG_KEY
from pitwall_operator.cluster import runtime_options
from pitwall_operator.cluster.controller.controller import WORKERS
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.decision.permission.runnable import Known
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.observe import gateways
from pitwall_operator.observe.prometheus import MOST_BYTES

TOKEN_VARIABLE: Final = "PITWALL_FLAGS_WRITE_TOKEN"  # noqa: S105 – the name of a variable
DESCRIPTION: Final = """\
The operator of a cluster. Every replica watches and answers admission reviews; the one that holds the Lease acts.
Environment: PITWALL_FLAGS_WRITE_TOKEN (the flag service's write token), PITWALL_PROMETHEUS_TOKEN (a bearer token),
POD_NAME and POD_NAMESPACE (who this replica is, and where the Lease is).
"""


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Everything that the command line and the environment say."""

    kubeconfig: Path | None
    context: str | None
    namespaces: tuple[str, ...]
    instance: str
    flags_url: str
    flags_token: str
    flags_authority: Path | None
    prometheus_url: str
    prometheus_headers: dict[str, str]
    prometheus_timeout_seconds: int
    prometheus_most_mebibytes: int
    prometheus_gateways: str
    read_seconds: float
    stale_seconds: float
    lease_namespace: str
    lease_name: str
    claims_namespace: str
    identity: str
    port: int
    webhook_port: int
    webhook_certificate: Path | None
    webhook_private_key: Path | None
    resync_seconds: float
    watch_silence_seconds: float
    workers: int
    defaults: Defaults
    known: Known


def read(arguments: Sequence[str]) -> OperatorSettings:
    """The settings; exits with a usage message where they are wrong."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if (chosen.webhook_certificate is None) != (chosen.webhook_private_key is None):
        parser.error("--webhook-certificate and --webhook-private-key go together")
    token = os.environ.get("PITWALL_PROMETHEUS_TOKEN", "")
    plain = ("kubeconfig", "context", "instance", "flags_url", "flags_authority", "prometheus_url",
             "prometheus_timeout_seconds", "prometheus_most_mebibytes", "prometheus_gateways", "read_seconds",
             "stale_seconds", "lease_namespace", "lease_name", "claims_namespace", "identity", "port", "webhook_port",
             "webhook_certificate", "webhook_private_key", "resync_seconds", "watch_silence_seconds",
             "workers")  # fmt: skip
    return OperatorSettings(
        **{name: getattr(chosen, name) for name in plain},
        namespaces=tuple(dict.fromkeys(chosen.namespace)),
        flags_token=os.environ.get(TOKEN_VARIABLE, ""),
        prometheus_headers={"Authorization": f"Bearer {token}"} if token else {},
        defaults=runtime_options.defaults(chosen),
        known=runtime_options.known(chosen, _prefixes(chosen)),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pitwall_operator.cluster",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _cluster_options(parser.add_argument_group("cluster"))
    _service_options(parser.add_argument_group("services"))
    _process_options(parser.add_argument_group("this process"))
    runtime_options.add_pod_options(parser.add_argument_group("runtime pods"))
    runtime_options.add_template_options(
        parser.add_argument_group("what spec.runtime.template may say beyond its pods")
    )
    return parser


def _cluster_options(group: Any) -> None:
    group.add_argument("--kubeconfig", type=Path, help="empty: the cluster that this runs in, else the user's own")
    group.add_argument("--context", help="of the kubeconfig")
    group.add_argument(
        "--namespace", action="append", default=[], metavar="NAME", help="watch this one only; repeatable; none is all"
    )
    group.add_argument(
        "--instance", default="", metavar="NAME",
        help="take care of what is labelled pitwall.dev/instance=NAME alone; empty: of what has no such label",
    )  # fmt: skip
    group.add_argument("--lease-namespace", default=os.environ.get("POD_NAMESPACE", "default"))
    group.add_argument("--lease-name", default="pitwall-operator", help="one Lease for each set of replicas")
    group.add_argument(
        "--claims-namespace", default="kube-system",
        help="where operators of the whole cluster claim it, the same for all: one in which administrators alone write",
    )  # fmt: skip
    group.add_argument(
        "--identity", default=os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        help="how the Lease calls this replica; no two replicas may share it",
    )  # fmt: skip


def _service_options(group: Any) -> None:
    group.add_argument("--flags-url", required=True, help="the flag service's HTTP address")
    group.add_argument(
        "--flags-authority", type=Path, metavar="FILE", help="PEM of who signed the flag service's certificate (https)"
    )
    group.add_argument(
        "--flag-prefix", type=_flag_prefix, action="append", default=[], metavar="NAMESPACE=PREFIX",
        help="flags of this namespace begin so, and no other namespace's may; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--flags-per-namespace", type=_count, default=500, metavar="N",
        help="the rollouts of one namespace make so many flags, those of copies among them; 0: any number",
    )  # fmt: skip
    group.add_argument("--prometheus-url", default="", help="empty: nothing is measured, so nothing is promoted")
    group.add_argument("--prometheus-timeout-seconds", type=int, default=5, help="of one query")
    group.add_argument(
        "--prometheus-most-mebibytes", type=int, default=MOST_BYTES >> 20,
        help="of one reading of all moving rollouts: more is not read, and nothing measured",
    )  # fmt: skip
    group.add_argument(
        "--prometheus-gateways", type=gateways.matchers, default=gateways.GATEWAYS, metavar="MATCHERS",
        help="PromQL's matchers of labels that Prometheus puts on the gateways it scrapes, and on nothing else: what "
        "gates weigh is read of these alone",
    )  # fmt: skip
    group.add_argument("--read-seconds", type=float, default=1.0, help="between two readings of all moving rollouts")
    group.add_argument(
        "--stale-seconds", type=float, default=60.0, help="older samples are no evidence; above the scrape interval"
    )


def _process_options(group: Any) -> None:
    group.add_argument("--port", type=int, default=8080, help="/healthz, /readyz, /metrics")
    group.add_argument("--webhook-port", type=int, default=9443)
    group.add_argument("--webhook-certificate", type=Path, metavar="FILE", help="PEM; without it no webhook is served")
    group.add_argument("--webhook-private-key", type=Path, metavar="FILE", help="PEM")
    group.add_argument(
        "--resync-seconds", type=float, default=600.0,
        help="a rollout that rests is looked at again, and all objects are compared with the cache, after this time",
    )  # fmt: skip
    group.add_argument(
        "--watch-silence-seconds", type=float, default=70.0,
        help="a watch that brings nothing for so long, not even the bookmark of each minute, is opened anew",
    )  # fmt: skip
    group.add_argument("--workers", type=int, default=WORKERS, help="rollouts that are worked on at once")


def _flag_prefix(text: str) -> tuple[str, str]:
    """Namespace and prefix. Raises ValueError where it is neither, which argparse tells."""
    namespace, equals, prefix = text.partition("=")
    if not equals or not namespace or not re.fullmatch(FLAG_KEY, prefix) or not prefix.endswith("."):
        raise ValueError(f"{text} is no NAMESPACE=PREFIX with a dot at its end")
    return namespace, prefix


def _count(text: str) -> int:
    """A whole number of at least 0. Raises ValueError, which argparse tells."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text} is no whole number")
    return int(text)


def _prefixes(chosen: argparse.Namespace) -> FlagPrefixes:
    found: dict[str, tuple[str, ...]] = {}
    for namespace, prefix in chosen.flag_prefix:
        found[namespace] = (*found.get(namespace, ()), prefix)
    return FlagPrefixes(found, chosen.flags_per_namespace)

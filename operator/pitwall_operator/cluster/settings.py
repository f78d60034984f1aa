"""The settings of the operator in a cluster, read from its command line."""

import argparse
import json
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes.utils import parse_quantity

from pitwall_crds.names import FLAG_KEY
from pitwall_operator.cluster.controller.controller import WORKERS
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.decision.permission.runnable import ANY, BUILT_IN, Known
from pitwall_operator.kube.allowed import TemplateAllowance
from pitwall_operator.kube.manifests import Defaults

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
             "prometheus_timeout_seconds", "read_seconds",
             "stale_seconds", "lease_namespace", "lease_name", "claims_namespace", "identity", "port", "webhook_port",
             "webhook_certificate", "webhook_private_key", "resync_seconds", "watch_silence_seconds",
             "workers")  # fmt: skip
    return OperatorSettings(
        **{name: getattr(chosen, name) for name in plain},
        namespaces=tuple(dict.fromkeys(chosen.namespace)),
        flags_token=os.environ.get(TOKEN_VARIABLE, ""),
        prometheus_headers={"Authorization": f"Bearer {token}"} if token else {},
        defaults=_defaults(chosen),
        known=_known(chosen),
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
    _runtime_options(parser.add_argument_group("runtime pods"))
    _template_options(parser.add_argument_group("what spec.runtime.template may say beyond its pods"))
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
    group.add_argument("--prometheus-url", default="", help="empty: nothing is measured, so nothing is promoted")
    group.add_argument("--prometheus-timeout-seconds", type=int, default=5, help="of one query")
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


def _prefixes(chosen: argparse.Namespace) -> FlagPrefixes:
    found: dict[str, tuple[str, ...]] = {}
    for namespace, prefix in chosen.flag_prefix:
        found[namespace] = (*found.get(namespace, ()), prefix)
    return FlagPrefixes(found)


def _volume(text: str) -> dict[str, Any]:
    """A Kubernetes volume source. Raises ValueError where it is none, which argparse tells."""
    source = json.loads(text)
    if not isinstance(source, dict):
        raise ValueError(f"{text} is no JSON object")  # noqa: TRY004 – argparse knows ValueError
    return source


def _volume_in(text: str) -> tuple[str, dict[str, Any]]:
    """`namespace={…}`. Raises ValueError where it is none, which argparse tells."""
    namespace, _, source = text.partition("=")
    return namespace, _volume(source)


def _size(text: str) -> str:
    """An amount of bytes as Kubernetes writes it. Raises ValueError where it is none, which argparse tells."""
    if parse_quantity(text) < 1:  # type: ignore[no-untyped-call]
        raise ValueError(f"{text} is no size")
    return text


def _runtime_options(group: Any) -> None:
    group.add_argument("--runtime-image", required=True, help="for variants that name none")
    group.add_argument("--image-pull-policy", default="", help="empty is Kubernetes' own rule")
    group.add_argument("--image-pull-secret", action="append", default=[], metavar="NAME")
    group.add_argument("--runtime-service-account", default="")
    group.add_argument("--media-root", action="append", default=[], help="folder that file:// may read; repeatable")
    group.add_argument("--allow-host", action="append", default=[], help="host[:port] allowed although private")
    group.add_argument(
        "--cache-volume", type=_volume, default={}, metavar="JSON",
        help='a volume source such as {"persistentVolumeClaim": {"claimName": "cache"}}; default: an emptyDir',
    )  # fmt: skip
    group.add_argument(
        "--runtime-argument",
        action="append",
        default=[],
        metavar="OPTION",
        help="one more of every runtime's; repeatable",
    )
    group.add_argument("--cache-size", type=_size, default="8Gi", help="of that volume (default: %(default)s)")
    group.add_argument(
        "--media-volume", type=_volume, default={}, metavar="JSON",
        help="a volume source, mounted read-only at the first media root",
    )  # fmt: skip
    for volume in ("cache", "media"):
        group.add_argument(
            f"--{volume}-volume-in", type=_volume_in, action="append", default=[], metavar="NAMESPACE=JSON",
            help=f"the {volume} volume of that namespace's runtimes, in place of the general one; repeatable",
        )  # fmt: skip
    group.add_argument(
        "--no-runtimes-in", default="", metavar="NAMESPACE",
        help="the namespace that holds the flag tokens: whoever may run pods beside them can read them",
    )  # fmt: skip
    group.add_argument("--startup-seconds", type=int, default=600, help="how long loading the models may take")
    group.add_argument("--grace-seconds", type=int, default=60, help="how long running answers may take at the end")
    group.add_argument(
        "--known-sampler", action="append", metavar="NAME[:PARAMETER,…]",
        help="what the runtime image has, for admission; repeatable; default: what this version has; '*' is any",
    )  # fmt: skip
    group.add_argument("--known-reducer", action="append", metavar="NAME", help="the same for reducers")
    group.add_argument("--known-encoder", action="append", metavar="NAME", help="the same for encoders")


def _template_options(group: Any) -> None:
    switches = {
        "privileged": "root, capabilities, privilege escalation, other seccomp and AppArmor profiles",
        "writable-root": "containers that write elsewhere than into volumes",
        "host-network": "the node's network, processes and shared memory",
        "init-containers": "containers that run before the runtime",
        "system-priority": "priority classes that begin with system-",
        "any-node": "to tolerate every taint, control planes' too",
    }
    for name, words in switches.items():
        group.add_argument(f"--allow-{name}", action="store_true", help=words)
    lists = {
        "host-path": ("PATH", "this path of the node and all below it"),
        "service-account": ("NAME", "to run as this account of the variant's namespace"),
        "secret": ("NAME", "to read this Secret of the variant's namespace"),
        "affinity-namespace": ("NAME", "to choose places by the pods of this namespace"),
    }
    for name, (metavar, words) in lists.items():
        group.add_argument(f"--allow-{name}", action="append", default=[], metavar=metavar, help=f"{words}; repeatable")


def _defaults(chosen: argparse.Namespace) -> Defaults:
    return Defaults(
        image=chosen.runtime_image,
        image_pull_policy=chosen.image_pull_policy,
        image_pull_secrets=tuple(chosen.image_pull_secret),
        service_account=chosen.runtime_service_account,
        media_roots=tuple(chosen.media_root),
        allowed_hosts=tuple(chosen.allow_host),
        cache_volume=chosen.cache_volume,
        cache_size=chosen.cache_size,
        arguments=tuple(chosen.runtime_argument),
        media_volume=chosen.media_volume,
        cache_volumes=dict(chosen.cache_volume_in),
        media_volumes=dict(chosen.media_volume_in),
        startup_seconds=chosen.startup_seconds,
        grace_seconds=chosen.grace_seconds,
        allowed=_allowed(chosen),
    )


def _allowed(chosen: argparse.Namespace) -> TemplateAllowance:
    return TemplateAllowance(
        privileged=chosen.allow_privileged,
        writable_root=chosen.allow_writable_root,
        host_network=chosen.allow_host_network,
        init_containers=chosen.allow_init_containers,
        system_priority=chosen.allow_system_priority,
        any_node=chosen.allow_any_node,
        host_paths=tuple(chosen.allow_host_path),
        service_accounts=tuple(chosen.allow_service_account),
        secrets=tuple(chosen.allow_secret),
        affinity_namespaces=tuple(chosen.allow_affinity_namespace),
    )


def _known(chosen: argparse.Namespace) -> Known:
    """What the runtime image is said to have; where nothing is said, what this version has."""
    samplers = dict(_sampler(text) for text in chosen.known_sampler or ())
    parameters = {name: parameters for name, parameters in samplers.items() if parameters is not None}
    return Known(
        samplers=_names(samplers) if samplers else BUILT_IN.samplers,
        reducers=_names(chosen.known_reducer) if chosen.known_reducer else BUILT_IN.reducers,
        encoders=_names(chosen.known_encoder) if chosen.known_encoder else BUILT_IN.encoders,
        parameters=parameters if samplers else BUILT_IN.parameters,
        schemas={} if samplers else BUILT_IN.schemas,
        allowed=_allowed(chosen),
        keys_in=chosen.no_runtimes_in,
        prefixes=_prefixes(chosen),
    )


def _names(names: Any) -> frozenset[str]:
    return ANY if "*" in names else frozenset(names)


def _sampler(text: str) -> tuple[str, frozenset[str] | None]:
    """`aks:a,b` is a sampler with these parameters, `aks:` one that takes none, `aks` one that takes any."""
    name, colon, parameters = text.partition(":")
    return name, frozenset(filter(None, parameters.split(","))) if colon else None

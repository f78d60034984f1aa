"""The operator's options about runtime pods: what each is given, what its image has, and what templates may say."""

import argparse
import json
from typing import Any

from kubernetes.utils import parse_quantity

from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.decision.permission.runnable import ANY, BUILT_IN, Known
from pitwall_operator.kube.allowed import TemplateAllowance
from pitwall_operator.kube.pools.defaults import Defaults


def add_pod_options(group: Any) -> None:
    """What every runtime pod is given, and what its image has."""
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


def add_template_options(group: Any) -> None:
    """What SamplerVariants may say of their pods although it reaches beyond them; nothing by default."""
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
        "claim": ("NAME", "to mount this volume claim of the variant's namespace"),
        "annotation": ("KEY", "annotations of this key, or of this domain with a slash at its end"),
        "label": ("KEY", "labels of this key, or of this domain with a slash at its end"),
    }
    for name, (metavar, words) in lists.items():
        group.add_argument(f"--allow-{name}", action="append", default=[], metavar=metavar, help=f"{words}; repeatable")


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


def defaults(chosen: argparse.Namespace) -> Defaults:
    """What was said of every runtime pod."""
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
        claims=tuple(chosen.allow_claim),
        annotations=tuple(chosen.allow_annotation),
        labels=tuple(chosen.allow_label),
    )


def known(chosen: argparse.Namespace, prefixes: FlagPrefixes) -> Known:
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
        prefixes=prefixes,
    )


def _names(names: Any) -> frozenset[str]:
    return ANY if "*" in names else frozenset(names)


def _sampler(text: str) -> tuple[str, frozenset[str] | None]:
    """`aks:a,b` is a sampler with these parameters, `aks:` one that takes none, `aks` one that takes any."""
    name, colon, parameters = text.partition(":")
    return name, frozenset(filter(None, parameters.split(","))) if colon else None

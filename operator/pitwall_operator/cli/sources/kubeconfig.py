"""Finds out which cluster and namespace are meant, by kubectl's own rules."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from kubernetes import client, config

from pitwall_operator.cli.context import fail, near
from pitwall_operator.values.errors import Exit

DEFAULT_FILE = Path.home() / ".kube" / "config"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """A choice of cluster and namespace; None is what the kubeconfig says."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None

    def kubectl_options(self) -> list[str]:
        """The same choice of cluster as kubectl's options."""
        chosen = {"--kubeconfig": self.kubeconfig, "--context": self.context}
        return [f"{option}={value}" for option, value in chosen.items() if value is not None]


def load(target: ClusterTarget, settings: client.Configuration) -> str:
    """Fill in server and credentials; the context's namespace comes back. Raises CommandError or ConfigException."""
    named = str(target.kubeconfig) if target.kubeconfig else os.environ.get("KUBECONFIG", "")
    files = _files([Path(part).expanduser() for part in named.split(os.pathsep) if part] or [DEFAULT_FILE])
    if not files and not named and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        return POD_NAMESPACE.read_text(encoding="utf-8").strip()
    if not files:
        fail(
            f"there is no kubeconfig in {named or DEFAULT_FILE}; name one by --kubeconfig or KUBECONFIG", Exit.BAD_INPUT
        )
    current, namespaces = _contexts(files)
    context = target.context or current
    if not context:
        fail(f"no context is current; name one by --context: {', '.join(namespaces)}", Exit.BAD_INPUT)
    if context not in namespaces:
        fail(f"the kubeconfig has no context {context!r}{near(context, namespaces)}", Exit.BAD_INPUT)
    merged = os.pathsep.join(map(str, files))
    config.load_kube_config(merged, context=context, client_configuration=settings)  # type: ignore[no-untyped-call]
    return namespaces[context]


def _files(paths: Sequence[Path]) -> list[Path]:
    """Those that exist and hold something; kubectl passes over the others."""
    return [path for path in paths if path.is_file() and path.stat().st_size]


def _contexts(files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """The current context, and every context's namespace. Of two files that say something, the first holds."""
    current, namespaces = "", dict[str, str]()
    for file in files:
        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            fail(f"kubeconfig {file} is not YAML: {error}", Exit.BAD_INPUT)
        try:
            current = current or data.get("current-context", "")
            for entry in data.get("contexts") or []:
                namespaces.setdefault(entry["name"], (entry.get("context") or {}).get("namespace") or "default")
        except (AttributeError, KeyError, TypeError):
            fail(f"{file} is no kubeconfig; compare `kubectl config view`", Exit.BAD_INPUT)
    return current, namespaces

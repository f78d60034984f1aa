"""Starts what an operator needs beside Kubernetes, each a real process: flag service, Prometheus, load, operator."""

import functools
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from harness import binaries
from harness.nodes.images import RUNTIME_IMAGE
from harness.plane.control_plane import ControlPlane
from harness.plane.kube import Kubectl
from harness.processes import Process, held_port

from pitwall_flags.flag.document import read_split

CHART = Path(__file__).parents[4] / "charts" / "pitwall"
LEASE_NAMESPACE = "default"
ANY_NAMESPACE = "namespace-of-a-test"
SCRAPE = "500ms"
GATEWAY_POD = "pitwall-gateway-7d9f8b6c5d-x2x4z"
"""As Kubernetes calls a pod of the chart's gateway: the operator believes no other."""


def ask(url: str, seconds: float = 5.0, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """What a server of this machine answers. No certificate is asked for, so none is read: that would take longest."""
    return httpx.get(url, timeout=seconds, headers=headers, trust_env=False, verify=False)


def answers(url: str) -> bool:
    """Whether something answers there and is content."""
    try:
        return ask(url, 2.0).status_code == 200
    except httpx.TransportError:
        return False


@dataclass(frozen=True, slots=True)
class FlagReader:
    """What a flag service tells of its flags and of what was decided."""

    url: str
    token: str = ""

    def split(self, key: str) -> dict[str, int]:
        """Each variant's share of 10000 as everybody is told it; empty where there is no such flag."""
        response = self._get(f"flags/{key}")
        return _shares(response.json()["document"]) if response.status_code == 200 else {}

    def history(self, key: str) -> list[dict[str, int]]:
        """Every split that was ever written, oldest first."""
        changes = self._get(f"flags/{key}/history").json()["changes"]
        ordered = sorted(changes, key=lambda change: change["revision"])
        return [_shares(change["after"]) for change in ordered if change["after"]]

    def journal(self, namespace: str, rollout: str) -> list[dict[str, Any]]:
        """The decision record of a rollout."""
        found: list[dict[str, Any]] = []
        last, more = 0, True
        while more:
            page = self._get(f"journal/{namespace}/{rollout}?after={last}").json()
            found, last, more = found + page["lines"], page["last"], page["more"]
        return found

    def _get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return ask(f"{self.url}/v1/{path}", headers=headers)


class FlagServiceProcess:
    """The flag service; after a restart it is where it was and knows what it knew."""

    def __init__(self, folder: Path) -> None:
        self.port, self.sync_port = held_port(), held_port()
        database = f"sqlite+aiosqlite:///{folder / 'flags.db'}"
        command = [
            sys.executable, "-m", "pitwall_flags.service", f"--database={database}", "--requests-per-second=0",
            f"--http-port={self.port}", f"--sync-port={self.sync_port}",
        ]  # fmt: skip
        self.process = Process(command, folder / "flags.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sync(self) -> str:
        return f"127.0.0.1:{self.sync_port}"

    @property
    def told(self) -> FlagReader:
        return FlagReader(self.url)

    def start(self) -> "FlagServiceProcess":
        self.process.start()
        self.process.await_ready(lambda: answers(f"{self.url}/readyz"), what="the flag service")
        return self

    def split(self, key: str) -> dict[str, int]:
        """See FlagReader."""
        return self.told.split(key)

    def history(self, key: str) -> list[dict[str, int]]:
        """See FlagReader."""
        return self.told.history(key)

    def journal(self, namespace: str, rollout: str) -> list[dict[str, Any]]:
        """See FlagReader."""
        return self.told.journal(namespace, rollout)


def _shares(document: Mapping[str, Any]) -> dict[str, int]:
    """A variant's weights added up over its arms: stable and control are the same variant."""
    split = read_split(document)
    assert split is not None, f"not a split of ours: {document}"
    totals = dict.fromkeys((share.variant for share in split.shares if share.weight), 0)
    for share in split.shares:
        if share.weight:
            totals[share.variant] += share.weight
    return totals


class Prometheus:
    """Debian's Prometheus, quick enough for tests; it scrapes what the files in `targets` name, as they label it."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        program = shutil.which("prometheus")
        if program is None:
            pytest.skip("prometheus is not installed; as root, scripts/servers.sh installs it")
        self.host, self.port, self.targets = host, held_port(), folder / "targets"
        self.targets.mkdir(parents=True)
        found = [{"files": [f"{self.targets}/*.json"], "refresh_interval": "1s"}]
        settings = {
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE},
            "scrape_configs": [{"job_name": "pitwall", "file_sd_configs": found}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        command = [
            program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={host}:{self.port}",
        ]  # fmt: skip
        self.process = Process(command, folder / "prometheus.log")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> "Prometheus":
        self.process.start()
        self.process.await_ready(lambda: answers(f"{self.url}/-/ready"), what="Prometheus")
        return self


@dataclass
class QuestionLoad:
    """The users of one test, behind its flag."""

    flags: FlagServiceProcess
    prometheus: Prometheus
    namespace: str
    flag: str
    folder: Path
    wanted: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = held_port()
        self.behave()
        command = [
            sys.executable, "-m", "harness.rollouts.exporter", f"--flags-sync={self.flags.sync}",
            f"--flag={self.flag}", f"--behaviour={self._file}", f"--port={self.port}",
        ]  # fmt: skip
        self.process = Process(command, self.folder / "load.log")

    @property
    def _file(self) -> Path:
        return self.folder / "behaviour.json"

    @property
    def _target(self) -> Path:
        return self.prometheus.targets / f"{self.namespace}.json"

    def start(self) -> "QuestionLoad":
        self.process.start()
        labels = {"namespace": self.namespace, "pod": GATEWAY_POD}
        self._target.write_text(json.dumps([{"targets": [f"127.0.0.1:{self.port}"], "labels": labels}]))
        return self

    def stop(self) -> None:
        self._target.unlink(missing_ok=True)
        self.process.kill()

    def behave(self, variant: str = "", *, rate: float | None = None, **numbers: float) -> None:
        """From now on the variant does so; see exporter.py."""
        if rate is not None:
            self.wanted["rate"] = rate
        if variant:
            self.wanted.setdefault("variants", {})[variant] = numbers
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self.wanted))
        unfinished.rename(self._file)


@dataclass
class Operator:
    """One replica of the operator, with the rights that the chart gives it and no more."""

    plane: ControlPlane
    flags: FlagServiceProcess
    prometheus: Prometheus
    namespace: str
    folder: Path
    identity: str = "first"
    cluster_wide: bool = False
    kubeconfig: Path | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.port = held_port()
        self.process = Process(self._command(), self.folder / f"operator-{self.identity}.log")

    def start(self, *, crash_after: int = 0) -> "Operator":
        """`crash_after`: the process kills itself with -9 after that many calls that change something."""
        self.process.environment["PITWALL_CRASH_AFTER_CALLS"] = str(crash_after)
        self.process.start()
        return self

    def await_ready(self) -> "Operator":
        url = f"http://127.0.0.1:{self.port}/readyz"
        self.process.await_ready(lambda: answers(url), what="the operator")
        return self

    def _command(self) -> list[str | Path]:
        return [
            sys.executable, "-m", "pitwall_operator.cluster",
            f"--kubeconfig={self.kubeconfig or self.plane.kubeconfig_of('operator')}", f"--flags-url={self.flags.url}",
            f"--prometheus-url={self.prometheus.url}", "--prometheus-timeout-seconds=2", "--stale-seconds=3",
            f"--identity={self.identity}", f"--port={self.port}", f"--runtime-image={RUNTIME_IMAGE}",
            *([] if self.cluster_wide else [f"--namespace={self.namespace}"]),
            f"--lease-namespace={LEASE_NAMESPACE if self.cluster_wide else self.namespace}", *self.options,
        ]  # fmt: skip


def grant(
    kubectl: Kubectl, helm: Path, namespace: str,
    *, cluster_wide: bool = False, name: str = "pitwall", instance: str = "",
) -> None:  # fmt: skip
    """Gives the user `operator` what the chart gives the operator's service account, in one namespace or in all."""
    rendered = _rights(helm, cluster_wide, name, instance).replace(ANY_NAMESPACE, namespace)
    manifests = [
        each for each in yaml.load_all(rendered, yaml.CSafeLoader) if each and each["kind"] != "ServiceAccount"
    ]
    for each in manifests:
        if each["kind"].endswith("Binding"):
            each["subjects"] = [{"kind": "User", "name": "operator", "apiGroup": "rbac.authorization.k8s.io"}]
    kubectl.apply(manifests)  # each names its namespace: the right to claim the whole cluster is in one of its own


@functools.cache
def _rights(helm: Path, cluster_wide: bool, name: str, instance: str) -> str:
    """What the chart renders for a namespace that is called so; nearly every test asks for the same."""
    where = [] if cluster_wide else [f"--set=watch.namespaces={{{ANY_NAMESPACE}}}"]
    return binaries.output(
        helm, "template", "pitwall", str(CHART), f"--namespace={ANY_NAMESPACE}", f"--set=fullnameOverride={name}",
        f"--set=operator.instance={instance}", *where, "--show-only=templates/operator/rbac.yaml",
    )  # fmt: skip

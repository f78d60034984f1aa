"""Starts a real control plane on free ports: etcd, kube-apiserver, kube-controller-manager, kube-scheduler."""

import json
import os
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml
from harness import binaries
from harness.plane import clock
from harness.processes import Process, held_port, until

END_SECONDS = 2.0
"""An API server waits a minute for watches to end; killed, it breaks them, which is what tests want."""
SERVICES = "10.251.255.0/24"
PODS = "10.252.255.0/24"
LAZY = {"GOGC": "400"}
"""Go collects its garbage a fourth as often: memory is there, processor time is scarce."""
USERS = {
    "admin": "system:masters",
    "controllers": "system:masters",
    "kubelet": "system:masters",
    "operator": "pitwall:operators",
    "stranger": "pitwall:strangers",
}
"""Who may come, and the group that says what they may; each one's token is its name."""

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts", "system:nodes", "system:apiserver"]},
        {"level": "None", "users": ["kubelet", "controllers", "system:apiserver", "system:anonymous"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the API server's audit log."""

    user: str
    verb: str
    resource: str
    name: str
    subresource: str
    status: int

    @property
    def is_write(self) -> bool:
        return self.verb not in {"get", "list", "watch"}


@dataclass
class ControlPlane:
    """The four processes and the files they share."""

    folder: Path
    address: str = "127.0.0.1"
    services: str = SERVICES
    pods: str = PODS
    server: str = field(init=False)
    kubeconfig: Path = field(init=False)

    def __post_init__(self) -> None:
        self.paths = binaries.found(*binaries.CONTROL_PLANE)
        etcd, etcd_peer, port = held_port(), held_port(), held_port()
        self.server = f"https://{self.address}:{port}"
        self._write_certificates()
        self._write_settings()
        self.kubeconfig = self.kubeconfig_of("admin")
        self.etcd = Process(self._etcd_command(etcd, etcd_peer), self.folder / "etcd.log", LAZY)
        self.apiserver = Process(self._apiserver_command(etcd, port), self.folder / "apiserver.log", LAZY)
        self.managers = [
            Process(self._manager_command(name, options), self.folder / f"{name}.log", LAZY)
            for name, options in (
                ("kube-controller-manager", self._controller_options()),
                ("kube-scheduler", ()),
            )
        ]

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed the API server's."""
        return self.folder / "ca.crt"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    def start(self) -> "ControlPlane":
        """All four, and the API server ready with every namespace's service account."""
        self.etcd.start()
        self.apiserver.start()
        for manager in self.managers:
            manager.start()
        self.await_ready()
        until(self._has_service_account, what="the default service account")
        return self

    def stop(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: each.stop(END_SECONDS), [*self.managers, self.apiserver]))
        self.etcd.stop()
        self._client.close()

    def await_ready(self) -> None:
        self.apiserver.await_ready(self.is_ready, what="kube-apiserver")

    def restart_apiserver(self) -> None:
        """Breaks every watch; returns once the API server answers again."""
        self.stop_apiserver()
        self.apiserver.start()
        self.await_ready()

    def stop_apiserver(self) -> None:
        self.apiserver.stop(END_SECONDS)

    def is_ready(self) -> bool:
        try:
            return self._get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def read(self, path: str) -> Any:
        """What the API server answers the administrator, as JSON."""
        try:
            found = self._get(path)
        except httpx.TransportError:  # the connection that was kept was to an API server that has been restarted
            found = self._get(path)
        return found.raise_for_status().json()

    def _get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    @cached_property
    def _client(self) -> httpx.Client:
        """Keeps one connection: a handshake for each reading cost both sides more than the reading did."""
        return httpx.Client(
            base_url=self.server,
            headers={"Authorization": "Bearer admin"},
            verify=ssl.create_default_context(cafile=str(self.authority)),
            limits=httpx.Limits(max_keepalive_connections=1, keepalive_expiry=None),
            trust_env=False,
            timeout=5,
        )

    def requests(self, user: str, *, since: int = 0) -> list[Request]:
        """What a user asked of the API server, from a position in the audit log on."""
        with self.audit_log.open("rb") as log:
            log.seek(since)
            written = log.read()
        lines = written[: written.rfind(b"\n") + 1].splitlines()
        return [request for request in map(_request, lines) if request.user == user]

    def audit_position(self) -> int:
        """Where the next line begins; every call that was answered is written."""
        return self.audit_log.stat().st_size

    def kubeconfig_of(self, user: str) -> Path:
        """A kubeconfig with one user's token."""
        path = self.folder / f"{user}.kubeconfig"
        cluster = {"server": self.server, "certificate-authority": str(self.authority)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "pitwall", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": user}}],
            "contexts": [{"name": "pitwall", "context": {"cluster": "pitwall", "user": user}}],
            "current-context": "pitwall",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def _has_service_account(self) -> bool:
        get = [self.paths["kubectl"], f"--kubeconfig={self.kubeconfig}", "get", "serviceaccount", "default"]
        return subprocess.run(get, capture_output=True, check=False, timeout=30).returncode == 0

    def _write_certificates(self) -> None:
        first_service = self.services.replace(".0/24", ".1")
        names = (
            f"subjectAltName=IP:{self.address},IP:127.0.0.1,IP:{first_service},DNS:kubernetes.default.svc,DNS:localhost"
        )
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        self._openssl("req", "-x509", *key, "-subj", "/CN=pitwall-ca", "-keyout", "ca.key", "-out", "ca.crt")
        self._openssl(
            "req", "-x509", *key, "-subj", "/CN=kube-apiserver", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", "server.key", "-out", "server.crt",
        )  # fmt: skip
        self._openssl(
            "req", "-x509", *key, "-subj", "/CN=aggregator", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "aggregator.key", "-out", "aggregator.crt",
        )  # fmt: skip
        self._openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "tokens.key")
        self._openssl("pkey", "-in", "tokens.key", "-pubout", "-out", "tokens.pub")

    def _openssl(self, *arguments: str) -> None:
        environment = {**os.environ, **clock.backdated()}
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, env=environment,
            capture_output=True, check=False, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _write_settings(self) -> None:
        lines = [f'{user},{user},{user},"{group}"' for user, group in USERS.items()]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))
        self.audit_log.touch()

    def _etcd_command(self, port: int, peer_port: int) -> list[str | Path]:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        return [
            self.paths["etcd"], "--unsafe-no-fsync", f"--data-dir={self.folder / 'etcd'}", "--log-level=error",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ]  # fmt: skip

    def _apiserver_command(self, etcd: int, port: int) -> list[str | Path]:
        return [
            self.paths["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--bind-address={self.address}", f"--advertise-address={self.address}", f"--secure-port={port}",
            f"--tls-cert-file={self.folder / 'server.crt'}", f"--tls-private-key-file={self.folder / 'server.key'}",
            f"--service-cluster-ip-range={self.services}", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'tokens.pub'}",
            f"--service-account-signing-key-file={self.folder / 'tokens.key'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=Node,RBAC",
            "--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true", "--shutdown-delay-duration=0s",
            f"--audit-policy-file={self.folder / 'audit.yaml'}", f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
            # So that it hands requests for metrics on to who serves them, by the addresses of that Service.
            "--enable-aggregator-routing=true", f"--requestheader-client-ca-file={self.authority}",
            f"--proxy-client-cert-file={self.folder / 'aggregator.crt'}",
            f"--proxy-client-key-file={self.folder / 'aggregator.key'}",
            "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        ]  # fmt: skip

    def _manager_command(self, name: str, options: tuple[str, ...]) -> list[str | Path]:
        kubeconfig = self.kubeconfig_of("controllers")
        common = (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0")
        return [self.paths[name], *common, *options]

    def _controller_options(self) -> tuple[str, ...]:
        return (
            "--use-service-account-credentials=true",
            f"--root-ca-file={self.authority}",
            f"--service-account-private-key-file={self.folder / 'tokens.key'}",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={self.pods}",
            f"--service-cluster-ip-range={self.services}",
            "--concurrent-gc-syncs=4",
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-downscale-stabilization=2s",
        )


def _request(line: bytes) -> Request:
    event = json.loads(line)
    about = event.get("objectRef", {})
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=about.get("resource", ""),
        name=about.get("name", ""),
        subresource=about.get("subresource", ""),
        status=event.get("responseStatus", {}).get("code", 0),
    )

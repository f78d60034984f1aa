"""Serves external metrics to a cluster's HorizontalPodAutoscalers, as an adapter of Prometheus does."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.plane.control_plane import ControlPlane
from harness.plane.kube import Kubectl

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
NAME = "metrics-for-tests"


class ExternalMetrics:
    """What every metric's value is, by its name."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def answer(self, path: str) -> dict[str, Any]:
        """A list with one value, or what the group serves."""
        name = path.partition("?")[0].rsplit("/", 1)[-1]
        if name == VERSION:
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{GROUP}/{VERSION}",
                "resources": [],
            }
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = f"{int(self.values.get(name, 0) * 1000)}m"
        item = {"metricName": name, "metricLabels": {}, "timestamp": now, "value": value}
        kind = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{VERSION}"}
        return {**kind, "metadata": {}, "items": [item] if name in self.values else []}


@contextmanager
def served(plane: ControlPlane, kubectl: Kubectl) -> Iterator[ExternalMetrics]:
    """The metrics, known to the API server while this lasts."""
    metrics = ExternalMetrics()

    class MetricsHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(metrics.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    address = "127.0.0.1" if plane.address == "127.0.0.1" else plane.address
    server = ThreadingHTTPServer((address, 0), MetricsHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plane.folder / "server.crt", plane.folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    kubectl.apply(_objects(address, server.server_port))
    try:
        yield metrics
    finally:
        kubectl("delete", "apiservice", f"{VERSION}.{GROUP}", "--wait=false", check=False)
        kubectl("delete", "service,endpointslice", NAME, "--wait=false", namespace="default", check=False)
        server.shutdown()
        thread.join()
        server.server_close()


def _objects(address: str, port: int) -> list[dict[str, Any]]:
    place = {"name": NAME, "namespace": "default"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": place,
        "spec": {"ports": [{"port": 443, "targetPort": port}]},
    }
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**place, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{VERSION}.{GROUP}"},
        "spec": {
            "group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": True, "service": {**place, "port": 443},
        },
    }  # fmt: skip
    return [service, slice_, api]

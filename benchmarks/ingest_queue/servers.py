"""Starts the servers of ingest queues on free ports of this machine, each a process of its own, and stops them."""

import base64
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pitwall_crds.host.sockets import free_port

START_SECONDS: Final = 60.0

BROKER: Final = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
"""


class ServerMissingError(Exception):
    """A server, or the client of one, is not installed here; the words say which, and what brings it."""


class ServerStartError(Exception):
    """A server ended, or did not listen in time."""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The address of a Redis that writes what it has into the folder. Raises ServerMissingError."""
    server = shutil.which("redis-server")
    if not server:
        raise ServerMissingError("there is no redis-server here: `bash scripts/servers.sh` installs it")
    _require("redis")
    port = free_port()
    with _listening([server, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"], port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def sqs_server() -> Iterator[str]:
    """The endpoint of moto's SQS, an emulator that keeps its queues in memory. Raises ServerMissingError."""
    _require("boto3", "moto", "flask")
    port = free_port()
    with _listening([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def kafka_broker(folder: Path) -> Iterator[str]:
    """The address of a Kafka broker from its jars, in a Java machine of its own. Raises ServerMissingError."""
    _require("confluent_kafka")
    jars = Path(os.environ.get("PITWALL_KAFKA", "") or Path.home() / ".cache" / "pitwall" / "kafka")
    java = shutil.which("java")
    if not java or not any(jars.glob("kafka_*.jar")):
        raise ServerMissingError(
            f"there is no java here, or no Kafka in {jars}: `bash scripts/servers.sh soak` installs them"
        )
    port, settings = free_port(), folder / "broker.properties"
    settings.write_text(BROKER.format(controller=free_port(), port=port, folder=folder))
    run = [java, "-Xmx512m", "-cp", f"{jars}/*"]
    # Kafka's own form of an id: 16 bytes in base 64.
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatting = [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings), "--standalone"]
    subprocess.run(formatting, check=True, capture_output=True)  # noqa: S603 - of words of our own
    with _listening([*run, "kafka.Kafka", str(settings)], port):
        yield f"127.0.0.1:{port}"


def _require(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ServerMissingError(f"the Python package {module} is not installed here: `make install` brings it")


@contextmanager
def _listening(command: Sequence[str], port: int) -> Iterator[None]:
    """While a server runs that listens on this port. Raises ServerStartError."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:  # noqa: S603 - of words of our own
        try:
            latest = time.monotonic() + START_SECONDS
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > latest:
                    raise ServerStartError(f"{command[0]} does not listen on port {port} after {START_SECONDS:.0f} s")
                time.sleep(0.02)
            yield
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0

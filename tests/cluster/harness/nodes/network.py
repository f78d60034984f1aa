"""Creates a network namespace for a node, joined to this machine by one pair of virtual interfaces.

The node's bridge, firewall rules and connection table stay inside and go with it. This machine reaches the node, its
pods and the cluster's Services by routes; pods reach what listens on `host`.
"""

import fcntl
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SLOTS = 200
NAMESPACES = Path("/run/netns")
LOCK = Path("/run/pitwall-network.lock")


class NetworkError(Exception):
    """The network cannot be made; the message says why."""


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    if done.returncode:
        raise NetworkError(f"{' '.join(command)}: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class Network:
    """One session's addresses; sessions at the same time have different slots."""

    slot: int

    @property
    def name(self) -> str:
        return f"pitwall-{self.slot}-{os.getpid()}"

    @property
    def interface(self) -> str:
        """This machine's end."""
        return f"pitwall{self.slot}"

    @property
    def host(self) -> str:
        """This machine, as the node and its pods see it."""
        return f"10.250.{self.slot}.1"

    @property
    def node(self) -> str:
        return f"10.250.{self.slot}.2"

    @property
    def services(self) -> str:
        return f"10.251.{self.slot}.0/24"

    @property
    def pods(self) -> str:
        return f"10.252.{self.slot}.0/24"

    @property
    def path(self) -> Path:
        return NAMESPACES / self.name

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self.interface], capture_output=True, check=False, timeout=30)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False, timeout=30)


def create() -> Network:
    """A network in the first free slot; what a killed session left behind is removed first. One at a time."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _create()


def _create() -> Network:
    taken = _slots_of_living_sessions()
    network = Network(next(slot for slot in range(SLOTS) if slot not in taken))
    try:
        run("ip", "netns", "add", network.name)
        inside = ("ip", "-n", network.name)
        run("ip", "link", "add", network.interface, "type", "veth", "peer", "name", "eth0", "netns", network.name)
        run("ip", "address", "add", f"{network.host}/30", "dev", network.interface)
        run("ip", "link", "set", network.interface, "up")
        run(*inside, "address", "add", f"{network.node}/30", "dev", "eth0")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", network.host)
        for routed in (network.services, network.pods):
            run("ip", "route", "add", routed, "via", network.node)
    except NetworkError:
        network.remove()
        raise
    return network


def _slots_of_living_sessions() -> set[int]:
    taken = set()
    for path in NAMESPACES.glob("pitwall-*") if NAMESPACES.is_dir() else ():
        named = re.fullmatch(r"pitwall-(\d+)-(\d+)", path.name)
        if named is None:
            continue
        if Path("/proc", named[2]).exists():
            taken.add(int(named[1]))
        else:
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False, timeout=30)
            subprocess.run(["ip", "link", "del", f"pitwall{named[1]}"], capture_output=True, check=False, timeout=30)
    return taken

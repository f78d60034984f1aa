"""The first process of a node: `node_init.py FOLDER` mounts what the node needs, starts its servers, reaps orphans.

It runs in namespaces of its own for mounts, processes and network: when it ends, the kernel ends every container with
it and takes the mounts away. FOLDER/node.json says what to start.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PRIVATE = ("/var/lib", "/var/log", "/run")
"""Folders of the machine that the node must not share: state, logs, sockets."""
TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""Kernel settings that a kubelet insists on. They are the whole machine's, so the node sees files in their place."""
SOCKET_SECONDS = 30


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def private_mounts(folder: Path) -> None:
    """Folders and kernel settings of its own."""
    mount("--make-rprivate", "/")
    for path in PRIVATE:
        own = folder / path.strip("/").replace("/", "-")
        own.mkdir(exist_ok=True)
        mount("--bind", str(own), path)
    for name, value in TUNABLES.items():
        shown = folder / name.replace("/", "-")
        shown.write_text(f"{value}\n")
        mount("--bind", str(shown), f"/proc/sys/{name}")
    mount("--make-rshared", "/")


def start(name: str, command: list[str], folder: Path) -> int:
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL).pid


def await_socket(path: Path) -> None:
    deadline = time.monotonic() + SOCKET_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            sys.exit(f"{path} did not come within {SOCKET_SECONDS} s")
        time.sleep(0.05)


def reap(until_ended: int) -> None:
    """Collects whatever ends, since orphans of containers come here; returns when the given process has ended."""
    while os.wait()[0] != until_ended:
        pass


def end(signal_number: int, frame: FrameType | None) -> None:
    """The kernel does the rest."""
    os._exit(0)


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, end)
    settings = json.loads((folder / "node.json").read_text())
    private_mounts(folder)
    start("containerd", settings["containerd"], folder)
    await_socket(Path(settings["socket"]))
    for image in settings["images"]:
        subprocess.run([*settings["import"], image], check=True)
    start("kube-proxy", settings["kube-proxy"], folder)
    reap(start("kubelet", settings["kubelet"], folder))


if __name__ == "__main__":
    main()

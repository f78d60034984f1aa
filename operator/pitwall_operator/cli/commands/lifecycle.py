"""`pitwall up`, `down`, `apply`, `delete`, `lint`: files in; running services and stored resources out."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from pitwall_crds.host import files
from pitwall_crds.reading.load import InvalidResource, load_file
from pitwall_crds.rollout import Rollout
from pitwall_operator.cli.commands.show import KINDS
from pitwall_operator.cli.context import (
    DEFAULT_STATE,
    Exit,
    Output,
    OutputOption,
    StateOption,
    console,
    fail,
    print_json,
)
from pitwall_operator.cli.sources.folder import Folder
from pitwall_operator.cli.sources.port import Source
from pitwall_operator.machine import child
from pitwall_operator.machine.resources import Resource, Resources
from pitwall_operator.machine.state_folder import Place
from pitwall_operator.machine.supervisor import stop_all, stop_runtimes

FilesOption = Annotated[list[Path], typer.Option("--filename", "-f", help="YAML file or folder; may be repeated.")]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder for frames and embeddings.", envvar="PITWALL_CACHE")
]
START_SECONDS = 120.0


def read(paths: Sequence[Path]) -> tuple[Resource, ...]:
    """Resources of files and folders. Ends the command with every problem at once."""
    found: list[Resource] = []
    complaints: list[str] = []
    for path in paths:
        for file in sorted(path.glob("*.y*ml")) if path.is_dir() else [path]:
            try:
                found += load_file(file)
            except InvalidResource as error:
                complaints += error.lines
    if complaints:
        fail("\n  ".join(["these files cannot be used:", *complaints]), Exit.BAD_INPUT)
    if not found:
        fail(f"no resources in {', '.join(map(str, paths))}", Exit.BAD_INPUT)
    return tuple(found)


def store(source: Source, found: Sequence[Resource]) -> None:
    """Apply resources in order, and say for each what kubectl says. Raises Trouble or Refused."""
    for resource in found:
        done = source.apply(resource)
        console.print(f"{resource.kind.lower()}.pitwall.dev/{resource.metadata.name} {done}")


def apply(source: Source, filename: FilesOption) -> None:
    """Store resources; the operator moves the world to them."""
    store(source, read(filename))


def delete(
    source: Source,
    kind: Annotated[str, typer.Argument(help="rollout or samplervariant.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
) -> None:
    """Forget a resource."""
    if kind.lower() not in KINDS:
        fail(f"unknown kind {kind!r}; use rollout or samplervariant", Exit.BAD_INPUT)
    if not source.delete(KINDS[kind.lower()], name):
        fail(f"{kind} {name!r} does not exist in {source.place}", Exit.NOT_FOUND)
    console.print(f"{kind} {name} deleted", markup=False)


def port_is_free(port: int) -> bool:
    """Whether this machine's loopback port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def supervisor_of(place: Place) -> tuple[int, float] | None:
    """The running supervisor, or None."""
    known = files.read_json(place.run / "supervisor.json", None)
    return (known[0], known[1]) if known and child.alive(known[0], known[1]) else None


def survivors(place: Place) -> list[tuple[int, float]]:
    """Services that still run, whether or not their supervisor does."""
    known = files.read_json(place.run / "services.json", {}).values()
    return [(pid, created) for pid, created in known if child.alive(pid, created)]


def up(
    filename: FilesOption,
    state: StateOption = Path(DEFAULT_STATE),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The gateway's port.")] = 8088,
    media_root: Annotated[
        list[Path] | None, typer.Option(help="Folder whose films may be asked about; may be repeated.")
    ] = None,
    cache: CacheOption = None,
    follow_up_seconds: Annotated[
        int, typer.Option(min=1, help="A second question within this time counts as a follow-up.")
    ] = 120,
    wait: Annotated[bool, typer.Option(help="Wait until the first variant serves.")] = True,
) -> None:
    """Start flag service, gateway, operator and the variants' runtimes on this machine; and apply files."""
    found = read(filename)
    place = Place(state.resolve())
    running = supervisor_of(place)
    if running is None and not survivors(place):
        _check_port(port, place)
        roots = [root.resolve() for root in (media_root or [Path.cwd(), default_cache() / "media"])]
        _write_settings(place, found, port, follow_up_seconds, roots, (cache or default_cache()).resolve())
    store(Folder(place.state), found)
    if running is None:
        _start(place)
    if wait:
        _await(place)
    console.print(f"gateway    {place.gateway_url()}/v1   (OpenAI-compatible)")
    console.print(f"flags      {place.flags_url()}      state {place.state}")


def default_cache() -> Path:
    """Where frames, embeddings and the sample film are kept between runs."""
    return Path.home() / ".cache" / "pitwall"


def _check_port(port: int, place: Place) -> None:
    if not port_is_free(port):
        fail(f"port {port} is in use; choose another with --port, or stop what listens there", Exit.BAD_INPUT)
    try:
        place.run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{place.state} cannot be made ({error.strerror}); choose another folder with --state", Exit.BAD_INPUT)


def _write_settings(
    place: Place, found: Sequence[Resource], port: int, follow_up_seconds: int, roots: list[Path], cache: Path
) -> None:
    known = [*Resources(place.state).rollouts(), *(r for r in found if isinstance(r, Rollout))]
    flags = sorted({rollout.spec.flag for rollout in known})
    if len(flags) != 1:
        fail(
            f"embedded mode serves exactly one flag, these files name {flags or 'none'}: give one Rollout",
            Exit.BAD_INPUT,
        )
    settings: dict[str, Any] = {
        "flag": flags[0],
        "cache": str(cache),
        "media_roots": [str(root) for root in roots],
        "follow_up_seconds": follow_up_seconds,
        "ports": {"gateway": port, **{name: child.free_port() for name in ("flags", "sync", "operator")}},
    }
    place.write_settings(settings)


def _start(place: Place) -> None:
    pid, created = child.spawn(
        "pitwall_operator.machine.supervisor", ["--state", str(place.state)], place.logs / "supervisor.log", {}
    )
    files.write_json(place.run / "supervisor.json", [pid, created])


def _await(place: Place) -> None:
    """Wait until the gateway is ready and a variant serves; end the command with the reason where that fails."""
    deadline = time.monotonic() + START_SECONDS
    resources = Resources(place.state)
    with console.status("starting …") as shown:
        while time.monotonic() < deadline:
            serving = [r.status.stable_variant for r in resources.rollouts() if r.status.weights]
            if serving and _answers(f"{place.gateway_url()}/readyz"):
                return
            reasons = "; ".join(r.status.reason for r in resources.rollouts() if r.status.reason)
            shown.update(f"starting … {reasons}")
            time.sleep(0.2)
    words = {log.stem: child.last_words(log) for log in sorted(place.logs.glob("*.log"))}
    said = "\n  ".join(f"{name}: {line}" for name, line in words.items() if line)
    fail(f"not ready after {START_SECONDS:.0f} s; the processes' last words:\n  {said}\nLogs: {place.logs}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def down(
    state: StateOption = Path(DEFAULT_STATE),
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop everything that `up` started. Resources, flags, statuses and records stay."""
    place = Place(state.resolve())
    running = supervisor_of(place)
    if running:
        stop_all([running])
    left = survivors(place)
    stop_all(left)
    if place.run.is_dir():
        stop_runtimes(place)
    if output is Output.JSON:
        print_json({"stopped": bool(running or left)})
    else:
        console.print("stopped" if running or left else f"nothing was running in {place.state}")

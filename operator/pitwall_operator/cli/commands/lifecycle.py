"""Commands that start, stop and fill the embedded mode or a cluster: `pitwall up`, `down`, `apply`, `delete`."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.host import files, sockets
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.cli.commands.show import KINDS
from pitwall_operator.cli.context import (
    DEFAULT_STATE,
    Output,
    OutputOption,
    StateOption,
    console,
    fail,
    print_json,
    problems,
)
from pitwall_operator.cli.sources.folder import Folder
from pitwall_operator.cli.sources.port import ResourceSource
from pitwall_operator.machine import child
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.state_folder import StateFolder
from pitwall_operator.machine.stored import Resource
from pitwall_operator.machine.supervisor import stop_all, stop_runtimes
from pitwall_operator.values.errors import Exit

FilesOption = Annotated[list[Path], typer.Option("--filename", "-f", help="YAML file or folder; may be repeated.")]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder for frames and embeddings.", envvar="PITWALL_CACHE")
]
START_SECONDS = 120.0
PORT: Final = 8088
FOLLOW_UP_SECONDS: Final = 120


def read(paths: Sequence[Path]) -> tuple[Resource, ...]:
    """Resources of files and folders. Ends the command with every problem at once."""
    found: list[Resource] = []
    complaints: list[str] = []
    for path in paths:
        for file in sorted(path.glob("*.y*ml")) if path.is_dir() else [path]:
            try:
                found += load_file(file)
            except InvalidResourceError as error:
                complaints += error.lines
    if complaints:
        fail("\n  ".join(["these files cannot be used:", *complaints]), Exit.BAD_INPUT)
    if not found:
        fail(f"no resources in {', '.join(map(str, paths))}", Exit.BAD_INPUT)
    return tuple(found)


def store(source: ResourceSource, found: Sequence[Resource]) -> None:
    """Apply resources in order, and say for each what kubectl says. Raises CommandError or ResourceRefusedError."""
    for resource in found:
        done = source.apply(resource)
        console.print(f"{resource.kind.lower()}.pitwall.dev/{resource.metadata.name} {done}")


def apply(source: ResourceSource, filename: FilesOption) -> None:
    """Store resources; the operator then acts on them."""
    store(source, read(filename))


def delete(
    source: ResourceSource,
    kind: Annotated[str, typer.Argument(help="rollout or samplervariant.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
) -> None:
    """Forget a resource."""
    if kind.lower() not in KINDS:
        fail(f"unknown kind {kind!r}; use rollout or samplervariant", Exit.BAD_INPUT)
    if not source.delete(KINDS[kind.lower()], name):
        fail(f"{kind} {name!r} does not exist in {source.place}", Exit.NOT_FOUND)
    console.print(f"{kind} {name} deleted", markup=False)


def supervisor_of(folder: StateFolder) -> tuple[int, float] | None:
    """The running supervisor, or None."""
    known = folder.supervisor()
    return known if known and child.belongs(*known, folder.state) else None


def survivors(folder: StateFolder) -> list[tuple[int, float]]:
    """Services that still run, whether or not their supervisor does."""
    return [process for process in folder.services().values() if child.belongs(*process, folder.state)]


def strangers(folder: StateFolder) -> list[int]:
    """Processes that run and are listed, but are not this folder's."""
    known = [*folder.services().values(), *filter(None, [folder.supervisor()])]
    return [
        pid for pid, created in known if child.alive(pid, created) and not child.belongs(pid, created, folder.state)
    ]


def up(
    filename: FilesOption,
    state: StateOption = Path(DEFAULT_STATE),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The gateway's port.")] = PORT,
    media_root: Annotated[
        list[Path] | None, typer.Option(help="Folder whose films may be asked about; may be repeated.")
    ] = None,
    cache: CacheOption = None,
    follow_up_seconds: Annotated[
        int, typer.Option(min=1, help="A second question within this time counts as a follow-up.")
    ] = FOLLOW_UP_SECONDS,
    web_origin: Annotated[
        list[str] | None,
        typer.Option(help="Pages of this origin may evaluate flags, such as http://localhost:3000; may be repeated."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the first variant serves.")] = True,
) -> None:
    """Start flag service, gateway, operator, ingest worker and the variants' runtimes here; and apply files."""
    found = read(filename)
    folder = StateFolder(state.resolve())
    folder.refuse_others()
    running = supervisor_of(folder)
    roots = [root.resolve() for root in (media_root or [Path.cwd(), default_cache() / "media"])]
    if running is None and not survivors(folder):
        _check_port(port, folder)
        _write_settings(folder, found, port, follow_up_seconds, roots, (cache or default_cache()).resolve())
        folder.write_settings({**folder.settings(), "web_origins": web_origin or []})
    else:
        _refuse_changes(
            folder,
            {
                "--port": port if port != PORT else None,
                "--media-root": [str(root) for root in roots] if media_root else None,
                "--cache": str(cache.resolve()) if cache else None,
                "--follow-up-seconds": follow_up_seconds if follow_up_seconds != FOLLOW_UP_SECONDS else None,
                "--web-origin": web_origin,
            },
        )
    store(Folder(folder.state), found)
    if running is None:
        _start(folder)
    if wait:
        _await(folder)
    console.print(f"gateway    {folder.gateway_url()}/v1   (OpenAI-compatible)")
    console.print(f"videos     {folder.gateway_url()}/v1/videos   (prepared before anybody asks)")
    console.print(f"flags      {folder.flags_url()}      state {folder.state}")
    console.print(f"flagd sync 127.0.0.1:{folder.port('sync')}      OpenFeature clients: `pitwall clients`")


def _refuse_changes(folder: StateFolder, asked: Mapping[str, object]) -> None:
    """End the command where an option, if it was given, asks for something else than what runs was started with."""
    settings = folder.settings()
    known = {
        "--port": folder.port("gateway"),
        "--media-root": settings.get("media_roots"),
        "--cache": settings.get("cache"),
        "--follow-up-seconds": settings.get("follow_up_seconds"),
        "--web-origin": settings.get("web_origins"),
    }
    others = [
        f"{option} {asked[option]}, now {has}" for option, has in known.items() if asked[option] not in (None, has)
    ]
    if others:
        fail(
            f"{folder.state} already runs and takes up no other {'; '.join(others)}: "
            "stop it first (pitwall down), or leave the option out",
            Exit.BAD_INPUT,
        )


def default_cache() -> Path:
    """Where frames, embeddings and the sample film are kept between runs."""
    return Path.home() / ".cache" / "pitwall"


def _check_port(port: int, folder: StateFolder) -> None:
    if not sockets.is_free(port):
        fail(f"port {port} is in use; choose another with --port, or stop what listens there", Exit.BAD_INPUT)
    try:
        folder.make()
    except OSError as error:
        fail(f"{folder.state} cannot be made ({error.strerror}); choose another folder with --state", Exit.BAD_INPUT)


def _write_settings(
    folder: StateFolder, found: Sequence[Resource], port: int, follow_up_seconds: int, roots: list[Path], cache: Path
) -> None:
    known = [*Resources(folder.state).rollouts(), *(r for r in found if isinstance(r, Rollout))]
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
        "ports": {
            "gateway": port,
            **{name: sockets.free_port() for name in ("metrics", "flags", "sync", "operator", "ingest")},
        },
    }
    folder.write_settings(settings)


def _start(folder: StateFolder) -> None:
    pid, created = child.spawn(
        "pitwall_operator.machine.supervisor", ["--state", str(folder.state)], folder.logs / "supervisor.log", {}
    )
    files.write_json(folder.run / "supervisor.json", [pid, created])


def _await(folder: StateFolder) -> None:
    """Wait until the gateway is ready and a variant serves; end the command with the reason where that fails."""
    deadline = time.monotonic() + START_SECONDS
    resources = Resources(folder.state)
    with console.status("starting …") as shown:
        while time.monotonic() < deadline:
            serving = [r.status.stable_variant for r in resources.rollouts() if r.status.weights]
            if serving and _has_variants(f"{folder.gateway_url()}/readyz"):
                return
            reasons = "; ".join(r.status.reason for r in resources.rollouts() if r.status.reason)
            shown.update(f"starting … {reasons}")
            time.sleep(0.2)
    words = {log.stem: child.last_words(log) for log in sorted(folder.logs.glob("*.log"))}
    said = "\n  ".join(f"{name}: {line}" for name, line in words.items() if line)
    fail(f"not ready after {START_SECONDS:.0f} s; the processes' last words:\n  {said}\nLogs: {folder.logs}")


def _has_variants(url: str) -> bool:
    """Whether a gateway knows a runtime to ask."""
    try:
        answer = httpx.get(url, timeout=1.0, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK and bool(answer.json()["variants"])


def down(
    state: StateOption = Path(DEFAULT_STATE),
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop everything that `up` started. Resources, flags, statuses and records stay."""
    folder = StateFolder(state.resolve())
    folder.refuse_others()
    running = supervisor_of(folder)
    if running:
        stop_all([running])
    left = survivors(folder)
    stop_all(left)
    if folder.run.is_dir():
        stop_runtimes(folder)
    for pid in strangers(folder):
        problems.print(
            f"process {pid} is left alone: {folder.run} lists it, but it is another user's, or does not name "
            f"{folder.state} in its command line",
            markup=False,
        )
    if output is Output.JSON:
        print_json({"stopped": bool(running or left)})
    else:
        console.print("stopped" if running or left else f"nothing was running in {folder.state}")

"""Runs our own programs as they are typed, each in a process of its own, without the second that Python imports for.

The process is forked from one that has imported the program and has done nothing else. Where anything is run that is no
program of ours, or with a library loaded before all others, it is run as ever.
"""

import array
import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PITWALL = "pitwall_operator.cli.app:main"
PROGRAMS = {
    "harness.rollouts.exporter": (),
    "pitwall_flags.service": (),
    "pitwall_gateway": (),
    "pitwall_operator.cluster": (),
    "pitwall_runtime": ("pitwall_runtime.plugins.conformance", "pitwall_runtime.plugins.trial.watching"),
    "pitwall_runtime.ask": ("pitwall_runtime.ask.asking",),
    "pitwall_runtime.serve": ("torch", "pitwall_runtime.pipeline.pipeline", "pitwall_runtime.serve.app"),
    PITWALL: (
        "pitwall_operator.cli.sources.cluster",
        "pitwall_operator.cluster.webhook.admission",
        "pitwall_operator.observe.prometheus",
        "pitwall_operator.observe.reader",
        "pitwall_operator.planning.plan",
    ),
}
"""What is known of after `python -m`, and the command line; with what each of them imports only when it needs it."""
ORDER_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


class ForkedProcess:
    """A running program; does what subprocess.Popen does."""

    def __init__(self, status: int, stdout: IO[str] | None) -> None:
        self._status, self.stdout = os.fdopen(status), stdout
        self.returncode: int | None = None
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        """How it ended, None while it runs; as a negative number if by a signal."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal if it runs; it may have ended without our having heard of it."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Program:
    """The process that has imported a program. It ends with this one, and all that was forked from it."""

    def __init__(self, name: str) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno()), name, *PROGRAMS[name]]
            self._parent = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
        atexit.register(self._close)

    def _close(self) -> None:
        self._orders.close()
        self._parent.wait()

    def start(self, order: dict[str, Any], streams: Sequence[int], stdout: IO[str] | None) -> ForkedProcess:
        status, theirs = os.pipe()
        try:
            descriptors = array.array("i", [*streams, theirs])
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
            self._orders.sendmsg([json.dumps(order).encode()], [rights])
        finally:
            os.close(theirs)
        return ForkedProcess(status, stdout)


@functools.cache
def _program(name: str) -> _Program:
    return _Program(name)


def name_of(command: Sequence[object]) -> str:
    """The program of ours that a command line starts, empty if it is none."""
    if command[0] == PITWALL:
        return PITWALL
    known = command[:2] == [sys.executable, "-m"] and command[2] in PROGRAMS
    return str(command[2]) if known else ""


def start(
    command: Sequence[object], *, stdout: IO[Any] | int = subprocess.DEVNULL, stderr: IO[Any] | int | None = None,
    stdin: IO[Any] | int = subprocess.DEVNULL, env: Mapping[str, str] | None = None, cwd: Path | None = None,
) -> "ForkedProcess | subprocess.Popen[str]":  # fmt: skip
    """The program with these words: `python -m` one of PROGRAMS, or the command line's name for `pitwall` itself, whose
    first word is then what it is called by. A session of its own, as text."""
    words = [str(word) for word in command]
    name = name_of(words)
    if not name or "LD_PRELOAD" in (env or os.environ):
        return subprocess.Popen(
            words, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd, text=True, start_new_session=True
        )
    argv = words[1:] if name == PITWALL else [name, *words[3:]]
    order = {"argv": argv, "cwd": str(cwd or Path.cwd()), "environment": dict(env or os.environ)}
    with contextlib.ExitStack() as opened:
        said: IO[str] | None = None
        if stdout == subprocess.PIPE:
            mine, stdout = os.pipe()
            opened.callback(os.close, stdout)
            said = os.fdopen(mine)
        null = opened.enter_context(open(os.devnull, "r+"))
        chosen = (stdin, stdout, 2 if stderr is None else stderr)
        return _program(name).start(
            order, [_number(null if one == subprocess.DEVNULL else one) for one in chosen], said
        )


def run(
    command: Sequence[object], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, answers: str = "",
    seconds: float = 60,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """What a program printed, and how it ended. Raises subprocess.TimeoutExpired after so long, when it is killed."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(answers)
        given.seek(0)
        child = start(command, stdin=given, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            code = child.wait(seconds)
        finally:
            child.kill()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read())
    return subprocess.CompletedProcess([str(word) for word in command], code, *said)


def _number(stream: IO[Any] | int) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


def _dies_with_its_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve(orders: socket.socket, name: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, len(("in", "out", "err", "status")))
        if not order:
            return
        if not os.fork():
            orders.close()
            os._exit(_watch(json.loads(order), descriptors, name))
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(order: dict[str, Any], descriptors: list[int], name: str) -> int:
    """In a forked process: start the program, and tell its number and how it ends."""
    _dies_with_its_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = descriptors
    child = os.fork()
    if not child:
        os.close(status)
        os._exit(_play(order, streams, name))
    for stream in streams:
        os.close(stream)
    os.write(status, f"{child}\n".encode())
    _, ended = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    return 0


def _play(order: dict[str, Any], streams: list[int], name: str) -> int:
    """In another one: become the program; its exit status."""
    _dies_with_its_parent()
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, max(streams) + 1)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115  for as long as it lives
    os.chdir(order["cwd"])
    _live_in(order["environment"])
    sys.argv = order["argv"]
    code: object = 0
    try:
        module, _, function = name.partition(":")
        if function:
            code = getattr(importlib.import_module(module), function)() or 0
        else:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:  # as the interpreter would
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return code if isinstance(code, int) else 1


def _live_in(environment: dict[str, str]) -> None:
    """Take these variables and no others; what PYTHONPATH names comes before what is installed."""
    os.environ.clear()
    os.environ.update(environment)
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in folders if folder and folder not in sys.path]


def _import(name: str, modules: Sequence[str]) -> None:
    """A package that is run is imported by what it runs, which is then forgotten, so that it runs."""
    main = name.partition(":")[0]
    spec = importlib.util.find_spec(main)
    run = f"{main}.__main__" if spec and spec.submodule_search_locations else main
    gc.disable()
    for module in (run, *modules):
        importlib.import_module(module)
    if ":" not in name:
        del sys.modules[run]
    gc.freeze()  # no child searches it, which would also copy every page of it
    gc.enable()


if __name__ == "__main__":
    number, program_name, *later = sys.argv[1:]
    sys.path[0] = str(Path(__file__).parents[1])
    _import(program_name, later)
    _serve(socket.socket(fileno=int(number)), program_name)

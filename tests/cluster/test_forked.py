"""Programs that are forked are as those that are started: words, streams, exit statuses, signals, and their end."""

import os
import signal
import subprocess
import sys

import pytest
from harness import forked
from harness.processes import until

FLAGS = [sys.executable, "-m", "pitwall_flags.service"]
SERVING = [*FLAGS, "--database", "sqlite+aiosqlite://", "--http-port", "0", "--sync-port", "0", "--metrics-port", "0"]
STARTER = f"import time; from harness import forked; print(forked.start({SERVING!r}).pid, flush=True); time.sleep(600)"


@pytest.mark.parametrize(
    "command", [(*FLAGS, "--http-port", "many"), (*FLAGS, "--help"), (*FLAGS, "--database", "nonsense")]
)
def test_what_it_says_and_how_it_ends_is_the_same(command):
    typed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    done = forked.run(command)

    assert (done.stdout, done.stderr.splitlines()[-1:]) == (typed.stdout, typed.stderr.splitlines()[-1:])
    assert done.returncode == typed.returncode


def test_what_is_none_of_ours_is_started_as_ever(tmp_path):
    done = forked.run(["sh", "-c", "cat; pwd; echo $WHO; exit 3"], answers="given\n", cwd=tmp_path, env={"WHO": "kim"})

    assert (done.stdout, done.returncode) == (f"given\n{tmp_path}\nkim\n", 3)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_a_signal_ends_a_server(number, code):
    server = forked.start(SERVING, stdout=subprocess.PIPE)
    assert server.stdout.readline().startswith("flag service ready")
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(0.01)
    assert server.poll() is None
    server.send_signal(number)

    assert server.wait(30) == code
    server.stdout.close()


def test_servers_end_with_the_process_that_wanted_them():
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as starter:  # fmt: skip
        server = int(starter.stdout.readline())
        assert runs(server)
        starter.kill()

    until(lambda: not runs(server), what="the end of the server")


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

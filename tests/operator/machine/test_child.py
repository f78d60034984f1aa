"""One child process: told from a later one with its pid, stopped once, and quoted when it dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pitwall_crds.names import Pool
from pitwall_operator.machine import child
from pitwall_operator.machine.child import Child

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # it shall outlive us


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


def created(process: subprocess.Popen) -> float:
    return psutil.Process(process.pid).create_time()


@pytest.mark.parametrize("pool", list(Pool))
@pytest.mark.parametrize("draining_since", [0.0, 1_700_000_000.5])
def test_a_child_survives_its_file(pool, draining_since):
    known = Child("aks-v1", "r1", pool, 9000, 77, 12.5, "logs/a.log", draining_since)

    assert Child.from_json(known.to_json()) == known
    assert known.draining is (draining_since > 0)
    assert known.url == "http://127.0.0.1:9000"


def test_a_later_process_with_the_same_pid_is_another_one(sleeper):
    assert child.alive(sleeper.pid, created(sleeper))
    assert not child.alive(sleeper.pid, created(sleeper) - 100)


def test_a_process_that_ended_is_not_alive_although_nobody_waited_for_it(sleeper, until):
    born = created(sleeper)
    os.kill(sleeper.pid, signal.SIGKILL)

    until(lambda: not child.alive(sleeper.pid, born))
    assert not psutil.pid_exists(sleeper.pid), "it is buried, not left as a zombie"
    assert not child.alive(sleeper.pid, born), "and asking again is fine"


def test_only_that_very_process_is_stopped(sleeper, until):
    child.stop(sleeper.pid, created(sleeper) - 100)
    assert sleeper.poll() is None
    child.stop(sleeper.pid, created(sleeper))
    until(lambda: sleeper.poll() is not None)
    assert sleeper.returncode == -signal.SIGTERM
    child.stop(sleeper.pid, 0.0)  # a second word to the dead is no error


def test_a_spawned_module_gets_its_arguments_and_environment_and_a_session_of_its_own(modules, tmp_path, until):
    (modules / "speaks.py").write_text(
        "import os, sys; print(sys.argv[1:], os.environ['WORD'], os.getsid(0) == os.getpid())"
    )
    log = tmp_path / "deep" / "speaks.log"
    pid, born = child.spawn("speaks", ["--a", "b c"], log, {"WORD": "yes"})

    until(lambda: not child.alive(pid, born))
    assert child.last_words(log) == "['--a', 'b c'] yes True"


def test_a_second_start_adds_to_the_log_of_the_first(modules, tmp_path, until):
    (modules / "speaks.py").write_text("print('once more')")
    log = tmp_path / "speaks.log"
    for _ in range(2):
        pid, born = child.spawn("speaks", [], log, {})
        until(lambda one=(pid, born): not child.alive(*one))

    assert log.read_text() == "once more\n" * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "", id="an empty log says nothing"),
        pytest.param(b"\n \n\t\n", "", id="blank lines say nothing"),
        pytest.param(b"first\nlast\n\n", "last", id="the last line that says something"),
        pytest.param(b"half a line", "half a line", id="a line without its end"),
        pytest.param(b"\xff\xfe broken\n", "\ufffd\ufffd broken", id="bytes that are no text"),
        pytest.param(b"x" * 10_000, "x" * 300, id="a line that is far too long is cut"),
        pytest.param(b"early\n" + b"\n" * 10_000, "", id="what stands far above is not dug out"),
    ],
)
def test_last_words(tmp_path, content, words):
    log = tmp_path / "log"
    log.write_bytes(content)

    assert child.last_words(log) == words


def test_a_log_that_was_never_written_has_no_last_words():
    assert child.last_words(Path("nowhere.log")) == ""

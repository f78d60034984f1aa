"""One child process: told from a later one with its pid, stopped once, and quoted when it dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
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
def test_a_child_survives_its_file(tmp_path, pool, draining_since):
    known = Child("aks-v1", "r1", pool, 9000, 77, 12.5, "logs/a.log", draining_since)
    files.write_json(tmp_path / "processes.json", [known.to_json()])

    assert child.read_children(tmp_path / "processes.json") == [known]
    assert known.draining is (draining_since > 0)
    assert known.url == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("pid", value) for value in ("abc", -1, 0, 1, True, None, 2.5, 2**70)),
        *(("created", value) for value in ("x", None, -1.0, float("nan"), 1e300)),
        *(("port", value) for value in ("x y", 0, 65536, "80")),
        *(("variant", value) for value in ("../../etc/x", "", 7, "x" * 300)),
        *(("revision", value) for value in ("../x", "", None)),
        ("pool", "blue"), ("log", "a\0b"), ("log", 7), ("draining_since", "soon"),
    ],
)  # fmt: skip
def test_a_child_of_the_right_keys_and_a_wrong_value_is_no_child(tmp_path, field, value):
    data = {**Child("aks-v1", "r1", Pool.MAIN, 9000, 77, 12.5, "logs/a.log").to_json(), field: value}
    files.write_json(tmp_path / "processes.json", [data])

    with pytest.raises(UnreadableFileError, match=rf"processes.json lists no runtimes as we write them \(.*{field}"):
        child.read_children(tmp_path / "processes.json")


def test_whatever_lies_in_a_logs_place_keeps_no_process_from_its_start(modules, tmp_path, until):
    (modules / "speaks.py").write_text("print('here')")
    log = tmp_path / "speaks.log"
    os.mkfifo(log)
    pid, born = child.spawn("speaks", [], log, {})

    until(lambda: not child.alive(pid, born))
    assert child.last_words(log) == "here"


def test_a_later_process_with_the_same_pid_is_another_one(sleeper):
    assert child.alive(sleeper.pid, created(sleeper))
    assert not child.alive(sleeper.pid, created(sleeper) - 100)


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_a_process_is_known_and_can_be_ended_although_the_clock_was_set(modules, tmp_path, until, monkeypatch, hours):
    """The system counts from its own start: by its word a process was born at another time then."""
    (modules / "stays.py").write_text("import time; time.sleep(600)")
    pid, born = child.spawn("stays", [str(tmp_path)], tmp_path / "stays.log", {})
    by_the_clock = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: by_the_clock(self) + hours * 3600)

    assert child.belongs(pid, born, tmp_path)
    assert not child.alive(pid, born - 100)
    child.stop(pid, born)
    until(lambda: not child.alive(pid, born))


@pytest.mark.parametrize("told", [{}, {"PITWALL_STARTED_AT": "noon"}])
def test_a_process_that_was_not_told_when_it_started_is_known_by_the_systems_word(told):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, env=told) as process:
        assert child.alive(process.pid, created(process))
        assert not child.alive(process.pid, created(process) - 100)
        process.kill()


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


@pytest.mark.parametrize(
    ("words", "belongs"),
    [
        pytest.param(["--state", "{}"], True, id="the folder itself"),
        pytest.param(["--state={}"], True, id="as one word"),
        pytest.param(["--database", "sqlite+aiosqlite:///{}/flags.sqlite"], True, id="a file in it"),
        pytest.param(["--state", "{}-of-another"], False, id="a folder that is called alike"),
        pytest.param([], False, id="no folder"),
    ],
)
def test_a_process_belongs_to_the_folder_that_its_command_line_names(tmp_path, monkeypatch, words, belongs):
    folder = tmp_path / "state"
    command = [sys.executable, "-c", "import time; time.sleep(600)", *(word.format(folder) for word in words)]
    with subprocess.Popen(command) as process:
        born = created(process)
        found = child.belongs(process.pid, born, folder)
        earlier = child.belongs(process.pid, born - 100, folder)
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        anothers = child.belongs(process.pid, born, folder)
        process.kill()

    assert (found, earlier, anothers) == (belongs, False, False)
    assert not child.belongs(process.pid, born, folder), "it is gone"


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

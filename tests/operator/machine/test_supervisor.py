"""The supervisor: services start in order, are found again, come back after a pause, and all end together."""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys

import pytest

from pitwall_operator.machine import child, supervisor
from pitwall_operator.machine.supervisor import RunningService, ServiceProcess, Supervisor, services
from pitwall_runtime.ingest.__main__ import ingest_options

pytestmark = [
    pytest.mark.usefixtures("leaves_nothing"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),  # they shall outlive us
]
STAYS = "import time\nprint('here', flush=True)\ntime.sleep(600)\n"
DIES = "raise SystemExit('no database')\n"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(600)\n"
)


@pytest.fixture
def one_service(folder, modules):
    """A supervisor of one service whose source is given."""

    def make(source: str) -> Supervisor:
        (modules / "service.py").write_text(source)
        return Supervisor(folder, [RunningService(ServiceProcess("flags", "service", ()))])

    return make


def said(supervised: Supervisor) -> str:
    return child.last_words(supervised.folder.logs / "flags.log")


def test_the_services_know_each_others_ports_and_only_their_own_tokens(folder):
    flags, gateway, _, ingest = services(folder)
    ports, tokens = folder.settings()["ports"], folder.secrets()

    assert [one.name for one in services(folder)] == ["flags", "gateway", "operator", "ingest"]
    assert str(ports["flags"]) in flags.arguments
    assert f"127.0.0.1:{ports['sync']}" in gateway.arguments
    assert set(flags.environment.values()) == set(tokens.values())
    assert tokens["write"] not in gateway.environment.values()
    assert not set(tokens.values()) & set(ingest.environment.values())
    assert tokens["evaluate"] == gateway.environment["PITWALL_FLAGS_EVALUATE_TOKEN"]


def test_the_ingest_worker_has_the_runtimes_cache_and_media_and_follows_what_pools_run(folder):
    *_, ingest = services(folder)
    chosen = ingest_options(ingest.arguments)
    settings = folder.settings()

    assert (chosen.command, chosen.variants, chosen.queue_url) == ("work", folder.serving, "")
    assert str(chosen.cache_dir) == settings["cache"]
    assert [str(root) for root in chosen.media_root] == settings["media_roots"]
    assert chosen.metrics_port == settings["ports"]["ingest"]
    assert chosen.nice > 0, "whoever asks goes first"


def test_what_runs_is_not_started_again(one_service, until):
    supervised = one_service(STAYS)
    supervised.keep()
    pid = supervised.running[0].pid
    until(lambda: said(supervised) == "here")
    supervised.keep()

    assert supervised.running[0].pid == pid
    assert json.loads((supervised.folder.run / "services.json").read_text())["flags"][0] == pid


def test_a_service_that_dies_is_told_with_its_last_words_and_waits_longer_each_time(one_service, until, caplog):
    caplog.set_level(logging.WARNING)
    supervised = one_service(DIES)
    [one] = supervised.running
    pauses = []
    for _ in range(3):
        one.not_before = 0.0
        supervised.keep()
        until(lambda: not child.alive(one.pid, one.created))
        supervised.keep()
        assert one.pid == 0, "it is not started again at once"
        pauses.append(float(caplog.messages[-1].rpartition("in ")[2].removesuffix(" s")))

    assert "flags ended after 0 s (no database)" in caplog.text
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("failures", "lived", "after", "pause"),
    [
        pytest.param(5, 1, 6, 16.0, id="a death soon after the start is one more in a row"),
        pytest.param(9, 1, 10, 30.0, id="the pause has an end"),
        pytest.param(9, 3600, 1, 0.5, id="who lived long begins anew"),
    ],
)
def test_the_pause_has_an_end_and_is_forgiven(one_service, until, monkeypatch, failures, lived, after, pause):
    supervised = one_service(DIES)
    [one] = supervised.running
    supervised.keep()
    until(lambda: not child.alive(one.pid, one.created))
    now = one.started + lived
    monkeypatch.setattr(supervisor.time, "time", lambda: now)
    one.failures = failures
    supervised.keep()

    assert (one.failures, one.not_before - now) == (after, pytest.approx(pause))


def test_a_service_that_died_is_started_again_although_the_clock_was_set_back(one_service, until, monkeypatch):
    supervised = one_service(DIES)
    [one] = supervised.running
    supervised.keep()
    until(lambda: not child.alive(one.pid, one.created))
    supervised.keep()
    an_hour_ago = one.not_before - 3600
    monkeypatch.setattr(supervisor.time, "time", lambda: an_hour_ago)
    supervised.keep()

    assert one.pid, "its pause is over"


def test_the_next_supervisor_adopts_what_runs_and_not_what_died(folder, modules, until):
    (modules / "stays.py").write_text(STAYS)
    pid, born = child.spawn("stays", [str(folder.state)], folder.logs / "gateway.log", {})
    bystander = child.spawn("stays", [], folder.logs / "other.log", {})
    known = {"gateway": [pid, born], "flags": [pid, born - 500], "operator": [0, 0.0], "ingest": bystander}
    (folder.run / "services.json").write_text(json.dumps(known))

    found = {one.service.name: one.pid for one in Supervisor.adopt(folder).running}

    child.stop(pid, born, signal.SIGKILL)
    child.stop(*bystander, signal.SIGKILL)
    assert found == {"gateway": pid, "flags": 0, "operator": 0, "ingest": 0}


def test_services_that_cannot_be_read_are_started_anew_and_said(folder, caplog):
    (folder.run / "services.json").write_text('{"flags": [-1, "x"]}')

    assert [one.pid for one in Supervisor.adopt(folder).running] == [0, 0, 0, 0]
    assert "services.json holds [-1, 'x'] where a pid and its creation time belong" in caplog.text
    assert not (folder.run / "services.json").exists()


def test_without_settings_the_process_ends_with_a_sentence(folder, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (folder.run / "settings.json").write_text('{"ports": []}')

    assert supervisor.main(["--state", str(folder.state)]) == 2
    assert "settings.json holds no settings as we write them" in capsys.readouterr().err


def test_at_the_end_everything_stops_also_the_runtimes(one_service, modules, folder, until):
    supervised = one_service(STAYS)
    supervised.keep()
    pid, born = child.spawn("service", ["--of", str(folder.state)], folder.logs / "aks-v1-main.log", {})
    runtime = child.Child("aks-v1", "r1", "main", 1, pid, born, "x")
    bystander = child.spawn("service", [], folder.logs / "other.log", {})
    other = child.Child("aks-v1", "r1", "main", 2, *bystander, "x")
    (folder.run / "processes.json").write_text(json.dumps([runtime.to_json(), other.to_json()]))
    supervised.end()
    spared = child.alive(*bystander)
    child.stop(*bystander, signal.SIGKILL)

    [one] = supervised.running
    until(lambda: not child.alive(one.pid, one.created) and not child.alive(pid, born))
    assert json.loads((folder.run / "processes.json").read_text()) == []
    assert spared, "a process of no state folder is nobody's runtime"


@pytest.mark.parametrize("is_set_back", [False, True], ids=["as the clock goes", "while it is set back"])
@pytest.mark.timeout(60)
def test_who_does_not_listen_is_made_to_stop(one_service, until, monkeypatch, is_set_back):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    supervised = one_service(STUBBORN)
    supervised.keep()
    until(lambda: said(supervised) == "here")
    if is_set_back:
        monkeypatch.setattr(supervisor.time, "time", itertools.count(2e9, -3600).__next__)
    supervised.end()

    [one] = supervised.running
    until(lambda: not child.alive(one.pid, one.created))


def test_ending_what_never_ran_is_fine(folder):
    supervisor.stop_runtimes(folder)
    never = Supervisor(folder, [])
    never.end()

    assert (never.running, folder.children()) == ([], [])


def test_the_process_does_not_begin_in_a_folder_that_others_may_write(folder, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    folder.run.chmod(0o777)

    assert supervisor.main(["--state", str(folder.state)]) == 2
    assert f"chmod -R go-w {folder.state}" in capsys.readouterr().err


@pytest.mark.slow
def test_the_process_keeps_its_services_until_it_is_told_to_stop(folder, modules, until):
    """The services by their real names, each of them a module that only stays."""
    for name in ("pitwall_flags/service", "pitwall_gateway", "pitwall_runtime/ingest"):
        (modules / name).mkdir(parents=True)
        (modules / name / "__init__.py").touch()
        (modules / name / "__main__.py").write_text(STAYS)
    for name in ("pitwall_flags", "pitwall_runtime"):
        (modules / name / "__init__.py").touch()
    command = [sys.executable, "-m", "pitwall_operator.machine.supervisor", "--state", str(folder.state)]
    path = os.pathsep.join((str(modules), *sys.path))
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path})
    known = folder.run / "services.json"
    until(lambda: known.exists() and len(json.loads(known.read_text())) == 4)
    started = json.loads(known.read_text())
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=30) == 0
    assert not any(child.alive(pid, born) for pid, born in started.values())

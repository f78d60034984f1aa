"""`pitwall clients`: what it prints is what a program of that language needs, and it works as it stands."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from harness import forked

from pitwall_crds.host import files
from pitwall_crds.host.sockets import free_port
from pitwall_operator.cli.commands.clients import Language
from pitwall_operator.machine.state_folder import StateFolder

FLAG = {"state": "ENABLED", "variants": {"stable": "uniform-v1"}, "defaultVariant": "stable"}


@pytest.fixture
def folder(tmp_path) -> StateFolder:
    """A folder as `up` leaves it."""
    made = StateFolder(tmp_path / "state")
    ports = {name: free_port() for name in ("gateway", "flags", "sync", "operator")}
    made.write_settings({"flag": "sampler.variant", "ports": ports})
    return made


@pytest.fixture
def service(folder) -> Iterator[StateFolder]:
    """Its flag service, with the flag in it."""
    tokens = {f"PITWALL_FLAGS_{role.upper()}_TOKEN": token for role, token in folder.secrets().items()}
    command = [sys.executable, "-m", "pitwall_flags.service", "--database", f"sqlite+aiosqlite:///{folder.state}/f.db",
               "--http-port", str(folder.port("flags")), "--sync-port", str(folder.port("sync"))]  # fmt: skip
    process = forked.start(command, env={**os.environ, **tokens}, stdout=subprocess.PIPE)
    try:
        assert "ready" in process.stdout.readline()
        write = ["curl", "-sS", "-X", "PUT", f"{folder.flags_url()}/v1/flags/sampler.variant", "-H", "If-None-Match: *",
                 "-H", f"Authorization: Bearer {folder.secrets()['write']}", "-H", "Content-Type: application/json",
                 "-d", json.dumps({"document": FLAG, "actor": "kim", "reason": "a test"})]  # fmt: skip
        assert '"version":1' in subprocess.run(write, capture_output=True, check=True, text=True).stdout
        yield folder
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_where_nothing_was_started_it_says_how(say):
    said = say("clients")

    assert said.code == 3
    assert "`pitwall up -f FILE` starts it" in said.err


@pytest.mark.parametrize("before", [True, False], ids=["before the verb", "after it"])
def test_places_and_token_are_those_of_the_folder_that_state_names(say, folder, before):
    state = ("--state", folder.state)
    said = say(*state, "clients") if before else say("clients", *state)

    assert said.code == 0
    assert folder.flags_url() in said.out
    assert f"127.0.0.1:{folder.port('sync')}" in said.out
    assert folder.secrets()["evaluate"] in said.out
    assert all(f"--- {language} ---" in said.out for language in Language)
    assert folder.secrets()["write"] not in said.out
    assert folder.secrets()["kill"] not in said.out


@pytest.mark.parametrize("language", Language)
def test_a_snippet_is_whole(say, folder, language):
    said = say("clients", "--state", folder.state, "-l", language)

    assert folder.flags_url() in said.out
    assert folder.secrets()["evaluate"] in said.out
    assert "sampler.variant" in said.out
    assert not re.search(r"\$[a-z]", said.out)


def test_programs_read_it_as_json(say, folder):
    told = json.loads(say("clients", "--state", folder.state, "-o", "json").out)

    assert told["sync"] == f"127.0.0.1:{folder.port('sync')}"
    assert set(told["snippets"]) == set(Language)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "program"),
    [(Language.CURL, ["bash", "-c"]), (Language.PYTHON, [sys.executable, "-W", "ignore", "-c"])],
)
def test_a_snippet_works_as_it_stands(say, service, language, program):
    snippet = say("clients", "--state", service.state, "-l", language).out

    done = subprocess.run([*program, snippet], capture_output=True, check=False, text=True, timeout=60)

    assert "uniform-v1" in done.stdout, done.stderr


@pytest.mark.parametrize("verb", ["down", "get"])
def test_state_is_honoured_before_the_verb_too(say, folder, verb):
    (folder.state / "resources").mkdir(parents=True, exist_ok=True)
    files.write_json(folder.run / "services.json", {})

    assert str(folder.state) in say("--state", folder.state, verb).out

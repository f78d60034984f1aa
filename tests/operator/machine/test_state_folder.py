"""What every process of a state folder reads: settings, ports and tokens, whole or not at all."""

import stat

import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_operator.machine.state_folder import StateFolder


def test_a_folder_in_which_nothing_was_started_has_no_settings(tmp_path):
    assert StateFolder(tmp_path).settings() == {}


def test_addresses_come_from_the_settings(folder):
    ports = folder.settings()["ports"]

    assert folder.gateway_url() == f"http://127.0.0.1:{ports['gateway']}"
    assert folder.flags_url() == f"http://127.0.0.1:{ports['flags']}"
    assert folder.ingest_url() == f"http://127.0.0.1:{ports['ingest']}"
    assert folder.port("sync") == ports["sync"]


def test_everything_lies_under_the_folder(folder):
    inside = (folder.run, folder.logs, folder.events, folder.revisions, folder.serving, folder.record("sampler"))

    assert all(path.is_relative_to(folder.state) for path in inside)
    assert folder.record("sampler").name == "sampler.jsonl"


def test_tokens_are_made_once_differ_and_are_this_users_alone(folder):
    tokens = folder.secrets()

    assert folder.secrets() == StateFolder(folder.state).secrets() == tokens
    assert len(set(tokens.values())) == 3
    assert stat.S_IMODE((folder.run / "secrets.json").stat().st_mode) == 0o600


def test_settings_that_were_cut_short_are_not_taken_for_none(folder):
    (folder.run / "settings.json").write_text('{"flag": "sam')

    with pytest.raises(UnreadableFileError, match=r"settings.json is no JSON .* delete that file and start anew"):
        folder.settings()

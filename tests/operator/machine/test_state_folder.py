"""What every process of a state folder reads: settings, ports and tokens, whole or not at all."""

import stat

import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
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


@pytest.mark.parametrize(
    "process", [[-1, 0.0], [True, 0.0], [2**70, 0.0], [7, "x"], [7, float("nan")], [7], {"pid": 7}], ids=str
)
@pytest.mark.parametrize("file", ["services.json", "supervisor.json"])
def test_what_is_no_process_is_named_with_a_remedy(folder, file, process):
    files.write_json(folder.run / file, process if file == "supervisor.json" else {"flags": process})

    with pytest.raises(UnreadableFileError, match=rf"{file} holds .* where a pid .* delete that file and start anew"):
        folder.services() if file == "services.json" else folder.supervisor()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ports", {"flags": 1}), ("ports", []), ("cache", 7), ("media_roots", "x"), ("flag", None),
        ("follow_up_seconds", "x"), ("follow_up_seconds", -1), ("web_origins", [1]),
    ],
)  # fmt: skip
def test_settings_of_a_wrong_shape_are_named_with_a_remedy(folder, name, value):
    folder.write_settings({**folder.settings(), name: value})

    with pytest.raises(UnreadableFileError, match=rf"settings.json holds no settings .*{name}.* delete that file"):
        folder.whole_settings()


@pytest.mark.parametrize("port", ["x", -1, 65536, True, None, [1]])
def test_a_port_that_is_none_is_named_with_a_remedy(folder, port):
    folder.write_settings({"ports": {"flags": port}})

    with pytest.raises(UnreadableFileError, match=r"names no port of flags; .* delete that file"):
        folder.port("flags")


@pytest.mark.parametrize("token", ["", "a\nb", "ü", 7])
def test_a_token_that_no_header_can_hold_is_named_with_a_remedy(folder, token):
    files.write_json(folder.run / "secrets.json", {**folder.secrets(), "write": token})

    with pytest.raises(UnreadableFileError, match=r"holds no tokens .* delete that file"):
        folder.secrets()

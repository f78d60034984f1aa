"""The flags of a gateway's last life, and a provider that has nothing else."""

import os

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from pitwall_flags.provider import last_known
from pitwall_flags.provider.provider import PitwallProvider

ANN = EvaluationContext("ann")
FLAGS = """{"flags": {
  "text": {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"},
  "truth": {"state": "ENABLED", "variants": {"a": true}, "defaultVariant": "a"},
  "number": {"state": "ENABLED", "variants": {"a": 7}, "defaultVariant": "a"},
  "part": {"state": "ENABLED", "variants": {"a": 0.5}, "defaultVariant": "a"},
  "thing": {"state": "ENABLED", "variants": {"a": {"b": 1}}, "defaultVariant": "a"},
  "off": {"state": "DISABLED", "variants": {"a": "x"}, "defaultVariant": "a"},
  "broken": {"state": "ENABLED", "variants": 3}
}}"""


def test_what_was_saved_is_loaded_and_is_nobody_elses_to_read(tmp_path):
    path = tmp_path / "new" / "flags.json"

    assert last_known.save(path, FLAGS)
    known = last_known.load(path)

    assert known is not None
    assert known[0] == FLAGS
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["flags.json"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty, as after a full disk"),
        pytest.param(FLAGS.encode()[:90], id="cut"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"flags": []}', id="flags that are a list"),
        pytest.param(b'{"flags": {}, "metadata": 3}', id="metadata that is a number"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(None, id="a folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_passed_over(tmp_path, caplog, content):
    path = tmp_path / "flags.json"
    path.mkdir() if content is None else path.write_bytes(content)

    assert last_known.load(path) is None
    assert "waiting for the flag service" in caplog.text


def test_no_file_is_no_news(tmp_path, caplog):
    assert last_known.load(tmp_path / "flags.json") is None
    assert caplog.text == ""


@pytest.mark.parametrize("spoil", ["file for a folder", "half a character"])
def test_what_cannot_be_kept_is_told_and_leaves_the_old_file(tmp_path, caplog, spoil):
    (tmp_path / "file").write_text("old")
    path = tmp_path / "file" / "flags.json" if spoil == "file for a folder" else tmp_path / "file"

    assert not last_known.save(path, "\ud800")
    assert "would forget them" in caplog.text
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def provider(tmp_path):
    """One that knows flags and has lost the service."""
    provider = PitwallProvider("127.0.0.1:9", state_path=tmp_path)
    provider._receive(FLAGS)
    yield provider
    provider.shutdown()


@pytest.mark.parametrize(
    ("kind", "key", "default", "value"),
    [
        pytest.param("string", "text", "", "x", id="text"),
        pytest.param("boolean", "truth", False, True, id="truth"),
        pytest.param("integer", "number", 0, 7, id="number"),
        pytest.param("float", "part", 0.0, 0.5, id="part of a number"),
        pytest.param("float", "number", 0.0, 7.0, id="a whole number as a part"),
        pytest.param("object", "thing", {}, {"b": 1}, id="thing"),
    ],
)
def test_every_type_is_answered(provider, kind, key, default, value):
    details = getattr(provider, f"resolve_{kind}_details")(key, default, ANN)

    assert (details.value, details.variant, details.error_code) == (value, "a", None)
    assert type(details.value) is type(value)


@pytest.mark.parametrize(
    ("kind", "key", "default", "code"),
    [
        pytest.param("string", "never", "d", ErrorCode.FLAG_NOT_FOUND, id="an unknown flag"),
        pytest.param("string", "broken", "d", ErrorCode.PARSE_ERROR, id="a flag that cannot be used"),
        pytest.param("string", "number", "d", ErrorCode.TYPE_MISMATCH, id="a number for a text"),
        pytest.param("integer", "truth", 3, ErrorCode.TYPE_MISMATCH, id="truth is no integer"),
        pytest.param("integer", "part", 3, ErrorCode.TYPE_MISMATCH, id="a part is no integer"),
        pytest.param("float", "truth", 3.0, ErrorCode.TYPE_MISMATCH, id="truth is no number"),
        pytest.param("object", "text", {}, ErrorCode.TYPE_MISMATCH, id="a text for a thing"),
        pytest.param("boolean", "number", True, ErrorCode.TYPE_MISMATCH, id="a number for truth"),
    ],
)
def test_what_cannot_be_answered_is_the_default_with_its_code(provider, kind, key, default, code):
    details = getattr(provider, f"resolve_{kind}_details")(key, default, ANN)

    assert (details.value, details.error_code, details.reason) == (default, code, "ERROR")


def test_a_flag_that_is_off_is_the_default_without_an_error(provider):
    details = provider.resolve_string_details("off", "d", None)

    assert (details.value, details.reason, details.error_code) == ("d", "DISABLED", None)


def test_what_is_lost_stays_and_is_marked_until_the_service_is_back(provider, tmp_path, caplog):
    fresh = provider.resolve_string_details("text", "", ANN).reason
    for _ in range(3):
        provider._lose("cut")
    lost = provider.resolve_string_details("text", "", ANN)
    provider._receive(FLAGS)

    assert (fresh, lost.reason, lost.value) == ("STATIC", "STALE", "x")
    assert provider.resolve_string_details("text", "", ANN).reason == "STATIC"
    assert caplog.text.count("lost the flag service") == 1


def test_a_configuration_that_is_none_leaves_flags_and_file_as_they_were(provider, tmp_path):
    with pytest.raises(ValueError, match="object"):
        provider._receive("[]")

    assert provider.resolve_string_details("text", "", ANN).value == "x"
    assert (tmp_path / "flags.json").read_text() == FLAGS

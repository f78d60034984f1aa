"""The gateway's provider against a real service: live changes, loss, restart without the service."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from pitwall_flags.client import FlagClient
from pitwall_flags.provider import telemetry
from pitwall_flags.provider.provider import FIRST_FLAGS_SECONDS, PitwallProvider

pytestmark = pytest.mark.slow
FLAG = "sampler.variant"
USER = EvaluationContext("user-1")


@pytest.fixture(autouse=True)
def no_provider() -> Iterator[None]:
    yield
    api.shutdown()


async def write(service, document, version, key=FLAG):
    client = FlagClient(service.url)
    try:
        return await client.put(key, document, expected_version=version, actor="test", reason="move the split")
    finally:
        await client.close()


def follow(service, path) -> PitwallProvider:
    provider = PitwallProvider(service.sync, state_path=path, retry_seconds=0.05)
    api.set_provider_and_wait(provider)
    return provider


async def test_a_change_arrives_live_and_is_announced(service, split, eventually, tmp_path: Path):
    await write(service, split(0), None)
    provider = follow(service, tmp_path / "last.json")
    client, changes = api.get_client(), []
    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: changes.append(details.flags_changed))
    before = client.get_string_details(FLAG, "default", USER)
    assert (before.value, before.variant, before.reason) == ("uniform-v1", "stable", Reason.SPLIT)
    assert before.flag_metadata["version"] == "1"
    await write(service, split(10_000), 1)
    eventually(lambda: client.get_string_value(FLAG, "default", USER) == "aks-v2")
    eventually(lambda: [FLAG] in changes)
    assert provider.flag_keys() == (FLAG,)


async def test_the_lag_from_write_to_visible_is_measured(service, split, eventually, tmp_path: Path):
    await write(service, split(0), None)
    follow(service, tmp_path / "last.json")
    seen = telemetry.PROPAGATION._sum.get()
    await write(service, split(100), 1)
    eventually(lambda: telemetry.PROPAGATION._sum.get() > seen)
    assert telemetry.PROPAGATION._sum.get() - seen < 2.0


async def test_a_lost_service_leaves_the_last_known_split_marked_stale(service, split, eventually, tmp_path: Path):
    await write(service, split(10_000), None)
    follow(service, tmp_path / "last.json")
    client = api.get_client()
    service.stop()
    eventually(lambda: client.get_provider_status() is ProviderStatus.STALE)
    lost = client.get_string_details(FLAG, "default", USER)
    assert (lost.value, lost.reason) == ("aks-v2", Reason.STALE)
    assert telemetry.STALE._value.get() == 1
    service.start()
    await write(service, split(0), 1)
    eventually(lambda: client.get_string_value(FLAG, "default", USER) == "uniform-v1")
    eventually(lambda: client.get_provider_status() is ProviderStatus.READY)
    assert telemetry.STALE._value.get() == 0


async def test_a_gateway_restarted_alone_serves_the_last_split(service, split, eventually, tmp_path: Path):
    await write(service, split(10_000), None)
    path = tmp_path / "last.json"
    follow(service, path)
    service.stop()
    api.shutdown()
    provider = follow(service, path)
    assert api.get_client().get_string_value(FLAG, "default", USER) == "aks-v2"
    assert provider.is_stale
    eventually(lambda: api.get_client().get_provider_status() is ProviderStatus.STALE)


def test_a_gateway_that_knows_nothing_answers_the_default(tmp_path: Path):
    api.set_provider_and_wait(PitwallProvider("127.0.0.1:1", state_path=tmp_path / "last.json", retry_seconds=0.05))
    details = api.get_client().get_string_details(FLAG, "uniform-v1", USER)
    assert (details.value, details.reason) == ("uniform-v1", Reason.ERROR)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"flags": 1}', '{"flags": {"sampler.variant": 7}}', "\x00", "[" * 100_000]
)
def test_a_damaged_memory_is_as_good_as_none(text, tmp_path: Path):
    (tmp_path / "last.json").write_text(text)
    provider = PitwallProvider("127.0.0.1:1", state_path=tmp_path / "last.json", retry_seconds=0.05)
    api.set_provider_and_wait(provider)
    assert api.get_client().get_string_value(FLAG, "uniform-v1", USER) == "uniform-v1"


async def test_what_is_remembered_is_the_configuration_as_sent(service, split, eventually, tmp_path: Path):
    await write(service, split(500), None)
    follow(service, tmp_path / "last.json")
    eventually((tmp_path / "last.json").exists)
    assert set(json.loads((tmp_path / "last.json").read_text())["flags"]) == {FLAG}
    eventually(lambda: not list(tmp_path.glob(".last*")))


@pytest.mark.parametrize(
    ("asked", "default"),
    [("get_boolean_details", True), ("get_integer_details", 7), ("get_float_details", 0.5), ("get_object_details", {})],
)
async def test_a_flag_of_another_type_gives_the_default(service, split, tmp_path: Path, asked, default):
    await write(service, split(0), None)
    follow(service, tmp_path / "last.json")
    details = getattr(api.get_client(), asked)(FLAG, default, USER)
    assert (details.value, details.error_code.value) == (default, "TYPE_MISMATCH")


async def test_shutdown_returns_at_once(service, split, tmp_path: Path):
    provider = follow(service, tmp_path / "last.json")
    provider.shutdown()
    assert not provider._follower._thread.is_alive()


async def test_a_service_that_hangs_is_noticed_and_followed_again(service, split, eventually, tmp_path: Path):
    await write(service, split(10_000), None)
    provider = follow(service, tmp_path / "last.json")
    service.process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: provider.is_stale, seconds=30)
        assert api.get_client().get_string_value(FLAG, "default", USER) == "aks-v2"
    finally:
        service.process.send_signal(signal.SIGCONT)
    eventually(lambda: not provider.is_stale, seconds=30)


def test_a_silent_service_does_not_hold_up_the_start(tmp_path: Path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        provider = PitwallProvider(target, state_path=tmp_path / "last.json")
        began = time.monotonic()
        provider.initialize(EvaluationContext())
        assert time.monotonic() - began < FIRST_FLAGS_SECONDS + 30  # the service is silent for ever
        provider.shutdown()
        assert time.monotonic() - began < FIRST_FLAGS_SECONDS + 60


async def test_an_event_handler_that_fails_does_not_end_the_stream(service, split, eventually, tmp_path: Path):
    await write(service, split(0), None)

    class Fails(PitwallProvider):
        def emit_provider_configuration_changed(self, details):
            raise RuntimeError("an application's handler")

    provider = Fails(service.sync, state_path=tmp_path / "last.json", retry_seconds=0.05)
    api.set_provider_and_wait(provider)
    await write(service, split(10_000), 1)
    eventually(lambda: api.get_client().get_string_value(FLAG, "default", USER) == "aks-v2")
    eventually(lambda: not provider.is_stale)

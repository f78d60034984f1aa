"""Follows a flagd sync stream, and reports every new configuration and every loss of the connection."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_crds.host.backoff import Backoff
from pitwall_flags.provider.heartbeat import ANSWER_SECONDS, Heartbeat

log = logging.getLogger(__name__)

MAX_BACKOFF_FACTOR: Final = 8
MESSAGE_BYTES: Final = 256 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class SyncSource:
    """Where flags come from: host:port, how to get in, and how long to wait before trying again."""

    target: str
    token: str = ""
    retry_seconds: float = 1.0
    selector: str = ""
    authority: Path | None = None


class SyncClient:
    """A thread that reads the sync stream and reconnects until stopped. Callbacks run on that thread."""

    def __init__(self, source: SyncSource, on_flags: Callable[[str], None], on_lost: Callable[[str], None]) -> None:
        self._source = source
        self._on_flags = on_flags
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._channel: Any = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pitwall-flags-sync", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """End the stream and wait for the thread, at most this long."""
        self._stopping.set()
        with self._lock:
            if self._channel is not None:
                self._channel.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        failures, retry_seconds = 0, self._source.retry_seconds
        backoff = Backoff(retry_seconds, MAX_BACKOFF_FACTOR * retry_seconds, spread=(0.8, 1.2))
        while not self._stopping.is_set():
            received, why = self._follow_once()
            if self._stopping.is_set():
                return
            failures = 0 if received else failures + 1
            self._on_lost(why)
            self._stopping.wait(backoff.seconds(failures))

    def _follow_once(self) -> tuple[bool, str]:
        """One stream from connect to loss: whether it brought flags, and why it ended."""
        received, channel, heartbeat = False, None, None
        try:
            channel = self._open()
            if channel is None:
                return received, "stopping"
            stub = sync_pb2_grpc.FlagSyncServiceStub(channel)
            stream = self._stream(stub)
            with Heartbeat(lambda seconds: self._answers(stub, seconds), stream.cancel) as heartbeat:
                for response in stream:
                    self._on_flags(response.flag_configuration)
                    received = True
        except grpc.RpcError as error:
            silent = heartbeat is not None and heartbeat.gave_up
            words = f"no answer within {ANSWER_SECONDS:g} s" if silent else f"{error.code().name}: {error.details()}"
            return received, words
        except Exception as error:  # an application's event handler must not end the stream for ever
            return received, f"{type(error).__name__}: {error}"
        finally:
            if channel is not None:
                channel.close()
        return received, "the flag service ended the stream"

    def _open(self) -> Any:
        options = [*_OPTIONS, ("grpc.service_config", json.dumps({"methodConfig": []}))]
        if self._source.authority:
            credentials = grpc.ssl_channel_credentials(self._source.authority.read_bytes())
            channel = grpc.secure_channel(self._source.target, credentials, options)
        else:
            channel = grpc.insecure_channel(self._source.target, options)
        with self._lock:
            if self._stopping.is_set():
                channel.close()
                return None
            self._channel = channel
        return channel

    def _headers(self) -> list[tuple[str, str]]:
        headers = [("authorization", f"Bearer {self._source.token}")] if self._source.token else []
        return [*headers, ("flagd-selector", self._source.selector)] if self._source.selector else headers

    def _answers(self, stub: Any, seconds: float) -> bool:
        """Whether the service says anything at all, be it that it does not know the question."""
        try:
            stub.GetMetadata(sync_pb2.GetMetadataRequest(), timeout=seconds, metadata=self._headers())
        except grpc.RpcError as error:
            return error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        except ValueError:  # the channel was closed meanwhile
            return False
        return True

    def _stream(self, stub: Any) -> Any:
        request = sync_pb2.SyncFlagsRequest(provider_id="pitwall", selector=self._source.selector)
        return stub.SyncFlags(request, metadata=self._headers(), wait_for_ready=False)

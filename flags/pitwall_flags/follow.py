"""A sync address comes in; every flag configuration it sends, and every loss of it, is handed on, for ever."""

import json
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

_log = logging.getLogger(__name__)

MAX_BACKOFF_FACTOR: Final = 8
MESSAGE_BYTES: Final = 256 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where flags come from: host:port, how to get in, and how long to wait before trying again."""

    target: str
    token: str = ""
    retry_seconds: float = 1.0
    selector: str = ""
    authority: Path | None = None


class Follower:
    """A thread that reads the sync stream and reconnects until stopped. Callbacks run on that thread."""

    def __init__(self, source: Source, on_flags: Callable[[str], None], on_lost: Callable[[str], None]) -> None:
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
        failures = 0
        while not self._stopping.is_set():
            received, why = self._follow_once()
            if self._stopping.is_set():
                return
            failures = 0 if received else failures + 1
            self._on_lost(why)
            factor = min(2 ** max(failures - 1, 0), MAX_BACKOFF_FACTOR)
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads reconnects, protects nothing
            self._stopping.wait(self._source.retry_seconds * factor * jitter)

    def _follow_once(self) -> tuple[bool, str]:
        """One stream from connect to loss: whether it brought flags, and why it ended."""
        received, channel = False, None
        try:
            channel = self._open()
            if channel is None:
                return received, "stopping"
            for response in self._stream(channel):
                self._on_flags(response.flag_configuration)
                received = True
        except grpc.RpcError as error:
            return received, f"{error.code().name}: {error.details()}"
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

    def _stream(self, channel: Any) -> Any:
        headers = [("authorization", f"Bearer {self._source.token}")] if self._source.token else []
        if self._source.selector:
            headers.append(("flagd-selector", self._source.selector))
        request = sync_pb2.SyncFlagsRequest(provider_id="pitwall", selector=self._source.selector)
        return sync_pb2_grpc.FlagSyncServiceStub(channel).SyncFlags(request, metadata=headers, wait_for_ready=False)

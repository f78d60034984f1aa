"""Serves flagd.sync.v1 over gRPC: a client gets the whole flag set at once and after every change."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_flags.errors import TooManyStreamsError
from pitwall_flags.service.auth import AccessTokens, Roots, TokenScope, holder_of, token_of
from pitwall_flags.service.fairness.streams import MIB, Follower, StreamLimits, Streams
from pitwall_flags.service.publish import FlagSnapshot, Publisher

log = logging.getLogger(__name__)

NOTHING: Final = -2
"""Below every revision."""

TOLD_SECONDS: Final = 60.0

KEPT_BYTES: Final = 64 * MIB
"""Of encoded messages; one that does not fit is encoded again for each who asks."""

SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # two services on one port would share clients without a word
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", 65_536),
    ("grpc.max_metadata_size", 16_384),
    ("grpc.absolute_max_metadata_size", 32_768),
    ("grpc.server_handshake_timeout_ms", 10_000),  # TLS and HTTP/2's first frame
    ("grpc.max_connection_idle_ms", 60_000),  # without a call
    ("grpc.max_concurrent_streams", 64),  # of one connection
)


def server_options(connections: int) -> tuple[tuple[str, int], ...]:
    """What one client and all together may take; gRPC cannot count the connections of one address."""
    return (*SERVER_OPTIONS, ("grpc.max_allowed_incoming_connections", connections))


def sync_credentials(certificate: Path, private_key: Path) -> grpc.ServerCredentials:
    """What the stream shows its clients, read again for each who connects. Raises OSError."""

    def pair() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(private_key.read_bytes(), certificate.read_bytes())])

    def newest() -> grpc.ServerCertificateConfiguration | None:
        try:
            return pair()
        except OSError:
            return None  # the last one that could be read

    return grpc.dynamic_ssl_server_credentials(pair(), newest)


class TokenGate(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Turns away whoever brings no good token before a byte of the request is read, and then lets no message that is
    none end in an error of ours: SyncService gets None for it, and says so."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], call: Any) -> Any:
        """The call's handler, or one that refuses it."""
        handler = await continuation(call)
        if handler is None:
            return None
        make = (
            grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
        )
        if _roots(self._tokens, call.invocation_metadata):
            serve = handler.unary_stream if handler.response_streaming else handler.unary_unary
            return make(serve, _reader(handler.request_deserializer), _writer(handler.response_serializer))

        async def refuse(_request: bytes, context: Any) -> None:
            words = "send the evaluate token as metadata: authorization: Bearer … or x-api-key"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, words)

        return make(refuse)


class SyncService(sync_pb2_grpc.FlagSyncServiceServicer):
    """The servicer that flagd's in-process providers of every language connect to."""

    def __init__(self, publisher: Publisher, tokens: AccessTokens, limits: StreamLimits | None = None) -> None:
        self._publisher = publisher
        self._tokens = tokens
        self._streams = Streams(limits or StreamLimits())
        self._messages = Messages()
        self._encoding: dict[str, asyncio.Lock] = {}
        self._dropped, self._told_at = 0, float("-inf")

    # Messages are written and not yielded, to see whether they are read.
    async def SyncFlags(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802 - flagd's name
        """Stream the selected flags, whole, at every change."""
        prefix, whose = await self._admit(request, context)
        try:
            with self._streams.admitted(whose):
                await self._stream(prefix, whose, context)
        except TooManyStreamsError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))

    async def _stream(self, prefix: str, whose: Follower, context: Any) -> None:
        sent = NOTHING
        async for snapshot in self._publisher.follow():
            if snapshot.revision <= sent:
                continue  # it has had a newer one, when its turn came
            async with self._streams.room(whose, len(await self._encoded(prefix, whose))):
                sent = self._publisher.snapshot.revision
                await self._write(self._message(prefix, whose.roots), context)

    def _message(self, prefix: str, roots: Roots) -> bytes:
        """The newest flags as a message of the stream; of a fetch too, whose only field has the same number."""
        return self._messages.of(self._publisher.snapshot, prefix, roots, self._publisher.flag_set_id)

    async def _encoded(self, prefix: str, whose: Follower) -> bytes:
        """The same, one after the other for one token, whose streams may each select something else: others are served
        in between."""
        async with self._encoding.setdefault(whose.holder, asyncio.Lock()):
            if not self._messages.has(self._publisher.snapshot, prefix, whose.roots):
                await asyncio.sleep(0)
            return self._message(prefix, whose.roots)

    async def _write(self, message: bytes, context: Any) -> None:
        """Send a message; the call of a client that does not read it ends, which frees it."""
        seconds = self._streams.limits.unread_seconds
        try:
            async with asyncio.timeout(seconds):
                await context.write(message)
        except TimeoutError:
            self._tell_dropped(len(message))
            words = f"{len(message)} bytes of flags were not read for {seconds:.0f} s; read them, and follow again"
            await _end_unread(context, words)

    def _tell_dropped(self, size: int) -> None:
        """In the log, once a minute: whoever does so may do it often."""
        self._dropped += 1
        if time.monotonic() >= self._told_at + TOLD_SECONDS:
            log.warning(
                "followers that did not read their flags were dropped: %d, the last of %d B", self._dropped, size
            )
            self._dropped, self._told_at = 0, time.monotonic()

    async def FetchAllFlags(self, request: Any, context: Any) -> Any:  # noqa: N802 - flagd's name
        """The selected flags as they are."""
        prefix, whose = await self._admit(request, context)
        held = contextlib.AsyncExitStack()
        try:
            held.enter_context(self._streams.admitted(whose))
            message = await self._encoded(prefix, whose)
            await held.enter_async_context(self._streams.room_now(whose, len(message)))
        except TooManyStreamsError as error:
            await held.aclose()
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            raise AssertionError from error
        context.add_done_callback(lambda _: _begin(held.aclose()))
        return message

    async def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - flagd's name
        """The deprecated way to the static context; older providers still ask."""
        await self._admit(request, context)
        return sync_pb2.GetMetadataResponse(metadata=_sync_context(self._publisher.flag_set_id))

    async def _admit(self, request: Any, context: Any) -> tuple[str, Follower]:
        """The key prefix that the caller selected, and who it is with the flags that its token may see; of a wrong
        selector, or a message that is none, the call ends here."""
        if request is None:
            words = "the message is none of flagd.sync.v1; send a request as its .proto describes it"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
        headers = _headers(context.invocation_metadata())
        holder = "" if self._tokens.is_open else holder_of(token_of(headers))
        whose = Follower(holder, _roots(self._tokens, context.invocation_metadata()))
        selector = headers.get("flagd-selector") or str(getattr(request, "selector", ""))
        try:
            return read_selector(selector, self._publisher.flag_set_id), whose
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise AssertionError from error


async def _end_unread(context: Any, words: str) -> None:
    """End a call whose client may be gone for good: that no end can be sent any more is no error of ours."""
    try:
        await context.abort(grpc.StatusCode.UNAVAILABLE, words)
    except grpc.aio.AbortError:
        raise
    except Exception:  # grpc has no public name for what it raises here
        log.debug("a follower left before it could be told that it is dropped", exc_info=True)


class Messages:
    """Messages of the newest snapshot, encoded once for all who select alike."""

    def __init__(self) -> None:
        self._revision = NOTHING
        self._known: OrderedDict[tuple[str, Roots], bytes] = OrderedDict()

    def has(self, snapshot: FlagSnapshot, prefix: str, roots: Roots) -> bool:
        """Whether it is encoded already."""
        return snapshot.revision == self._revision and (prefix, roots) in self._known

    def of(self, snapshot: FlagSnapshot, prefix: str, roots: Roots, flag_set_id: str) -> bytes:
        """What is sent to those who select so."""
        if snapshot.revision != self._revision:
            self._revision = snapshot.revision
            self._known.clear()
        known = self._known.get((prefix, roots))
        if known is None:
            context = _sync_context(flag_set_id)
            response = sync_pb2.SyncFlagsResponse(
                flag_configuration=snapshot.select(prefix, roots), sync_context=context
            )
            known = self._known[prefix, roots] = response.SerializeToString()
            while len(self._known) > 1 and sum(map(len, self._known.values())) > KEPT_BYTES:
                self._known.popitem(last=False)
        return known


_TASKS: set[asyncio.Task[None]] = set()


def _begin(work: Coroutine[Any, Any, None]) -> None:
    """Have it done; the task is kept until then, as asyncio asks."""
    task = asyncio.get_running_loop().create_task(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)


def _writer(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """The same, which takes what is encoded already."""
    return lambda message: message if isinstance(message, bytes) else serialize(message)


def _reader(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The same, of which a message that cannot be read is None: gRPC would log what it raises as an error of ours."""

    def read(message: bytes) -> Any:
        try:
            return deserialize(message)
        except DecodeError:
            return None

    return read


def _headers(metadata: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in metadata or ()}


def _roots(tokens: AccessTokens, metadata: Any) -> Roots:
    """The flags that a call's token may see; none without a good one."""
    return tokens.roots(token_of(_headers(metadata)), (TokenScope.EVALUATE,))


def read_selector(selector: str, flag_set_id: str) -> str:
    """The key prefix of `flagSetId=…,prefix=…` (both optional, any order). Raises ValueError."""
    terms = dict(term.strip().partition("=")[::2] for term in selector.split(",") if term.strip())
    unknown = sorted(set(terms) - {"flagSetId", "prefix"})
    if unknown:
        raise ValueError(f"selector {selector[:200]!r} has unknown terms {unknown}; use flagSetId=… and prefix=…")
    if terms.get("flagSetId", flag_set_id) != flag_set_id:
        raise ValueError(f"this service serves the flag set {flag_set_id!r}, not {terms['flagSetId'][:100]!r}")
    return terms.get("prefix", "")


def _sync_context(flag_set_id: str) -> Struct:
    struct = Struct()
    struct.update({"flagSetId": flag_set_id})
    return struct

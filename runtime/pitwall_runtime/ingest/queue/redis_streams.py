"""The ingest queue in Redis Streams: a consumer group, whose jobs come back from workers that died."""

import math
import os
import socket
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import redis

from pitwall_runtime.errors import QueueAwayError, QueueFullError
from pitwall_runtime.ingest.queue.port import DeadLetter, Delivery, IngestJob, QueueDepth

T = TypeVar("T")

_GROUP: Final = "ingest"
_DEAD_KEPT: Final = 10_000
_SOCKET_SECONDS: Final = 10.0
_BLOCK_SECONDS: Final = 0.5
"""How long one reading waits: in between, the jobs of dead workers are looked for."""

_PUT: Final = """
if redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return false end
return redis.call('XADD', KEYS[1], '*', 'job', ARGV[1])
"""
_MOVE: Final = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'job', ARGV[3], 'reason', ARGV[4])
end
return 1
"""
_LATER: Final = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], redis.call('TIME')[1] + ARGV[4], ARGV[2] .. ' ' .. ARGV[3])
return 1
"""
_DUE: Final = """
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', redis.call('TIME')[1], 'LIMIT', 0, 100)
for _, member in ipairs(due) do
  redis.call('ZREM', KEYS[2], member)
  redis.call('XADD', KEYS[1], '*', 'job', string.match(member, '^%S+ (.*)$'))
end
"""
"""Those whose time has come, by the server's clock, go behind those that wait. A delivery's number sets them apart."""


class RedisQueue:
    """A stream, its group, a stream of dead letters, and a sorted set of what is tried again later. Redis 6.2 or
    newer."""

    def __init__(self, url: str, stream: str, *, visibility_seconds: float = 60.0, max_waiting: int = 10_000) -> None:
        self._client = redis.Redis.from_url(
            url,
            decode_responses=True,
            encoding_errors="replace",  # of what other programs put there
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=_SOCKET_SECONDS,
        )
        self._stream, self._dead, self._later = stream, f"{stream}:dead", f"{stream}:later"
        self._visibility_ms, self._max_waiting = int(visibility_seconds * 1000), max_waiting
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._ready = False
        self._look_at = 0.0

    def put(self, job: IngestJob) -> None:
        """Add a job, durably. Raises QueueFullError."""
        added = self._asked(
            lambda: self._client.eval(_PUT, 2, self._stream, self._later, job.to_json(), self._max_waiting)
        )
        if not added:
            raise QueueFullError(f"{self._max_waiting} videos wait already, the limit; send this one again in a minute")

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next job, those of dead workers first, for this worker alone for the visibility time; None if none."""
        latest = time.monotonic() + wait_seconds
        while True:
            left = latest - time.monotonic()
            delivery = self._asked(partial(self._next, left))
            if delivery or left <= 0:
                return delivery

    def _next(self, left_seconds: float) -> Delivery | None:
        self._prepare()
        if time.monotonic() >= self._look_at:
            self._client.eval(_DUE, 2, self._stream, self._later)
            self._look_at = time.monotonic() + _BLOCK_SECONDS
        claimed: Any = self._client.xautoclaim(self._stream, _GROUP, self._consumer, self._visibility_ms, count=1)
        found = claimed[1]
        if not found:
            block = max(1, int(1000 * min(left_seconds, _BLOCK_SECONDS)))
            read: Any = self._client.xreadgroup(_GROUP, self._consumer, {self._stream: ">"}, count=1, block=block)
            found = read[0][1] if read else []
        return Delivery(IngestJob.from_json(found[0][1].get("job", "")), found[0][0]) if found else None

    def extend(self, delivery: Delivery) -> None:
        """This worker still works on it: its idle time begins anew."""
        self._asked(
            lambda: self._client.xclaim(self._stream, _GROUP, self._consumer, 0, [delivery.receipt], justid=True)
        )

    def done(self, delivery: Delivery) -> None:
        """It needs no more work."""
        self._asked(lambda: self._move(delivery, self._dead, "", ""))

    def again(self, delivery: Delivery, delay_seconds: float = 0.0) -> None:
        """Somebody shall try it once more, after so long, and behind those who wait."""
        if delay_seconds > 0:
            said = (_GROUP, delivery.receipt, delivery.job.to_json(), math.ceil(delay_seconds))
            self._asked(lambda: self._client.eval(_LATER, 2, self._stream, self._later, *said))
        else:
            self._asked(lambda: self._move(delivery, self._stream, delivery.job.to_json(), ""))

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters, the newest ten thousand."""
        self._asked(lambda: self._move(delivery, self._dead, delivery.job.to_json(), reason))

    def depth(self) -> QueueDepth:
        """How much there is to do."""
        return self._asked(self._depth)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""
        found: Any = self._asked(lambda: self._client.xrevrange(self._dead, count=limit))
        return [DeadLetter(IngestJob.from_json(fields.get("job", "")), fields.get("reason", "")) for _, fields in found]

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _depth(self) -> QueueDepth:
        self._prepare()
        length: Any = self._client.xlen(self._stream)
        pending: Any = self._client.xpending(self._stream, _GROUP)
        later: Any = self._client.zcard(self._later)
        dead: Any = self._client.xlen(self._dead)
        return QueueDepth(int(length) - int(pending["pending"]) + int(later), int(pending["pending"]), int(dead))

    def _move(self, delivery: Delivery, target: str, body: str, reason: str) -> Any:
        limit = _DEAD_KEPT if target == self._dead else 1 << 40
        return self._client.eval(_MOVE, 2, self._stream, target, _GROUP, delivery.receipt, body, reason, limit)

    def _prepare(self) -> None:
        if self._ready:
            return
        try:
            self._client.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._ready = True

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except redis.RedisError as error:
            self._ready = False  # a server that lost its data needs the group again
            raise QueueAwayError(
                f"the ingest queue does not answer ({type(error).__name__}); try again later"
            ) from None

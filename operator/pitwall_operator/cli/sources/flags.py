"""Reaches the flag service for the commands: its kill switch and its decision records."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_operator.cli.context import fail
from pitwall_operator.values.errors import Exit

if TYPE_CHECKING:
    from pitwall_operator.record.lines import Line


async def switch(client: FlagClient, flag: str, *, killed: bool, actor: str, reason: str) -> None:
    """Throw the kill switch, or release it. Closes the client. Raises CommandError."""
    verb, change = ("kill", client.kill) if killed else ("release", client.release)
    with _in_sentences(f"to {verb} {flag}"):
        try:
            await change(flag, actor=actor, reason=reason)
        finally:
            await client.close()


async def journal(client: FlagClient, namespace: str, rollout: str) -> list["Line"]:
    """A rollout's decision record in the service, oldest line first. Closes the client. Raises CommandError."""
    with _in_sentences(f"to show the record of {namespace}/{rollout}"):
        try:
            return [dict(line) async for line in client.read_journal(namespace, rollout)]
        finally:
            await client.close()


@contextmanager
def _in_sentences(asked: str) -> Iterator[None]:
    try:
        yield
    except FlagsUnreachableError as error:
        fail(str(error), Exit.UNREACHABLE)
    except (FlagRejectedError, FlagConflictError) as error:
        fail(f"the flag service refused {asked}: {error}")

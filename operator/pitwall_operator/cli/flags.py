"""The flag service as the command line uses it: its kill switch and its decision records; troubles in sentences."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from pitwall_flags.client import FlagClient, FlagConflict, FlagRejected, FlagsUnreachable
from pitwall_operator.cli.context import Exit, fail

if TYPE_CHECKING:
    from pitwall_operator.record import Line

TIMEOUT_SECONDS = 15.0


async def kill(client: FlagClient, flag: str, *, actor: str, reason: str) -> None:
    """Throw the kill switch and close the client. Raises Trouble."""
    try:
        await client.kill(flag, actor=actor, reason=reason)
    except FlagsUnreachable as error:
        fail(str(error), Exit.UNREACHABLE)
    except (FlagRejected, FlagConflict) as error:
        fail(f"the flag service refused to kill {flag}: {error}")
    finally:
        await client.close()


def journal(url: str, token: str, namespace: str, rollout: str) -> Iterator["Line"]:
    """A rollout's decision record as the flag service keeps it, read as it streams in. Raises Trouble."""
    path = f"/admin/journal/{quote(namespace)}/{quote(rollout)}"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.stream("GET", url + path, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as answer:
            if not answer.is_success:
                answer.read()
                fail(f"the flag service refused to show the record of {namespace}/{rollout}: {answer.text[:300]}")
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)
    except httpx.HTTPError as error:
        fail(f"the flag service broke off while the record was read ({error}); try again", Exit.UNREACHABLE)

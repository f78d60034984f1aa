"""A request's headers in, who speaks out: by an API key, or by a signed token."""

from collections.abc import Mapping
from dataclasses import replace

from pitwall_crds.host.http.local import foreign
from pitwall_crds.names import Header
from pitwall_flags.service.auth import token_of
from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.callers.rule import CallerRule
from pitwall_gateway.callers.tokens import Tokens
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.speaker import LOCAL, Speaker


class Authenticator:
    """Tells callers apart. Who proves nothing is refused, unless nobody has to prove anything."""

    def __init__(self, rule: CallerRule, callers: Callers) -> None:
        self._open = rule.is_open
        self._callers = callers
        self._tokens = Tokens(rule.tokens) if rule.tokens.keys else None

    async def speaker(self, headers: Mapping[str, str]) -> Speaker:
        """Who sent this request. Raises RequestRefusedError (401, 403)."""
        if self._open:
            _check_is_local(headers)
            return LOCAL
        proof = token_of(headers)
        if not proof:
            raise _refused("no credentials; send an API key or a token as Authorization: Bearer …")
        if caller := self._callers.caller_of(proof):
            return await self._for_user(Speaker(caller), headers.get(Header.IDENTITY, ""))
        speaker = await self._tokens.speaker(proof) if self._tokens else None
        if speaker is None:
            raise _refused("the API key or token is not valid; ask whoever runs this gateway for a new one")
        return speaker

    async def _for_user(self, caller: Speaker, identity: str) -> Speaker:
        """The caller, speaking for the user that a second, signed token names."""
        if not identity:
            return caller
        vouched = await self._tokens.speaker(identity) if self._tokens else None
        if vouched is None:
            raise _refused(f"{Header.IDENTITY} is no valid token; send the user's own, or leave the header out")
        return replace(vouched, caller=caller.caller)


def _check_is_local(headers: Mapping[str, str]) -> None:
    """A browser on this machine sends what any page wants, to any name that leads here. Raises RequestRefusedError
    (403) unless the page and the name are this machine's, too."""
    if why := foreign((name.lower(), value) for name, value in headers.items()):
        words = f"{why}; without authentication this gateway answers to this machine alone: ask http://127.0.0.1, or "
        raise RequestRefusedError(403, f"{words}have it started with --callers", code="forbidden")


def _refused(message: str) -> RequestRefusedError:
    return RequestRefusedError(401, message, code="unauthorized", headers={"www-authenticate": "Bearer"})

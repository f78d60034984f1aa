"""Verifies signed tokens (JWT, RFC 7519) against the issuer's published keys (JWKS, RFC 7517)."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import jwt

from pitwall_gateway.callers.rule import TokenRule
from pitwall_gateway.values.errors import CallersError
from pitwall_gateway.values.speaker import Speaker

log = logging.getLogger(__name__)
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only: a published key must never be good for signing."""
FRESH_SECONDS: Final = 300.0
RETRY_SECONDS: Final = 10.0
"""The shortest time between two fetches: a token with an unknown key is anybody's to send."""
FETCH_SECONDS: Final = 5.0
LARGEST_KEYS: Final = 262_144
LONGEST_TOKEN: Final = 8_192
LONGEST_CLAIM: Final = 256
LEEWAY_SECONDS: Final = 30


class PublishedKeys:
    """An issuer's public keys, fetched anew every five minutes; while they cannot be had, the last ones serve."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id; None if the issuer publishes none such. Who comes while they are fetched waits for it."""
        if self._is_due(key_id) or (self._fetching.locked() and key_id not in self._keys):
            async with self._fetching:
                if self._is_due(key_id):
                    await self._renew()
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        now = self._clock()
        is_wanted = key_id not in self._keys or now - self._fetched > FRESH_SECONDS
        return is_wanted and now - self._tried > RETRY_SECONDS

    async def _renew(self) -> None:
        self._tried = self._clock()
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                found = _key_set(await _content(self._source))
        except (OSError, httpx.HTTPError, TimeoutError, jwt.PyJWTError, CallersError) as error:
            log.warning("keys of %s: %s; keeping the last ones", self._source, str(error) or type(error).__name__)
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id}
        self._fetched = self._clock()


def _key_set(content: bytes | str) -> jwt.PyJWKSet:
    """The keys in a JSON Web Key Set (RFC 7517). Raises CallersError, or PyJWTError where none of them is usable."""
    try:
        found = json.loads(content)
        return jwt.PyJWKSet.from_dict({"keys": [key for key in found["keys"] if isinstance(key, dict)]})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CallersError(f"this is no JSON Web Key Set: {str(error)[:200] or type(error).__name__}") from None


class Tokens:
    """Reads who speaks from a signed token."""

    def __init__(self, rule: TokenRule) -> None:
        self._rule = rule
        self._keys = PublishedKeys(rule.keys)

    async def speaker(self, token: str) -> Speaker | None:
        """Caller, user and session of a valid token; None for any other."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            key = await self._keys.key(str(jwt.get_unverified_header(token).get("kid", "")))
            return None if key is None else self._read(self._claims(token, key))
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            issuer=self._rule.issuer,
            audience=self._rule.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", self._rule.user_claim]},
        )

    def _read(self, claims: Mapping[str, Any]) -> Speaker | None:
        """None where a claim is no printable, bearably long text: nobody becomes nobody's user by a broken claim."""
        said = [claims.get(self._rule.caller_claim, self._rule.audience), claims.get(self._rule.user_claim, "")]
        said.append(claims.get(self._rule.session_claim, ""))
        caller, user, session = (one if _is_name(one) else None for one in said)
        if not caller or not user or session is None:
            return None
        return Speaker(caller, user, session)


def _is_name(claim: object) -> bool:
    return isinstance(claim, str) and len(claim) <= LONGEST_CLAIM and (claim.isprintable() or not claim)


async def _content(source: str) -> bytes:
    """What the file or the address holds, within the limit."""
    if "://" not in source:
        return await asyncio.to_thread(Path(source).read_bytes)
    async with (
        httpx.AsyncClient(trust_env=False, timeout=FETCH_SECONDS) as client,
        client.stream("GET", source) as response,
    ):
        response.raise_for_status()
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > LARGEST_KEYS:
                raise CallersError(f"more than {LARGEST_KEYS} bytes; a key set has a few thousand")
        return bytes(content)

"""Says what a request's token permits. Tokens are kept as SHA-256 digests only."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pitwall_flags.errors import TokenError

HASH_PREFIX: Final = "sha256:"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class TokenScope(StrEnum):
    """What a token is for. Each is separate: a write token cannot kill, a kill token cannot move a split."""

    EVALUATE = "evaluate"
    WRITE = "write"
    KILL = "kill"


VARIABLES: Final[Mapping[TokenScope, str]] = {
    scope: f"PITWALL_FLAGS_{scope.upper()}_TOKEN" for scope in TokenScope
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """The digest of each scope's token; no digest at all means that the service is open (and bound to loopback)."""

    digests: Mapping[TokenScope, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AccessTokens":
        """Tokens as configured: plain, or `sha256:` and the digest in hexadecimal. Raises TokenError."""
        given = {scope: environment.get(name, "") for scope, name in VARIABLES.items()}
        missing = [VARIABLES[scope] for scope, text in given.items() if not text]
        if missing and len(missing) < len(given):
            raise TokenError(f"{', '.join(missing)} must be set too: with tokens, every scope needs its own")
        digests = {scope: _digest_of(VARIABLES[scope], text) for scope, text in given.items() if text}
        if len(set(digests.values())) < len(digests):
            raise TokenError("the evaluate, write and kill tokens must differ")
        return cls(digests)

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        return not self.digests

    def scopes(self, token: str) -> frozenset[TokenScope]:
        """What this token may do. Every digest is compared, in constant time, whatever matches."""
        if self.is_open:
            return frozenset(TokenScope)
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return frozenset([scope for scope, known in self.digests.items() if hmac.compare_digest(digest, known)])


def token_of(headers: Mapping[str, str]) -> str:
    """The token of a request: `Authorization: Bearer …`, else `X-API-Key` (OFREP 0.3.0 allows both); else empty."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "").strip()


def _digest_of(variable: str, text: str) -> bytes:
    if text.startswith(HASH_PREFIX):
        if not _HASH.fullmatch(text):
            raise TokenError(f"{variable} must be sha256: and 64 lower-case hexadecimal digits")
        return bytes.fromhex(text.removeprefix(HASH_PREFIX))
    if len(text) < 16:
        raise TokenError(f"{variable} has {len(text)} characters; use at least 16, for example `openssl rand -hex 32`")
    return hashlib.sha256(text.encode()).digest()

"""Says what a request's token permits, and for which flags. Tokens are kept as SHA-256 digests only."""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import permutations
from pathlib import Path
from typing import Any, Final

from pitwall_crds.names import FLAG_KEY, main_flag
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


Roots = frozenset[str]
"""Which flags: a key and what belongs to it (`sampler.variant`), all that begin so (`search.`), or all (``)."""
ALL_FLAGS: Final[Roots] = frozenset({""})


def covers(roots: Roots, key: str) -> bool:
    """Whether a flag is among these."""
    main = main_flag(key)
    return any(not root or root in (key, main) or (root.endswith(".") and key.startswith(root)) for root in roots)


@dataclass(frozen=True, slots=True)
class FlagSetTokens:
    """The tokens of one flag set: which flags, and the digest of each scope that has a token."""

    roots: Roots
    digests: Mapping[TokenScope, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """The digest of each scope's token; no digest at all means that the service is open (and bound to loopback).

    Attributes:
        digests: tokens for all flags.
        sets: tokens for some of them.
    """

    digests: Mapping[TokenScope, bytes] = field(default_factory=dict, repr=False)
    sets: tuple[FlagSetTokens, ...] = field(default=(), repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], sets: Sequence[Path] = ()) -> "AccessTokens":
        """Tokens as configured: plain, or `sha256:` and the digest in hexadecimal; those of flag sets from files.

        Raises TokenError.
        """
        given = {scope: environment.get(name, "") for scope, name in VARIABLES.items()}
        missing = [VARIABLES[scope] for scope, text in given.items() if not text]
        if missing and (len(missing) < len(given) or sets):
            raise TokenError(f"{', '.join(missing)} must be set too: with tokens, every scope needs its own")
        digests = {scope: _digest_of(VARIABLES[scope], text) for scope, text in given.items() if text}
        found = tuple(_read_sets(sets))
        every = [*digests.values(), *(digest for one in found for digest in one.digests.values())]
        if len(set(every)) < len(every):
            raise TokenError("the evaluate, write and kill tokens must differ, those of every flag set too")
        return cls(digests, found)

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        return not self.digests

    def scopes(self, token: str) -> frozenset[TokenScope]:
        """What this token may do, with whichever flags."""
        return frozenset(scope for scope in TokenScope if self.roots(token, (scope,)))

    def roots(self, token: str, scopes: Collection[TokenScope]) -> Roots:
        """With which flags this token may do any of this. Every digest is compared, in constant time."""
        if self.is_open:
            return ALL_FLAGS
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found: set[str] = set()
        for one in (FlagSetTokens(ALL_FLAGS, self.digests), *self.sets):
            matching = [scope for scope, known in one.digests.items() if hmac.compare_digest(digest, known)]
            if not set(matching).isdisjoint(scopes):
                found |= one.roots
        return frozenset(found)


def _read_sets(paths: Sequence[Path]) -> Iterator[FlagSetTokens]:
    """`{"search": {"flags": ["search."], "evaluate": "sha256:…", "write": "…"}}`, each. Raises TokenError."""
    sets: dict[str, FlagSetTokens] = {}
    for path in paths:
        for name, one in _object(path).items():
            if name in sets:
                raise TokenError(f"{path}: another file has a flag set {name!r} too; give it another name")
            sets[name] = _flag_set(f"{path}: flag set {name!r}", one)
    for (name, one), (other, two) in permutations(sets.items(), 2):
        shared = [root for root in two.roots if covers(one.roots, root)]
        if shared and TokenScope.WRITE in one.digests and TokenScope.WRITE in two.digests:
            raise TokenError(f"the flag sets {name!r} and {other!r} may both write {shared[0]!r}; keep them apart")
    yield from sets.values()


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TokenError(f"the flag sets of {path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise TokenError(f"{path} must hold an object of flag sets by name")
    return content


def _flag_set(where: str, content: Any) -> FlagSetTokens:
    known = {"flags", *TokenScope}
    if not isinstance(content, dict) or not set(content) <= known:
        raise TokenError(f"{where} must hold flags and any of {', '.join(TokenScope)}")
    roots = content.get("flags")
    if not isinstance(roots, list) or not roots:
        raise TokenError(f'{where}: flags must list keys, or what keys begin with, such as "search."')
    for root in roots:
        if not isinstance(root, str) or not re.fullmatch(FLAG_KEY, root):
            raise TokenError(f"{where}: {root!r} is no flag key, nor what one begins with")
    texts = {scope: content[scope] for scope in TokenScope if scope in content}
    if not texts or not all(isinstance(text, str) for text in texts.values()):
        raise TokenError(f"{where} has no token: give any of {', '.join(TokenScope)}, each as text")
    return FlagSetTokens(
        frozenset(roots), {scope: _digest_of(f"{where}, {scope}", text) for scope, text in texts.items()}
    )


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


def holder_of(token: str) -> str:
    """Who holds a token, as it may be remembered: each token's connections count for themselves."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()

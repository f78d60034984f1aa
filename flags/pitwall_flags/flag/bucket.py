"""Computes a user's bucket from a salt and the targeting key, the same in every flagd evaluator.

Evaluators hash different bytes: flagd-core 2.0 for Python hashes the canonical CBOR of the bucketing value,
Go's and JavaScript's hash its UTF-8 text (docs/decisions/0004-one-bucket-in-every-language.md). CBOR is the text with a
length in front; so a text of constant length, with that header written out where the evaluator does not add it, gives
both the same bytes.
"""

from typing import Final

import mmh3

TEXT_LENGTH: Final = 126
"""Characters that are hashed: the longest whose CBOR header (0x78, length) is printable ASCII."""

CBOR_HEADER: Final = "x~"
"""0x78 (text string, one byte of length), 0x7e (126)."""

PADDING: Final = "."
SEPARATOR: Final = "|"

PROBE: Final = "pitwall"
"""The murmur3 hash of this word has its top bit clear as text and set as CBOR: it tells the evaluators apart."""


def prefix(salt: str) -> str:
    """What stands before the targeting key: padding, salt and separator, TEXT_LENGTH characters together."""
    return (salt + SEPARATOR).rjust(TEXT_LENGTH, PADDING)


def salt_of(text: str) -> str | None:
    """The salt that made this prefix, or None when it is no prefix."""
    salt = text.lstrip(PADDING).removesuffix(SEPARATOR)
    return salt if salt and prefix(salt) == text else None


def bucket(text_prefix: str, targeting_key: str, total: int) -> int:
    """The bucket in [0, total) of a key: `(murmur3_x86_32(bytes) * total) >> 32`, as flagd's `fractional` has it."""
    text = (text_prefix + targeting_key)[-TEXT_LENGTH:].encode("utf-8", "surrogatepass")
    return (mmh3.hash(_header(len(text)) + text, 0, False) * total) >> 32


def _header(length: int) -> bytes:
    """CBOR's header of a text string of this many bytes (RFC 8949, major type 3); more than 126 only beyond ASCII."""
    if length < 256:
        return bytes((0x78, length))
    return bytes((0x79, length >> 8, length & 0xFF))

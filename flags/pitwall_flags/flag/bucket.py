"""Computes a user's bucket from a salt and the targeting key, the same in every flagd evaluator.

Evaluators hash different bytes: flagd-core 2.0 for Python hashes the canonical CBOR of the bucketing value,
Go's and JavaScript's hash its UTF-8 text (docs/decisions/0004-one-bucket-in-every-language.md). CBOR is the text with a
length in front; so a text of constant length, with that header written out where the evaluator does not add it, gives
both the same bytes. Keys that leave no room for a salt get a longer text, so that no key hides salt or beginning.
"""

from typing import Final

import mmh3

TEXT_LENGTH: Final = 126
"""Characters that are hashed: the longest whose CBOR header (0x78, length) is printable ASCII."""

CBOR_HEADER: Final = "x~"
"""0x78 (text string, one byte of length), 0x7e (126)."""

SHORT_KEY: Final = 61
"""The longest key that fits into this text beside any salt of at most 64 characters and the separator."""

NO_CHARACTER: Final = "\x01"
"""Stands at the place of a character that a key does not have; not every evaluator reads beyond a text's end."""

LONG_TEXT_LENGTH: Final = 1150
"""Characters that are hashed of a longer key: its CBOR header (0x79, two bytes of length) is ASCII again."""

LONG_CBOR_HEADER: Final = "y\x04~"
"""0x79 (text string, two bytes of length), 0x047e (1150)."""

PADDING: Final = "."
SEPARATOR: Final = "|"

LONG_END: Final = SEPARATOR.ljust(LONG_TEXT_LENGTH - TEXT_LENGTH - SHORT_KEY, PADDING)
"""What stands behind a long key: it ends the key and fills the text."""

PROBE: Final = "pitwall"
"""The murmur3 hash of this word has its top bit clear as text and set as CBOR: it tells the evaluators apart."""


def prefix(salt: str) -> str:
    """What stands before the targeting key: padding, salt and separator, TEXT_LENGTH characters together."""
    return (salt + SEPARATOR).rjust(TEXT_LENGTH, PADDING)


def salt_of(text: str) -> str | None:
    """The salt that made this prefix, or None when it is no prefix."""
    salt = text.lstrip(PADDING).removesuffix(SEPARATOR)
    return salt if salt and prefix(salt) == text else None


def is_long(targeting_key: str) -> bool:
    """Whether the key has a character behind the longest short one, as a document asks it."""
    return targeting_key[SHORT_KEY : SHORT_KEY + 1] not in ("", NO_CHARACTER)


def hashed_text(text_prefix: str, targeting_key: str) -> str:
    """What is hashed of a key: salt and key, whole up to 1023 characters of the key."""
    if not is_long(targeting_key):
        return (text_prefix + targeting_key)[-TEXT_LENGTH:]
    return (text_prefix + targeting_key + LONG_END)[:LONG_TEXT_LENGTH]


def bucket(text_prefix: str, targeting_key: str, total: int) -> int:
    """The bucket in [0, total) of a key: `(murmur3_x86_32(bytes) * total) >> 32`, as flagd's `fractional` has it."""
    text = hashed_text(text_prefix, targeting_key).encode("utf-8", "surrogatepass")
    return (mmh3.hash(_header(len(text)) + text, 0, False) * total) >> 32


def _header(length: int) -> bytes:
    """CBOR's header of a text string of this many bytes (RFC 8949, major type 3); more than 126 only beyond ASCII."""
    if length < 256:
        return bytes((0x78, length))
    return bytes((0x79, length >> 8, length & 0xFF))

"""Makes the ids of answers, bound to who got them: nobody else can say what they think of the answer."""

import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "ans-"
_NONCE_BYTES: Final = 12
_MARK_BYTES: Final = 12


class AnswerIds:
    """Ids that hold an HMAC-SHA-256 (RFC 2104) of who got the answer (caller, vouched user and session), by a key
    that lives as long as the process."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)

    def new(self, holder: str) -> str:
        """An id for an answer that this caller gets in this session."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        return f"{PREFIX}{nonce}{self._mark(nonce, holder)}"

    def belongs(self, answer_id: str, holder: str) -> bool:
        """Whether this caller got the answer in this session."""
        said = answer_id.removeprefix(PREFIX)
        nonce, mark = said[: 2 * _NONCE_BYTES], said[2 * _NONCE_BYTES :]
        return hmac.compare_digest(mark.encode(), self._mark(nonce, holder).encode())

    def _mark(self, nonce: str, holder: str) -> str:
        digest = hmac.new(self._key, f"{nonce}|{holder}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return digest.hexdigest()[: 2 * _MARK_BYTES]

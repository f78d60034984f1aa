"""What is asked of callers before they may ask: the settings of authentication."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

POD_QUESTIONS: Final = 32
"""As many wait at one pod before it refuses more, unless runtimes are told otherwise."""
FEW_QUESTIONS: Final = 4
"""As many any caller may have under way, however small its share."""


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """How much one caller may ask, and one user of theirs at once; 0 is no limit. `share` is the largest part of an
    arm's trials that may be theirs."""

    requests_per_second: float = 0.0
    questions_per_day: int = 0
    questions_at_once: int = 0
    user_questions_at_once: int = 0
    share: float = 1.0

    @property
    def most_at_once(self) -> int:
        """Questions that may be under way; 0 is no limit. A caller that has a share has it of a pod's queue, too: else
        it could have others refused there, and let their failures speak against a variant."""
        if self.share >= 1:
            return self.questions_at_once
        part = max(FEW_QUESTIONS, int(self.share * POD_QUESTIONS))
        return min(part, self.questions_at_once or part)


class VideoAccess(StrEnum):
    """Who sees the videos that are prepared before anybody asks; `off` takes none."""

    OWN = "own"
    """Who sent it: the caller, and the user where a token vouches for one."""
    SHARED = "shared"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Whose signed tokens (JWT) are taken. `keys` is a JWKS file or URL; no keys, no tokens.

    Attributes:
        caller_claim: says which application asks; a token without it is its audience's.
        user_claim: says for which user.
        session_claim: says for which session; may be missing.
    """

    keys: str = ""
    issuer: str = ""
    audience: str = ""
    caller_claim: str = "azp"
    user_claim: str = "sub"
    session_claim: str = "sid"


@dataclass(frozen=True, slots=True)
class CallerRule:
    """How callers prove who they are. With neither file nor tokens everybody may ask, which is for one machine only."""

    file: Path | None = None
    tokens: TokenRule = field(default_factory=TokenRule)
    limits: CallerLimits = field(default_factory=CallerLimits)

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self.file is None and not self.tokens.keys

    def access(self, wished: VideoAccess) -> VideoAccess:
        """Who sees videos: everybody is one where nobody is asked who they are, whatever a caller is called."""
        return VideoAccess.SHARED if self.is_open and wished is VideoAccess.OWN else wished

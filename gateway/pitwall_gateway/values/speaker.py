"""Who speaks: the authenticated caller, and the user and session that a token vouches for."""

import hashlib
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Party:
    """Whose question, and so whose trial: the caller, and the person told from those of other callers, or empty; `name`
    is what an arm is drawn by, the same through all callers."""

    caller: str = ""
    person: str = ""
    name: str = field(default="", compare=False)

    def digests(self) -> str:
        """The caller's and the person's, with a dot between: runtimes tell parties apart, and need no names."""
        return f"{_digest(self.caller)[:16]}.{_digest(self.person)[:16] if self.person else ''}"


NOBODY: Final = Party()


@dataclass(frozen=True, slots=True)
class Speaker:
    """`caller` is an application; `user` and `session` stand in a signed token, and are empty where the caller's own
    word counts. A vouched user's sessions are theirs alone."""

    caller: str
    user: str = ""
    session: str = ""

    def party(self, user: str) -> Party:
        """This caller with this user; an empty one is nobody."""
        return Party(self.caller, repr((self.caller, user)) if user else "", user)

    def owner(self) -> str:
        """Whose the videos are that this speaker sends: a digest, since runtimes need no names."""
        return _digest(repr((self.caller, self.user)))[:32]

    def holder(self, session: str) -> str:
        """Who got an answer in this session, which may be empty: caller and vouched user are always told apart."""
        return repr((self.caller, self.user, session))

    def visit(self, session: str) -> str:
        """A session's name among those of all callers and vouched users; empty for none."""
        return repr((self.caller, self.user, session)) if session else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


LOCAL: Final = Speaker("local")
"""Everybody, where nobody is asked who they are."""

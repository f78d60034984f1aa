"""Sees which variants other flags of a namespace send users to: their pods must neither change nor go under them; and
how many flags its rollouts made.

Every turn asks, and nearly always no flag was written since: each document is read once, and of an index of all flags
a turn takes the few variants that it is about.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pitwall_crds.names import main_flag
from pitwall_crds.rollout.rollout import Rollout
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import owner_of, served_by
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.values.observation import Unseen

Sends = tuple[FlagRecord, frozenset[tuple[str, str]], str]
"""A flag, the variants to which it sends anybody, by namespace and name, and the namespace whose Rollout made it."""


class Elsewhere:
    """What all flags said when they were listed last."""

    def __init__(self) -> None:
        self._listed: Sequence[FlagRecord] = ()
        self._read: dict[str, Sends] = {}
        self._flags_of: dict[tuple[str, str], list[str]] = {}
        self._made: Counter[str] = Counter()

    async def see(self, flags: FlagClient, rollout: Rollout, names: Iterable[str]) -> Mapping[str, str] | Unseen:
        """Those of the variants to which other flags of this namespace send users or copies, and by which flag.

        Whose a flag is, it says itself, whatever begins how by now: a prefix that was bound to somebody else since
        moves none of its users.
        """
        try:
            listed = await flags.list()
        except (FlagsUnreachableError, FlagRejectedError) as error:
            return Unseen(str(error))
        self._learn(listed)
        own, namespace = rollout.spec.flag, rollout.metadata.namespace
        seen: dict[str, str] = {}
        for name in names:
            known = self._flags_of.get((namespace, name), ())
            others = (key for key in known if own not in (key, main_flag(key)))
            if (first := next(others, None)) is not None:
                seen[name] = first
        return seen

    async def full(self, flags: FlagClient, prefixes: FlagPrefixes, namespace: str, flag: str) -> str:
        """Why this namespace may not have one more flag; empty if it may.

        Raises FlagsUnreachableError or FlagRejectedError.
        """
        if not prefixes.most:
            return ""
        self._learn(await flags.list())
        return prefixes.full(namespace, self._made[namespace], flag)

    def _learn(self, listed: Sequence[FlagRecord]) -> None:
        if listed is self._listed:
            return
        self._read = {flag.key: self._sends(flag) for flag in listed}
        self._listed, self._flags_of = listed, {}
        self._made = Counter(namespace for _, _, namespace in self._read.values() if namespace)
        for flag, variants, _ in self._read.values():
            for variant in variants:
                self._flags_of.setdefault(variant, []).append(flag.key)

    def _sends(self, flag: FlagRecord) -> Sends:
        known = self._read.get(flag.key)
        if known is not None and (known[0] is flag or known[0] == flag):
            return known
        owner = owner_of(flag.document)
        return flag, served_by(flag.document), owner[0] if owner else ""

"""Sees which variants other flags of a namespace send users to: their pods must neither change nor go under them."""

from collections.abc import Mapping

from pitwall_crds.names import main_flag
from pitwall_crds.rollout import Rollout
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.document import owner_of, read_split
from pitwall_operator.values.observation import Unseen


async def see_elsewhere(flags: FlagClient, rollout: Rollout) -> Mapping[str, str] | Unseen:
    """Variants to which other flags of this namespace send users or copies, and by which flag.

    Whose a flag is, it says itself, whatever begins how by now: a prefix that was bound to somebody else since moves
    none of its users.
    """
    own, namespace = rollout.spec.flag, rollout.metadata.namespace
    try:
        known = await flags.list()
    except (FlagsUnreachableError, FlagRejectedError) as error:
        return Unseen(str(error))
    seen: dict[str, str] = {}
    for flag in known:
        owner = owner_of(flag.document)
        if owner is None or owner[0] != namespace or own in (flag.key, main_flag(flag.key)):
            continue
        split = read_split(flag.document)
        seen |= {share.variant: flag.key for share in split.shares if share.weight} if split else {}
    seen.pop("", None)  # copies that go nowhere
    return seen

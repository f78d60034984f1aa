"""Which variants other flags of the namespace send users to, as a turn sees them."""

import pytest

from pitwall_crds.names import experiment_flag, shadow_flag
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_flags.flag.document import OWNER, ArmShare, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.turn.elsewhere import Elsewhere
from pitwall_operator.values.observation import Unseen

HALF = split_document([ArmShare("candidate", "b", 5000), ArmShare("stable", "a", 5000)], salt="s")
ALL = split_document([ArmShare("control", "b", 0), ArmShare("stable", "a", 10_000)], salt="s")
OWN, FORMER = "sampler.variant", "former.variant"


class Listed:
    """Flags that are as they are, each of the Rollout that is said."""

    def __init__(self, *flags):
        self.flags = flags

    async def list(self):
        return tuple(
            FlagRecord(key, {**document, "metadata": {OWNER: owner} if owner else {}}, 1)
            for key, document, owner in self.flags
        )


@pytest.mark.parametrize(
    ("key", "document", "owner", "found"),
    [
        pytest.param(FORMER, HALF, "default/gone", {"a", "b"}, id="users on both halves"),
        pytest.param(FORMER, ALL, "default/sampler", {"a"}, id="an arm without users; the same Rollout's former flag"),
        pytest.param(shadow_flag(FORMER), shadow_document("c", 5, salt="s"), "default/gone", {"c"}, id="copies"),
        pytest.param(shadow_flag(FORMER), shadow_document("c", 0, salt="s"), "default/gone", set(), id="no copies"),
        pytest.param(OWN, HALF, "default/sampler", set(), id="its own flag"),
        pytest.param(shadow_flag(OWN), shadow_document("c", 5, salt="s"), "default/sampler", set(), id="its copies"),
        pytest.param(experiment_flag(OWN, "c"), shadow_document("c", 5, salt="s"), "default/x", set(), id="experiment"),
        pytest.param(FORMER, HALF, "other/sampler", set(), id="of another namespace"),
        pytest.param(FORMER, HALF, "", set(), id="no rollout's"),
        pytest.param(FORMER, {"state": "ENABLED", "variants": {"on": True}}, "default/gone", set(), id="no split"),
    ],
)
async def test_whom_other_flags_of_the_namespace_send_users_to_is_seen(world, key, document, owner, found):
    metadata = world.rollout.metadata.model_copy(update={"namespace": "default"})
    world.want(flag=OWN)
    rollout, flags = world.rollout.model_copy(update={"metadata": metadata}), Listed((key, document, owner))

    assert await Elsewhere().see(flags, rollout, "abcd") == dict.fromkeys(found, key)
    assert await Elsewhere().see(flags, rollout, "d") == {}, "nothing that the turn is not about"


async def test_what_is_written_later_is_seen_and_what_is_deleted_is_not(world):
    namespace, elsewhere = world.rollout.metadata.namespace, Elsewhere()
    seen = []
    for flags in ((), (ALL,), (HALF,), (HALF,), (HALF, ALL), ()):
        listed = Listed(*((f"{number}.{FORMER}", one, f"{namespace}/gone") for number, one in enumerate(flags)))
        seen.append(await elsewhere.see(listed, world.rollout, "ab"))

    first = f"0.{FORMER}"
    assert seen == [{}, {"a": first}, *[{"a": first, "b": first}] * 3, {}]


async def test_flags_that_cannot_be_listed_are_unseen_and_not_none(world):
    class Unlisted:
        async def list(self):
            raise FlagsUnreachableError("no answer")

    assert await Elsewhere().see(Unlisted(), world.rollout, "ab") == Unseen("no answer")

"""Effects are done one by one; one that fails is told and keeps none of the others from being done."""

from dataclasses import replace

import httpx
import pytest

from pitwall_crds.names import Arm, EventReason, Pool
from pitwall_flags.client import FlagClient
from pitwall_flags.flag.document import OWNER, ArmShare, read_split, shadow_document, split_document
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.turn.elsewhere import Elsewhere
from pitwall_operator.turn.perform import EffectPorts, perform
from pitwall_operator.turn.turn import see_split
from pitwall_operator.values.effects import Announce, DrainVariant, RunVariant, SetShadow, SetSplit
from pitwall_operator.values.errors import KubeConflictError, KubeUnreachableError
from pitwall_operator.values.observation import Share

RUN = RunVariant("aks-v1", "r1", Pool.MAIN, 2)
DRAIN = DrainVariant("aks-v1", Pool.CONTROL)
SPLIT = SetSplit("f", (Share(Arm.CANDIDATE, "aks-v1", 100), Share(Arm.STABLE, "uniform-v1", 9900)), "salt", "stage 1%")
SHADOW = SetShadow("f.shadow", "aks-v1", 5, "salt", "")
TELL = Announce(EventReason.PROMOTED, "aks-v1 serves everybody")


@pytest.fixture
async def ports(flags, recorded):
    client = FlagClient("http://flags", transport=httpx.MockTransport(flags))
    yield EffectPorts(client, recorded, recorded, {("aks-v1", "r1"): "the spec"}, owner="shop/sampler")
    await client.close()


async def test_each_effect_reaches_its_port_in_order(ports, recorded, flags):
    assert await perform([RUN, SPLIT, SHADOW, DRAIN, TELL], ports) == ()

    assert recorded.done == [("run", "the spec", "r1", Pool.MAIN, 2), ("drain", "aks-v1", Pool.CONTROL), TELL]
    split = read_split(flags.known["f"]["document"])
    assert [(share.arm, share.variant, share.weight) for share in split.shares] == [
        ("candidate", "aks-v1", 100), ("stable", "uniform-v1", 9900),
    ]  # fmt: skip
    assert flags.known["f.shadow"]["document"]["metadata"] == {OWNER: "shop/sampler"}


async def test_what_a_candidate_may_answer_for_stable_is_written_read_back_and_taken_back(ports, flags):
    permitted = replace(SPLIT, candidate_fallback=4)
    seen = []
    for effect in (permitted, SPLIT):
        await perform([effect], ports)
        seen.append(await see_split(ports.flags, "f"))

    assert [(split.candidate_fallback, split.shares) for split in seen] == [(4, SPLIT.shares), (0, SPLIT.shares)]
    assert flags.known["f"]["document"]["metadata"] == {OWNER: "shop/sampler"}


async def test_doing_an_effect_twice_is_doing_it_once(ports, flags):
    await perform([SPLIT], ports)
    first = flags.known["f"]["document"]
    await perform([SPLIT], ports)

    assert flags.known["f"]["document"] == first


async def test_nothing_to_do_is_nothing_done(ports, recorded):
    assert await perform([], ports) == ()
    assert recorded.done == []


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param(KubeUnreachableError("no answer"), "no answer", id="the platform is away"),
        pytest.param(KubeConflictError("changed meanwhile"), "changed meanwhile", id="a conflict"),
        pytest.param(OSError("disk full"), "disk full", id="the disk is full"),
    ],
)
async def test_a_platform_that_fails_keeps_no_other_effect_from_being_done(ports, recorded, trouble, words):
    recorded.trouble = trouble
    [failure] = await perform([RUN, DRAIN, TELL], ports)

    assert str(failure) == f"run 2 main replica(s) of aks-v1: {words}"
    assert recorded.done == [("drain", "aks-v1", Pool.CONTROL), TELL]


@pytest.mark.parametrize("status", [400, 401, 412])
async def test_a_flag_service_that_refuses_keeps_no_other_effect_from_being_done(ports, recorded, flags, status):
    flags.status = status
    failures = await perform([SPLIT, RUN, TELL], ports)

    assert [failure.effect for failure in failures] == [SPLIT]
    assert f"answer {status}" in failures[0].reason
    assert len(recorded.done) == 2


async def test_a_spec_that_nobody_kept_is_told_with_the_remedy(ports):
    [failure] = await perform([RunVariant("dpp-v1", "r9", Pool.MAIN, 1)], ports)

    assert failure.reason == "the spec of 'dpp-v1' at revision r9 is not kept any more; apply that spec again"


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (RUN, "run 2 main replica(s) of aks-v1"),
        (DRAIN, "drain aks-v1 (control)"),
        (SPLIT, "split f: candidate aks-v1 1%, stable uniform-v1 99%"),
        (SHADOW, "shadow f.shadow: 5% to aks-v1"),
        (SetShadow("f.shadow", "", 0, "s", ""), "shadow f.shadow: 0% to nobody"),
        (TELL, "Promoted: aks-v1 serves everybody"),
    ],
)
def test_effects_read_as_sentences(effect, words):
    assert str(effect) == words


@pytest.mark.parametrize("effect", [SPLIT, SHADOW], ids=["split", "shadow"])
async def test_a_flag_of_another_namespace_is_not_written_though_everything_else_is_done(
    ports, flags, recorded, effect
):
    await perform([effect], replace(ports, owner="other/sampler"))
    theirs = dict(flags.known[effect.flag])

    [failure] = await perform([effect, RUN], ports)

    assert "belongs to Rollout other/sampler of another namespace" in str(failure)
    assert flags.known[effect.flag] == theirs
    assert len(recorded.done) == 1


PEOPLES = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
ALIKE = shadow_document("theirs", 5, salt="s")


@pytest.mark.parametrize(
    ("effect", "document"),
    [
        pytest.param(SPLIT, PEOPLES, id="in place of the flag"),
        pytest.param(SHADOW, PEOPLES, id="in place of the candidate's copies"),
        pytest.param(replace(SHADOW, flag="f.experiment.v3"), PEOPLES, id="in place of an experiment's"),
        pytest.param(SHADOW, ALIKE, id="in place of the copies, and written as those are"),
        pytest.param(replace(SHADOW, percent=0, variant=""), ALIKE, id="and the copies shall end"),
    ],
)
async def test_a_flag_that_people_made_is_not_written_though_everything_else_is_done(
    ports, flags, recorded, effect, document
):
    theirs = {"key": effect.flag, "version": 3, "killed": False, "document": document}
    flags.known[effect.flag] = dict(theirs)

    [failure] = await perform([effect, RUN], ports)

    assert f"the flag {effect.flag!r} exists and is no rollout's" in str(failure)
    assert "have the flag deleted" in str(failure)
    assert flags.known[effect.flag] == theirs
    assert len(recorded.done) == 1


@pytest.mark.parametrize(
    ("document", "has_flag"),
    [
        pytest.param(split_document([ArmShare("stable", "uniform-v1", 10_000)], salt="s"), False, id="a split"),
        pytest.param(PEOPLES, True, id="changed by a person while the split was in force"),
    ],
)
async def test_a_flag_without_an_owner_that_is_a_split_or_was_one_is_taken(ports, flags, document, has_flag):
    flags.known["f"] = {"key": "f", "version": 3, "killed": False, "document": document}

    assert await perform([SPLIT], replace(ports, has_flag=has_flag)) == ()
    assert flags.known["f"]["document"]["metadata"] == {OWNER: "shop/sampler"}


async def test_a_flag_that_claims_a_namespace_which_may_not_have_it_is_its_own_namespaces(ports, flags):
    await perform([SPLIT, SHADOW], replace(ports, owner="other/sampler"))
    prefixes = FlagPrefixes({"shop": ("f",)})

    assert await perform([SPLIT, SHADOW], replace(ports, prefixes=prefixes)) == ()
    assert flags.known["f"]["document"]["metadata"] == {OWNER: "shop/sampler"}


async def test_a_flag_of_an_earlier_rollout_of_the_namespace_is_taken_over(ports, flags):
    await perform([SPLIT], replace(ports, owner="shop/earlier"))

    assert await perform([SPLIT], ports) == ()
    assert flags.known["f"]["document"]["metadata"] == {OWNER: "shop/sampler"}


@pytest.mark.parametrize(
    ("made", "has_flag", "written"),
    [
        pytest.param(1, False, {"f", "f.shadow"}, id="room for both"),
        pytest.param(2, False, {"f"}, id="room for one"),
        pytest.param(3, False, set(), id="none"),
        pytest.param(3, True, {"f"}, id="its own flag, which somebody removed under it, is made again"),
    ],
)
async def test_no_more_flags_are_made_than_a_namespace_may_have(ports, flags, made, has_flag, written):
    for number in range(made):
        await perform([replace(SPLIT, flag=f"old-{number}")], replace(ports, owner=f"shop/old-{number}"))
    await perform([replace(SPLIT, flag="others")], replace(ports, owner="other/sampler"))
    full = replace(ports, prefixes=FlagPrefixes(most=3), has_flag=has_flag, elsewhere=Elsewhere())

    failures = await perform([SPLIT, SHADOW, TELL], full)

    assert {key for key in flags.known if key.startswith("f")} == written
    assert len(failures) == 2 - len(written)
    assert all("flags, and the limit is 3" in str(failure) for failure in failures)


async def test_what_there_is_can_always_be_written(ports, flags):
    await perform([SPLIT, SHADOW], ports)

    assert await perform([SPLIT, SHADOW], replace(ports, prefixes=FlagPrefixes(most=1))) == ()
    assert flags.known["f.shadow"]["version"] == 2

"""One turn: what cannot be recorded is not decided, and the status says why."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pitwall_crds.names import Arm, EventReason, Pool
from pitwall_crds.reading.load import load_file, revision_of
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase, RolloutStatus, Verdict
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_flags.flag.document import OWNER, ArmShare, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.decision.decide import decide
from pitwall_operator.decision.permission.ownership import FlagPrefixes, claim_of
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.turn.turn import TurnPorts, observe, see_variants, tell_unrecorded, turn
from pitwall_operator.values.effects import Announce
from pitwall_operator.values.errors import KubeRefusedError
from pitwall_operator.values.observation import PoolSeen, Unseen

EXAMPLES = Path(__file__).parents[3] / "examples"
NOW = "2027-01-01T00:00:00Z"
DOWN = "POST /v1/journal failed 4 times; is the flag service up?"


class Kept:
    """A memory that keeps the last status."""

    def __init__(self):
        self.status = None

    async def write_status(self, resource, status):
        self.status = status

    async def append(self, rollout, new):
        raise FlagsUnreachableError(DOWN)

    async def recorded(self, namespace, name):
        for line in ():
            yield line


@pytest.fixture
def measured(world):
    """A canary whose next turn closes a block."""
    world.apply("rollout-aks.yaml")
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, world.good_block)
    world.turn(3.0)
    world.good_block()
    world.now += 3.0
    assert list(evidence_lines(world.rollout, decide(world.rollout, world.seen())))
    return world


async def test_a_block_that_cannot_be_recorded_leaves_the_evidence_and_is_said_in_the_status(measured):
    memory, before = Kept(), measured.status

    await tell_unrecorded(measured.rollout, memory, DOWN, now=measured.now)

    assert DOWN in memory.status.reason
    assert memory.status.verdict is Verdict.UNMEASURED
    assert memory.status.last_block_time == before.last_block_time
    assert [gate.evidence for gate in memory.status.gates] == [gate.evidence for gate in before.gates]
    assert (memory.status.phase, memory.status.stage_index) == (Phase.CANARY, before.stage_index)


async def test_a_run_that_cannot_be_recorded_does_not_begin_and_is_not_ready(world):
    memory = Kept()
    world.apply("rollout-aks.yaml")

    await tell_unrecorded(world.rollout, memory, DOWN, now=world.now)

    assert memory.status.phase is Phase.STABLE
    assert memory.status.run_id == world.status.run_id
    ready = next(one for one in memory.status.conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "Waiting")
    assert DOWN in ready.message


def test_a_deleted_variant_that_serves_on_is_not_scaled():
    """Its spec, which said how many replicas it needs, is gone; so many as it has are right."""
    left = {"uniform-v1": {Pool.MAIN: PoolSeen("r1", desired=4, ready=4)}}

    assert see_variants((), left)["uniform-v1"].full_replicas == 4


class Empty:
    """A platform without pools."""

    async def pools(self):
        return {}


class KeptFlags:
    """Flags that are as they are."""

    def __init__(self, **documents):
        self.documents = documents

    async def get(self, key):
        document = self.documents.get(key)
        return FlagRecord(key, document, 3) if document is not None else None

    async def list(self):
        return tuple(FlagRecord(key, document, 3) for key, document in self.documents.items())


def owned_by(owner: str) -> dict[str, object]:
    return {**split_document([ArmShare("stable", "uniform-v1", 10_000)], salt="s"), "metadata": {OWNER: owner}}


UNKNOWN_ARM = json.loads(json.dumps(owned_by("")).replace('"stable"', '"foo"'))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(None, "", id="no flag yet"),
        pytest.param(owned_by("default/gone"), "", id="left behind in the same namespace"),
        pytest.param(owned_by("other/gone"), "belongs to Rollout other/gone of another namespace", id="another's"),
        pytest.param({"state": "ENABLED", "variants": {"on": True}}, "is no rollout's", id="somebody's own flag"),
        pytest.param(UNKNOWN_ARM, "is no rollout's", id="a split with an arm that there is not"),
        pytest.param(shadow_document("aks-v1", 5, salt="s"), "is no rollout's", id="copies where a split must be"),
    ],
)
async def test_a_rollout_applied_anew_takes_no_flag_of_another_namespace(world, document, words):
    """The owner is in the flag, so it is the same whether the Rollout that made it still exists."""
    world.apply("rollout-aks.yaml")
    fresh = world.rollout.model_copy(update={"status": RolloutStatus()})
    flags = KeptFlags(**({fresh.spec.flag: document} if document else {}))
    ports = TurnPorts(flags, Empty(), None, Kept())

    seen = await observe(fresh, [], ports, Unseen("nothing"))

    assert words in seen.refused
    assert bool(seen.refused) == bool(words)
    if words:
        assert decide(fresh, seen).effects == ()


@pytest.mark.parametrize(
    "prefix",
    [pytest.param("sampler.", id="the flag's own"), pytest.param("sampler.variant.", id="that of its copies' flags")],
)
async def test_a_flag_with_another_namespaces_prefix_is_refused_before_anything_is_read(world, prefix):
    world.apply("rollout-aks.yaml")
    prefixes = FlagPrefixes({"search": (prefix,)})
    ports = TurnPorts(KeptFlags(), Empty(), None, Kept(), prefixes=prefixes)

    seen = await observe(world.rollout, [], ports, Unseen("nothing"))

    assert "is of namespace 'search'" in seen.refused


@pytest.mark.parametrize(
    ("owner", "prefixes", "words"),
    [
        pytest.param("default/gone", {}, "", id="the flag is of this namespace"),
        pytest.param("", {"default": ("sampler.",)}, "", id="its prefix is"),
        pytest.param("", {}, "already moved by Rollout evil/squat", id="nobody's yet"),
    ],
)
async def test_who_names_anothers_flag_first_keeps_nobody_from_it(world, owner, prefixes, words):
    """An older Rollout of another namespace that may not move the flag itself, as where its own was deleted to be
    applied anew."""
    world.apply("rollout-aks.yaml")
    metadata = world.rollout.metadata.model_copy(update={"namespace": "default", "creation_timestamp": NOW})
    anew = world.rollout.model_copy(update={"status": RolloutStatus(), "metadata": metadata})
    squat = replace(claim_of(anew), namespace="evil", name="squat", born="2026-01-01T00:00:00Z")
    flags = KeptFlags(**({anew.spec.flag: owned_by(owner)} if owner else {}))
    ports = TurnPorts(flags, Empty(), None, Kept(), prefixes=FlagPrefixes(prefixes))

    seen = await observe(anew, [], ports, Unseen("nothing"), [squat])
    assert (words in seen.refused, bool(seen.refused)) == (True, bool(words))


@pytest.mark.parametrize(
    ("others", "most", "refused"),
    [
        pytest.param({"a": "default/gone", "a.shadow": "default/gone"}, 2, True, id="as many as there may be"),
        pytest.param({"a": "default/gone", "a.shadow": "default/gone"}, 3, False, id="one fewer"),
        pytest.param({"a": "default/gone", "a.shadow": "default/gone"}, 0, False, id="no bound"),
        pytest.param({"a": "evil/x", "b": "evil/y", "c": "evil/z"}, 2, False, id="another namespace's count for it"),
        pytest.param({"a": "", "b": "", "c": ""}, 2, False, id="what no rollout made counts for nobody"),
        pytest.param({"a": "default/gone", "own": "default/gone"}, 2, False, id="a flag that there is"),
    ],
)
async def test_a_namespace_whose_rollouts_made_many_flags_has_no_new_one(world, others, most, refused):
    world.apply("rollout-aks.yaml")
    metadata = world.rollout.metadata.model_copy(update={"namespace": "default"})
    fresh = world.rollout.model_copy(update={"status": RolloutStatus(), "metadata": metadata})
    flags = KeptFlags(**{fresh.spec.flag if key == "own" else key: owned_by(owner) for key, owner in others.items()})
    ports = TurnPorts(flags, Empty(), None, Kept(), prefixes=FlagPrefixes(most=most))

    seen = await observe(fresh, [], ports, Unseen("nothing"))

    assert bool(seen.refused) == refused
    if refused:
        assert "the rollouts of namespace 'default' made 2 flags, and the limit is 2" in seen.refused
        assert decide(fresh, seen).effects == ()


async def test_a_rollout_under_way_goes_on_where_its_namespace_is_full(world):
    world.to_canary()
    namespace = world.rollout.metadata.namespace
    flags = KeptFlags(a=owned_by(f"{namespace}/gone"), b=owned_by(f"{namespace}/gone"))
    ports = TurnPorts(flags, Empty(), None, Kept(), prefixes=FlagPrefixes(most=1))

    assert (await observe(world.rollout, [], ports, Unseen("nothing"))).refused == ""


async def test_a_flag_that_a_person_changed_under_a_rollout_stays_its_own(world):
    world.to_canary()
    flags = KeptFlags(**{world.rollout.spec.flag: {"state": "ENABLED", "variants": {"on": True}}})

    seen = await observe(world.rollout, [], TurnPorts(flags, Empty(), None, Kept()), Unseen("nothing"))

    assert seen.refused == ""


# --- a whole turn ---


class Notes(Kept):
    """A memory that keeps the last status, and lines in the flag service's journal."""

    def __init__(self, flags):
        super().__init__()
        self.flags = flags

    async def append(self, rollout, new):
        await self.flags.append_journal("shop", "sampler", new)

    def recorded(self, namespace, name):
        return self.flags.read_journal(namespace, name)


@pytest.fixture
async def take(flags, recorded):
    """Takes turns of the example's first Rollout; returns its status after each."""
    client = FlagClient("http://flags", transport=httpx.MockTransport(flags))
    notes = Notes(client)
    ports = TurnPorts(client, recorded, recorded, notes)
    resources = [*load_file(EXAMPLES / "variants.yaml"), *load_file(EXAMPLES / "rollout.yaml")]
    variants = [one for one in resources if isinstance(one, SamplerVariant)]
    [rollout] = [one for one in resources if isinstance(one, Rollout)]
    revisions = {(one.metadata.name, revision_of(one)): one for one in variants}

    async def again(**status):
        known = notes.status or RolloutStatus()
        present = rollout.model_copy(update={"status": known.model_copy(update=status)})
        await turn(present, variants, revisions, ports, Unseen("nothing is measured"))
        return notes.status

    yield again
    await client.close()


def condition(status, kind: str):
    return next(one for one in status.conditions if one.type == kind)


async def test_what_the_platform_refuses_stands_in_the_next_turns_status_and_goes_when_it_goes_well(take, recorded):
    recorded.trouble = KubeRefusedError('deployments.apps "uniform-v1" is forbidden: no right to create it')
    await take()
    refused = await take()
    assert condition(refused, "Applied").status == "False"
    assert 'deployments.apps "uniform-v1" is forbidden' in condition(refused, "Applied").message
    assert [one.reason for one in recorded.done if isinstance(one, Announce)] == [EventReason.REFUSED]

    recorded.trouble = None
    await take()
    assert condition(await take(), "Applied").status == "True"


async def test_a_rollout_that_was_made_anew_reads_its_record(take, flags):
    [first] = [one for one in load_file(EXAMPLES / "variants.yaml") if one.metadata.name == "uniform-v1"]
    revision = revision_of(first)
    entry = {"variant": "uniform-v1", "revision": revision, "gate": "errors", "message": "worse", "time": NOW}
    flags.lines = [{"kind": "off", "entry": entry}]
    status = await take()

    assert status.phase is Phase.FLAGGED_OFF
    assert "uniform-v1 was taken off (worse) and nothing else is known to serve" in status.reason


async def test_a_rollout_of_another_name_reads_the_record_of_whoever_moved_its_flag_before(world):
    """What was taken off there stays off here; a Rollout of another namespace is none of its business."""
    world.apply("rollout-aks.yaml")
    fresh, asked = world.rollout.model_copy(update={"status": RolloutStatus()}), []
    entry = {"variant": "aks-v1", "revision": "r1", "gate": "errors", "message": "worse", "time": NOW}

    class Journals(Kept):
        async def recorded(self, namespace, name):
            asked.append((namespace, name))
            if name == "gone":
                yield {"kind": "off", "entry": entry}

    namespace, name = fresh.metadata.namespace, fresh.metadata.name
    for former in (f"{namespace}/gone", "other/gone", f"{namespace}/{name}"):
        ports = TurnPorts(KeptFlags(**{fresh.spec.flag: owned_by(former)}), Empty(), None, Journals())
        seen = await observe(fresh, [], ports, Unseen("nothing"))
        assert [off.variant for off in seen.past.flagged_off] == (["aks-v1"] if former == f"{namespace}/gone" else [])
        assert seen.split.owner == former
    assert asked == [(namespace, name), (namespace, "gone"), (namespace, name), (namespace, name)]


async def test_while_the_flag_service_is_away_nothing_is_taken_for_the_first(take, flags, recorded):
    flags.status = 503
    status = await take()

    assert status.stable_variant == ""
    assert "nobody knows yet what serves" in status.reason

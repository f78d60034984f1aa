"""A Rollout that is deleted in mid-flight: its users go back to stable, and what then serves nobody is drained."""

from pathlib import Path

import pytest

from pitwall_crds.names import Pool
from pitwall_crds.reading.load import load_file
from pitwall_flags.errors import FlagConflictError, FlagsUnreachableError
from pitwall_flags.flag.document import OWNER, ArmShare, read_split, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.sweep import MachineSweep

EXAMPLES = Path(__file__).parents[3] / "examples"
MOVING = [ArmShare("candidate", "aks-v1", 2000), ArmShare("stable", "uniform-v1", 8000)]


class FlagsInMemory:
    """A flag service that counts how often it is read, and fails as told."""

    def __init__(self) -> None:
        self.records: dict[str, FlagRecord] = {}
        self.read = 0
        self.trouble: list[Exception] = []
        self.reasons: set[str] = set()

    def add(self, key: str, document: dict[str, object], owner: str = "default/sampler") -> None:
        self.records[key] = FlagRecord(key, {**document, "metadata": {OWNER: owner}}, 1)

    async def list(self):
        self.read += 1
        if self.trouble:
            raise self.trouble.pop()
        return tuple(self.records.values())

    async def put(self, key, document, *, expected_version, actor, reason):
        self.records[key] = FlagRecord(key, document, expected_version + 1)
        self.reasons.add(reason)

    def weights(self, key: str) -> dict[str, int]:
        return {share.variant: share.weight for share in read_split(self.records[key].document).shares}


class Pools:
    """Pools that are drained when they are told."""

    def __init__(self) -> None:
        self.running = {"uniform-v1": {Pool.MAIN: None}, "aks-v1": {Pool.MAIN: None}}

    async def pools(self):
        return dict(self.running)

    async def drain(self, variant, pool):
        del self.running[variant]


@pytest.fixture
def sweep(tmp_path) -> MachineSweep:
    resources = Resources(tmp_path)
    for name in ("variants.yaml", "rollout-aks.yaml"):
        for resource in load_file(EXAMPLES / name):
            resources.apply(resource)
    flags = FlagsInMemory()
    flags.add("sampler.variant", split_document(MOVING, salt="run-1"))
    flags.add("sampler.variant.shadow", shadow_document("aks-v1", 5, salt="run-1"))
    return MachineSweep(flags, Pools(), resources)


async def rounds(sweep: MachineSweep, count: int = 4) -> None:
    for _ in range(count):
        await sweep.once()


async def test_what_a_rollout_moves_is_left_alone_and_looked_at_once(sweep):
    await rounds(sweep)

    assert sweep.flags.weights("sampler.variant") == {"aks-v1": 2000, "uniform-v1": 8000}
    assert sweep.flags.read == 1


@pytest.mark.parametrize(
    "trouble",
    [[], [FlagsUnreachableError("away"), FlagConflictError("changed"), FlagsUnreachableError("away")]],
    ids=["at once", "after troubles"],
)
async def test_the_users_of_a_deleted_rollout_go_back_and_the_candidate_is_drained(sweep, trouble):
    await rounds(sweep)
    sweep.flags.trouble = list(trouble)
    sweep.resources.delete("Rollout", "sampler")

    await rounds(sweep, 4 + len(trouble))

    assert sweep.flags.weights("sampler.variant") == {"uniform-v1": 10_000}
    assert sweep.flags.weights("sampler.variant.shadow")[""] == 10_000
    assert list(sweep.platform.running) == ["uniform-v1"], "what serves stays"


async def test_it_is_so_too_when_the_operator_was_not_running_while_it_was_deleted(sweep):
    sweep.resources.delete("Rollout", "sampler")

    await rounds(sweep)

    assert sweep.flags.weights("sampler.variant") == {"uniform-v1": 10_000}


async def test_the_users_of_a_former_flag_go_back_when_the_rollout_was_made_anew_with_another(sweep):
    """With the flag service away while it was deleted and applied, both are seen at once."""
    await rounds(sweep)
    (rollout,) = sweep.resources.rollouts()
    sweep.resources.delete("Rollout", "sampler")
    sweep.resources.apply(rollout.model_copy(update={"spec": rollout.spec.model_copy(update={"flag": "other.flag"})}))
    sweep.flags.trouble = [FlagsUnreachableError("away")]

    await rounds(sweep)

    assert sweep.flags.weights("sampler.variant") == {"uniform-v1": 10_000}
    assert sweep.flags.weights("sampler.variant.shadow")[""] == 10_000
    assert sweep.flags.reasons == {"Rollout default/sampler was made anew and moves the flag 'other.flag' now"}


@pytest.mark.parametrize("file", ["sampler.yaml", "sampler.status.json"])
async def test_a_broken_file_is_no_deletion(sweep, file):
    (sweep.resources.root / "resources" / "rollout" / file).write_text("a: [")

    await rounds(sweep)

    assert sweep.flags.weights("sampler.variant") == {"aks-v1": 2000, "uniform-v1": 8000}
    assert set(sweep.platform.running) == {"uniform-v1", "aks-v1"}


async def test_flags_of_others_are_left_alone(sweep):
    sweep.flags.records["theirs"] = FlagRecord("theirs", split_document(MOVING, salt="x"), 5)
    sweep.resources.delete("Rollout", "sampler")

    await rounds(sweep)

    assert sweep.flags.records["theirs"].version == 5

"""Whatever a status remembers and whatever is seen: what no decision does, and that each can be carried out."""

from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool, copies_salt
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import Phase, RolloutStatus, Verdict
from pitwall_flags.flag.document import ArmShare, shadow_document, split_document
from pitwall_operator.decision.decide import decide, fitting
from pitwall_operator.decision.goal.distance import distance
from pitwall_operator.decision.goal.wanted import candidate_pool, wanted
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import DrainVariant, RunVariant, SetShadow, SetSplit
from pitwall_operator.values.observation import (
    Observation,
    PoolSeen,
    Reading,
    ScaleBounds,
    ShadowSeen,
    Share,
    SplitSeen,
    Unseen,
    VariantSeen,
)
from pitwall_operator.values.stages import stage_name, stage_phase

FILE = Path(__file__).parents[4] / "examples" / "rollout.yaml"
ROLLOUT = next(resource for resource in load_file(FILE) if isinstance(resource, Rollout))
GATES = {"analysis": {"blockSeconds": 3, "gates": [{"name": "errors", "rate": {"metric": "Errors"}}]}}
CLOSED = {"windows": [{"startTime": "00:00", "endTime": "00:01"}]}
ANY_WORDS = "connection refused \u202e\x00 é日 " * 400
"""Longer than any field or service takes, and not printable."""
NOW, BLIND, SEEN = 1_800_000_000.0, Unseen(ANY_WORDS), Reading(1_800_000_000.0, {})

NAMES = ("uniform-v1", "aks-v1", "dpp-v1")
names, revisions, runs = st.sampled_from(NAMES), st.sampled_from(["r1", "r2"]), st.sampled_from(["run-1", "run-2"])
times = st.sampled_from([timestamps.to_text(NOW - ago) for ago in (0, 5, 100, 1e6, -50)])
whoever = st.sampled_from([*NAMES, ""])
identities = st.tuples(names, revisions)
few = st.lists(identities, max_size=2)
taken_off = st.lists(identities | st.tuples(names, st.just("")), max_size=2)
rarely = st.sampled_from([False, False, False, True])
WAYS = [
    [*([{"shadow": {"percent": 50}}] if shadow else []), *({"weightBasisPoints": weight} for weight in weights)]
    for shadow in (False, True)
    for weights in ([FULL_WEIGHT], [2000, FULL_WEIGHT], [100, 5000, 7000, FULL_WEIGHT])
]


@st.composite
def specs(draw):
    """Any spec, as it is read from a file."""
    name, least = draw(names), draw(st.sampled_from([0, 60]))
    action = {"id": "a1", "verb": draw(st.sampled_from(Verb)), "full": draw(st.booleans()), "overBasisPoints": [2000]}
    action |= {"actor": ANY_WORDS[:128], "reason": ANY_WORDS[:256]}
    other = next(one for one in NAMES[1:] if one != name)
    rare = {
        "control": {"dedicated": True}, "paused": True, "action": action, "schedule": CLOSED, "onDeadline": "FlagOff",
        "candidateFallback": {}, "experiments": [{"variantRef": {"name": other}}], "rollbackWindowSeconds": 3600,
        "onInconclusive": draw(st.sampled_from(["Promote", "FlagOff"])), "scaleDownDelaySeconds": 0,
    }  # fmt: skip
    common = {"minSeconds": least, "maxSeconds": 60 if draw(rarely) else 0, "bakeSeconds": least}
    stages = [step | common for step in draw(st.sampled_from(WAYS))]
    said = {field: value for field, value in rare.items() if draw(rarely)}
    flag = draw(st.sampled_from(["sampler.variant", "f" * 128]))
    return RolloutSpec.model_validate(said | {"flag": flag, "variantRef": {"name": name}, "stages": stages} | GATES)


@st.composite
def statuses(draw, spec, *, moving=None):
    """A rollout at rest, or in any stage."""
    (stable, now), (candidate, then) = draw(identities), draw(identities)
    candidate = candidate if draw(rarely) else spec.variant_ref.name
    moving = draw(st.booleans()) if moving is None else moving
    off = [{"variant": v, "revision": r, "gate": "", "message": "", "time": draw(times)}
           for v, r in draw(taken_off)]  # fmt: skip
    known = {
        "stable_variant": stable, "stable_revision": now, "run_id": draw(runs), "flagged_off": off,
        "served": [{"variant": v, "revision": r, "until": draw(times)} for v, r in draw(few)],
        "full_replicas": draw(st.integers(0, 3)),
    }  # fmt: skip
    if not moving:
        if draw(rarely):
            return RolloutStatus()
        phase = draw(st.sampled_from([Phase.STABLE, Phase.FLAGGED_OFF, Phase.ABORTED]))
        return RolloutStatus.model_validate(known | {"phase": phase})
    index = draw(st.integers(0, len(spec.stages) - 1))
    phase = stage_phase(spec, index)
    track = {"stages": [len(spec.stages) - 1], "reason": "", "undo": draw(st.booleans())}
    where = {
        "candidate_variant": candidate, "candidate_revision": then, "stage_index": index, "phase": phase,
        "stage": "bake" if phase is Phase.BAKE else stage_name(spec, index), "run_start_time": draw(times),
        "stage_start_time": draw(times), "waiting_since": draw(times) if draw(rarely) else "",
        "approved_stage": index if draw(rarely) else -1, "fast_track": track if draw(rarely) else None,
    }  # fmt: skip
    return RolloutStatus.model_validate(known | where)


@st.composite
def splits(draw):
    """Any split that the flag service may hold."""
    weight = draw(st.sampled_from([0, 0, 100, 2000, 5000, 7000, FULL_WEIGHT]))
    control, stable = min(weight, FULL_WEIGHT - weight) if draw(st.booleans()) else 0, draw(whoever)
    shares = (
        Share(Arm.CANDIDATE, draw(whoever), weight),
        Share(Arm.CONTROL, stable, control),
        Share(Arm.STABLE, stable, FULL_WEIGHT - weight - control),
    )
    kept = tuple(share for share in shares if share.weight or share.arm is Arm.STABLE)
    return SplitSeen(() if draw(rarely) else kept, draw(runs))


@st.composite
def variants(draw):
    """A declared variant and its pools."""
    pools = {
        pool: PoolSeen(draw(revisions), 2, draw(st.integers(0, 2))) for pool in draw(st.sets(st.sampled_from(Pool)))
    }
    invalid, scaling = ANY_WORDS if draw(rarely) else "", ScaleBounds(1, 4) if draw(rarely) else None
    return VariantSeen(draw(revisions), draw(st.integers(1, 2)), pools, invalid, scaling)


@dataclass
class Scene:
    """What a decision is made of, and where it begins."""

    rollout: Rollout
    seen: Observation

    @property
    def before(self) -> RolloutStatus:
        return fitting(self.rollout, NOW)

    def ask(self, action):
        spec = self.rollout.spec.model_copy(update={"action": action})
        self.rollout = self.rollout.model_copy(update={"spec": spec})
        return self


@st.composite
def scenes(draw, *, moving=None, **told):
    """Any spec beside any status and any observation; what is `told` is so."""
    spec = draw(specs())
    status = draw(statuses(spec, moving=moving))
    declared = {name: draw(variants()) for name in NAMES if not draw(rarely)}
    if status.candidate_variant in declared and not draw(rarely):
        asked = replace(declared[status.candidate_variant], revision=status.candidate_revision, invalid="")
        declared[status.candidate_variant] = asked
    copies = draw(st.builds(ShadowSeen, names, st.sampled_from([5, 50]), runs) | st.just(ShadowSeen()))
    seen = {
        "split": BLIND if draw(rarely) else draw(splits()),
        "shadow": BLIND if draw(rarely) else copies,
        "experiments": draw(st.sampled_from([{}, BLIND, {"dpp-v1": ShadowSeen("dpp-v1", 5)}])),
        "reading": draw(st.sampled_from([BLIND, SEEN])),
    }  # fmt: skip
    seen = Observation(
        now=NOW,
        variants=declared,
        nonce="chance",
        failures=(ANY_WORDS,) if draw(rarely) else (),
        **{**seen, **told},
    )
    return Scene(ROLLOUT.model_copy(update={"spec": spec, "status": status}), seen)


def split_after(scene, decision):
    """The split that is in force after a decision."""
    new = next((effect for effect in decision.effects if isinstance(effect, SetSplit)), scene.seen.split)
    return SplitSeen(new.shares, new.salt)


def with_all_pods(seen):
    """All pods that are asked for are ready."""
    variants = {
        name: replace(known, pools={pool: replace(one, ready=one.desired) for pool, one in known.pools.items()})
        for name, known in seen.variants.items()
    }
    return replace(seen, variants=variants)


def obeyed(seen, effect):
    """What is seen when an effect was carried out, and pods are ready at once."""
    match effect:
        case RunVariant(name, revision, pool, replicas):
            pools = {**seen.variants[name].pools, pool: PoolSeen(revision, replicas, replicas)}
        case DrainVariant(name, gone):
            pools = {pool: known for pool, known in seen.variants[name].pools.items() if pool is not gone}
        case SetSplit(_, shares, salt, _, fallback):
            return replace(seen, split=SplitSeen(shares, salt, candidate_fallback=fallback))
        case SetShadow(flag, variant, percent, run, _) if flag.endswith(".shadow"):
            return replace(seen, shadow=ShadowSeen(variant, percent, run) if percent else ShadowSeen())
        case SetShadow(_, variant, percent, _, _):
            return replace(seen, experiments={**seen.experiments, variant: ShadowSeen(variant, percent)})
    return replace(seen, variants={**seen.variants, name: replace(seen.variants[name], pools=pools)})


def settled(scene, split):
    """What is seen once every effect was carried out, and what was still to be done at last."""
    spec, status = scene.rollout.spec, scene.before
    assume({status.stable_variant, status.candidate_variant} - {""} <= scene.seen.variants.keys())
    seen, effects = replace(with_all_pods(scene.seen), split=split), ()
    for _ in range(6):
        effects = distance(spec, status, seen, why="")
        for effect in effects:
            seen = obeyed(seen, effect)
    return seen, effects


def unasked(scene, split):
    """Nobody asked for anything, and the stage's traffic flows, or shall."""
    before = scene.ask(None).before
    assume(before.fast_track is None)
    scene.seen = settled(scene, split)[0]
    return before


FEW = settings(max_examples=50)


@FEW
@given(scenes())
def test_the_same_is_decided_again_and_can_be_stored_and_carried_out(scene):
    decision = decide(scene.rollout, scene.seen)
    stored = RolloutStatus.model_validate_json(decision.status.model_dump_json(by_alias=True))
    for effect in decision.effects:
        if isinstance(effect, SetSplit):
            split_document([ArmShare(one.arm, one.variant, one.weight) for one in effect.shares], salt=effect.salt)
        if isinstance(effect, SetShadow):
            shadow_document(effect.variant, effect.percent, salt=copies_salt(effect.run, effect.flag))

    assert decide(scene.rollout, scene.seen) == decision
    assert stored == decision.status


@FEW
@given(scenes(moving=True), splits())
def test_nobody_is_sent_to_pods_that_are_not_ready(scene, split):
    scene.seen = replace(scene.seen, split=split)
    decision = decide(scene.rollout, scene.seen)
    status, after = decision.status, split_after(scene, decision)
    had = {
        (one.arm, one.variant): one.weight for one in split.shares if one.arm is Arm.STABLE or split.salt == after.salt
    }
    for share in after.shares:
        if share.weight <= had.get((share.arm, share.variant), 0) or share.arm is Arm.CONTROL:
            continue
        if share.arm is Arm.STABLE and share.variant == split.default:
            continue  # the way back
        pool = candidate_pool(status) if share.arm is Arm.CANDIDATE else Pool.MAIN
        wanted = status.candidate_revision if share.arm is Arm.CANDIDATE else status.stable_revision
        known = scene.seen.variants[share.variant].pools[pool]
        assert known.ready, "users sent to pods that are not ready"
        assert known.revision == wanted, "users sent to another revision"


@FEW
@given(scenes(moving=True, shadow=ShadowSeen(), experiments={}), splits())
def test_stages_are_not_skipped_and_a_candidate_serves_everybody_after_the_last_alone(scene, split):
    before = unasked(scene, split)
    status = decide(scene.rollout, scene.seen).status
    if status.run_id == before.run_id and status.candidate_variant:
        assert before.stage_index <= status.stage_index <= before.stage_index + 1
    if (status.stable_variant, status.stable_revision) != (before.stable_variant, before.stable_revision):
        assert before.stage_index == len(scene.rollout.spec.stages) - 1


@FEW
@given(scenes(moving=True, reading=BLIND, shadow=ShadowSeen(), experiments={}), splits())
def test_what_cannot_be_measured_neither_passes_a_stage_nor_is_harmful(scene, split):
    before = unasked(scene, split)
    status = decide(scene.rollout, scene.seen).status
    assert status.verdict is not Verdict.HARMFUL
    assert not any(off.gate for off in status.flagged_off)
    if before.approved_stage != before.stage_index:
        assert status.stable_variant == before.stable_variant
        assert status.run_id != before.run_id or status.stage_index <= before.stage_index


@FEW
@given(scenes(split=BLIND))
def test_while_the_split_cannot_be_seen_nobody_is_moved_and_no_pod_is_taken_away(scene):
    effects = decide(scene.rollout, scene.seen).effects
    assert not [effect for effect in effects if isinstance(effect, SetSplit | DrainVariant)]


@FEW
@given(scenes(moving=True), names, runs, st.booleans())
def test_a_kill_ends_at_stable(scene, default, run, is_released):
    rest = SplitSeen((Share(Arm.STABLE, default, FULL_WEIGHT),), run, "" if is_released else "version 9")
    scene.seen = replace(scene.seen, split=replace(rest, killed_run=scene.ask(None).before.run_id))
    decision = decide(scene.rollout, scene.seen)

    assert decision.status.run_id != scene.before.run_id or not decision.status.candidate_variant
    assert is_released or not decision.status.candidate_variant
    assert not [share for share in split_after(scene, decision).shares if share.arm is not Arm.STABLE and share.weight]


@FEW
@given(scenes(moving=True), splits())
def test_an_abort_ends_at_stable(scene, split):
    before = scene.ask(Action(id="a2", verb=Verb.ABORT)).before
    stable = before.stable_variant
    shares = tuple(one if one.arm is Arm.CANDIDATE else replace(one, variant=stable) for one in split.shares)
    assume(shares and (Arm.CANDIDATE, stable) not in [(one.arm, one.variant) for one in shares])
    scene.seen = replace(scene.seen, split=replace(split, shares=shares))
    decision = decide(scene.rollout, scene.seen)

    assert not decision.status.candidate_variant
    assert {share.variant for share in split_after(scene, decision).shares if share.weight} == {stable}


@FEW
@given(scenes(shadow=ShadowSeen("aks-v1", 5, "run-1"), experiments={}), splits())
def test_effects_lead_to_what_is_wanted_and_end_there(scene, split):
    seen, effects = settled(scene, split)
    spec, status = scene.rollout.spec, scene.before
    assert effects == ()
    if status.stable_variant:
        goal = wanted(spec, status, seen)
        assert (seen.split.shares, seen.shadow) == (goal.shares, goal.shadow)
        assert seen.split.salt == goal.run or not goal.run

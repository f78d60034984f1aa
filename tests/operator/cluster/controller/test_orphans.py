"""Flags whose rollout is gone: users go back to the stable variant, copies end, everything else is left alone."""

import pytest

from pitwall_crds.names import Pool
from pitwall_crds.variant.pools import pool_name
from pitwall_flags.flag.document import OWNER, ArmShare, read_split, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.cluster.controller.orphans import idle_pools
from pitwall_operator.turn.gone import to_rest


def moving(weight: int) -> dict[str, object]:
    shares = [ArmShare("candidate", "aks", weight), ArmShare("control", "uniform", weight)]
    return split_document([*shares, ArmShare("stable", "uniform", 10_000 - 2 * weight)], salt="run-1")


COPIES = shadow_document("aks", 5, salt="s")


def flag(key: str, document: dict[str, object], owner: str = "shop/sampler") -> FlagRecord:
    return FlagRecord(key, {**document, "metadata": {OWNER: owner}} if owner else document, 7)


def resting(*flags: FlagRecord, moved=None, watched=("shop",)):
    return list(to_rest(flags, moved or {}, lambda namespace: namespace in watched))


def test_users_go_back_to_stable_and_copies_end():
    main, shadow = resting(flag("f", moving(1000)), flag("f.shadow", shadow_document("aks", 5, salt="s")))
    assert (main.flag, main.version, main.owner) == ("f", 7, ("shop", "sampler"))
    assert main.why == "Rollout shop/sampler is gone"
    assert [(share.arm, share.variant, share.weight) for share in read_split(main.document).shares] == [
        ("stable", "uniform", 10_000)
    ]
    assert not any(share.arm == "shadow" and share.weight for share in read_split(shadow.document).shares)


def test_what_rests_is_not_written_again():
    (once,) = resting(flag("f", moving(1000)))
    assert resting(FlagRecord("f", once.document, 8)) == []


@pytest.mark.parametrize(
    ("found", "moved"),
    [
        pytest.param(flag("f", moving(1000)), {("shop", "sampler"): "f"}, id="its rollout exists"),
        pytest.param(flag("f.shadow", COPIES), {("shop", "sampler"): "f"}, id="copies, and their rollout exists"),
        pytest.param(flag("f.experiment.dpp", COPIES), {("shop", "sampler"): "f"}, id="so does an experiment's"),
        pytest.param(flag("f", moving(1000)), {("shop", "sampler"): ""}, id="its rollout cannot be read"),
        pytest.param(flag("f", moving(1000), owner="other/sampler"), {}, id="another operator's namespace"),
        pytest.param(flag("f", moving(1000), owner=""), {}, id="nobody's flag"),
        pytest.param(FlagRecord("f", {"state": "ENABLED", "variants": {"on": True}}, 1), {}, id="no flag of ours"),
    ],
)
def test_what_is_not_ours_is_left_alone(found, moved):
    assert resting(found, moved=moved) == []


@pytest.mark.parametrize("former", ["f", "f.shadow", "f.experiment.dpp"])
def test_the_former_flags_of_a_rollout_that_was_made_anew_with_another_one_go_to_rest(former):
    """As when it was deleted and applied again while nobody could sweep in between."""
    found = flag(former, moving(1000) if former == "f" else COPIES)
    (rest,) = resting(found, flag("g", moving(1000)), moved={("shop", "sampler"): "g"})

    assert (rest.flag, rest.why) == (former, "Rollout shop/sampler was made anew and moves the flag 'g' now")


def deployment(variant: str, pool: str, rollout: str = "sampler", name: str = "") -> dict[str, object]:
    labels = {"pitwall.dev/variant": variant, "pitwall.dev/pool": pool, "pitwall.dev/rollout": rollout}
    return {"metadata": {"namespace": "shop", "name": name or pool_name(variant, Pool(pool)), "labels": labels}}


def test_pods_that_serve_nobody_are_drained_and_those_that_serve_stay():
    at_rest = split_document([ArmShare("stable", "uniform", 10_000)], salt="s")
    flags = [flag("f", at_rest), flag("f.shadow", shadow_document("", 0, salt="s"))]
    left = [deployment("uniform", "main"), deployment("uniform", "control"), deployment("aks", "main")]
    unknown = deployment("dpp", "main", rollout="never-had-a-flag")
    alike = deployment("aks", "main", name="zzz-aks")  # labels that somebody copied: draining it would never end

    drained = list(idle_pools(flags, [*left, unknown, alike], existing=()))

    assert drained == [(("shop", "sampler"), "uniform", "control"), (("shop", "sampler"), "aks", "main")]
    assert list(idle_pools(flags, left, existing=[("shop", "sampler")])) == []


def test_what_others_claim_or_serve_stays_though_its_label_names_a_rollout_that_is_gone():
    """Whoever may label a Deployment would have its pods deleted under their users."""
    flags = [
        flag("f", split_document([ArmShare("stable", "uniform", 10_000)], salt="s")),
        flag("g", split_document([ArmShare("stable", "aks", 10_000)], salt="s"), owner="shop/former"),
    ]
    left = [deployment("aks", "main"), deployment("dpp", "main"), deployment("topk", "control")]
    claimed = [("shop", "dpp")]

    assert list(idle_pools(flags, left, existing=(), claimed=claimed)) == [(("shop", "sampler"), "topk", "control")]


@pytest.mark.parametrize("unreadable", [{"targeting": {"var": "x"}}, {"targeting": {}}], ids=["other", "none"])
def test_where_a_flag_does_not_say_what_serves_nothing_is_touched(unreadable):
    at_rest = split_document([ArmShare("stable", "uniform", 10_000)], salt="s")
    copies = flag("f.shadow", shadow_document("", 0, salt="s"))

    assert list(idle_pools([copies], [deployment("uniform", "main")], existing=())) == []
    assert list(idle_pools([copies, flag("f", at_rest | unreadable)], [deployment("aks", "main")], existing=())) == []

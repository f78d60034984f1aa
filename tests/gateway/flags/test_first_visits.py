"""Who is met for the first time, and when everybody is met anew."""

import json

from pitwall_flags.flag.document import ArmShare, split_document
from pitwall_gateway.flags.first_visits import FirstVisits
from pitwall_gateway.flags.port import FixedFlags


def split(weight):
    shares = (ArmShare("candidate", "aks-v2", weight), ArmShare("stable", "uniform-v1", 10_000 - weight))
    return split_document(shares, salt="run-1")


TEN, FIFTY = split(1000), split(5000)


def test_a_user_is_met_once_per_split():
    visits = FirstVisits()

    assert [visits.meets("ann", TEN), visits.meets("bob", TEN), visits.meets("ann", TEN)] == [True, True, False]


def test_another_split_meets_everybody_anew_and_an_equal_one_nobody():
    visits = FirstVisits()
    visits.meets("ann", TEN)

    assert not visits.meets("ann", json.loads(json.dumps(TEN)))
    assert visits.split == "run-1 candidate=1000 stable=9000"
    assert visits.meets("ann", FIFTY)
    assert visits.split == "run-1 candidate=5000 stable=5000"


def test_what_is_said_beside_the_split_meets_nobody_anew():
    visits = FirstVisits()
    visits.meets("ann", TEN)

    assert not visits.meets("ann", {**TEN, "metadata": {"pitwallCandidateFallback": "2", "version": "8"}})


def test_a_flag_that_holds_no_split_has_no_name():
    visits = FirstVisits()
    visits.meets("ann", TEN)

    assert visits.meets("ann", {"state": "DISABLED"})
    assert visits.split == ""


def test_a_caller_without_a_name_is_a_new_one_each_time():
    visits = FirstVisits()

    assert visits.meets("", TEN)
    assert visits.meets("", TEN)


def test_memory_is_bounded_and_nobody_counts_twice():
    visits = FirstVisits(capacity=3)
    first = [visits.meets(f"user-{number}", TEN) for number in range(5)]

    assert first == [True, True, True, False, False]
    assert not any(visits.meets(f"user-{number}", TEN) for number in range(5))


def test_who_does_not_count_takes_no_place_and_may_count_later():
    visits = FirstVisits(capacity=3)
    assert not any(visits.meets(f"capped-{number}", TEN, lambda split: False) for number in range(9))

    assert [visits.meets(f"user-{number}", TEN) for number in range(2)] == [True, True]
    assert visits.meets("capped-1", TEN)
    assert not visits.meets("capped-2", TEN)


def test_users_are_exported_by_the_arm_they_got(pit):
    """Counted when assigned, so that an arm which fails its users does not hide them."""
    stable, fresh = pit.runtime("uniform-v1"), pit.runtime("aks-v2", status=500)
    pit.route({"uniform-v1": {"stable": [stable.url]}, "aks-v2": {"candidate": [fresh.url]}})
    values = {"sampler.variant": ("candidate", "aks-v2")}
    pit.open(FixedFlags(values))
    for user in ("ann", "bob", "ann", "ann"):
        pit.ask(user)

    assert pit.metric("pitwall_users_total", sampler_variant="aks-v2", arm="candidate") == 2
    values["sampler.variant"] = ("stable", "uniform-v1")
    pit.ask("ann")
    assert pit.metric("pitwall_users_total", sampler_variant="uniform-v1", arm="stable") == 1

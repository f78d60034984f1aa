"""Cursors: every trial of a run counts once, whatever the processes that count do."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.gates.counting.cursor import ENDED_SECONDS, EXCUSED, Cursor

EMPTY = Cursor.from_state({})


def rows(**processes: int):
    """So many trials of the candidate, one in ten bad, in each process."""
    return {name: {"errors": Counts(candidate=Tally(count, count // 10))} for name, count in processes.items()}


def counted(grown) -> int:
    return grown.get("errors", Counts()).candidate.trials


def test_a_process_counts_from_zero_since_counters_of_a_run_begin_there():
    _, grown = EMPTY.advance(0.0, rows(gateway=100))

    assert grown["errors"].candidate == Tally(100, 10)


def test_growth_is_what_came_since_the_last_block():
    cursor, _ = EMPTY.advance(0.0, rows(gateway=100))
    _, grown = cursor.advance(5.0, rows(gateway=130))

    assert grown["errors"].candidate == Tally(30, 3)


def test_a_process_that_is_missed_counts_with_its_next_answer():
    cursor, _ = EMPTY.advance(0.0, rows(a=100, b=100))
    cursor, missed = cursor.advance(5.0, rows(a=110))
    _, grown = cursor.advance(10.0, rows(a=110, b=140))

    assert (counted(missed), counted(grown)) == (10, 40)


def test_two_replicas_of_prometheus_that_answer_in_turns_count_each_trial_once():
    """The one that scraped last is 14 s ahead: each time the other answered, all of the run was once counted again."""
    cursor, told = EMPTY, 0
    for block in range(1, 101):
        seen = max(0, 5 * block - 14 * (block % 2))
        cursor = Cursor.from_state(json.loads(json.dumps(cursor.to_state())))
        cursor, grown = cursor.advance(5.0 * block, rows(**{"qa/gateway@1800000000": seen}))
        told += counted(grown)

    assert told == 500


def test_counters_of_a_run_that_are_missing_for_a_while_are_not_counted_again():
    cursor, _ = EMPTY.advance(0.0, rows(gateway=100))
    cursor, missing = cursor.advance(5.0, {"gateway": {"errors": Counts()}})
    _, grown = cursor.advance(10.0, rows(gateway=103))

    assert (counted(missing), counted(grown)) == (0, 3)


def test_where_no_start_is_told_counters_that_fall_are_those_of_another_process():
    cursor, _ = EMPTY.advance(0.0, rows(**{"gateway@0": 100}))
    cursor, anew = cursor.advance(5.0, rows(**{"gateway@0": 7}))
    _, grown = cursor.advance(10.0, rows(**{"gateway@0": 9}))

    assert (counted(anew), counted(grown)) == (7, 2)


def test_a_process_that_ended_long_ago_is_not_counted_again():
    cursor, _ = EMPTY.advance(0.0, rows(a=100, b=10))
    cursor, _ = cursor.advance(ENDED_SECONDS + 1, rows(b=10))
    cursor, grown = cursor.advance(ENDED_SECONDS + 6, rows(a=120, b=10))

    assert counted(grown) == 0


def test_one_that_was_taken_for_ended_counts_on_from_where_it_came_back():
    """The only gateway could not be scraped at the first look after an hour; its run once proved nothing any more."""
    cursor, _ = EMPTY.advance(0.0, rows(a=100))
    cursor, _ = cursor.advance(ENDED_SECONDS + 1, {})
    assert set(cursor.rows) == set()

    cursor = Cursor.from_state(json.loads(json.dumps(cursor.to_state())))
    cursor, back = cursor.advance(ENDED_SECONDS + 6, rows(a=120))
    cursor, grown = cursor.advance(ENDED_SECONDS + 11, rows(a=150))
    _, old_view = cursor.advance(ENDED_SECONDS + 16, rows(a=140))

    assert (counted(back), counted(grown), counted(old_view)) == (0, 30, 0)
    assert cursor.ended == ()


def test_a_process_whose_target_is_renamed_is_not_counted_again():
    """Prometheus was deployed anew, with another relabeling: all that a run had counted once came a second time."""
    cursor, _ = EMPTY.advance(0.0, rows(**{"qa/gateway-a/10.0.0.7:9464@1800000000": 100}))
    cursor, renamed = cursor.advance(5.0, rows(**{"qa/gateway-a/node-3@1800000000": 130}))
    _, grown = cursor.advance(10.0, rows(**{"qa/gateway-a/node-3@1800000000": 150}))

    assert (counted(renamed), counted(grown)) == (30, 20)


def test_a_gate_that_begins_in_mid_run_is_not_given_what_was_counted_before():
    cursor, _ = EMPTY.advance(0.0, rows(gateway=100))
    cursor = cursor.without(frozenset())
    _, grown = cursor.advance(5.0, rows(gateway=130))

    assert counted(grown) == 0


def test_what_an_older_version_kept_is_nothing():
    old = {"gateway@1": {"errors": [1.0] * 15}}

    assert Cursor.from_state(old) == EMPTY


def test_edges_that_were_not_known_before_count_from_zero():
    now = Counts(control=Tally(10, 1), edges=(EdgeTallies(control=Tally(10, 4)),))
    cursor, _ = EMPTY.advance(0.0, {"a": {"p99": Counts(control=Tally(4, 1))}})
    _, grown = cursor.advance(5.0, {"a": {"p99": now}})

    assert grown["p99"].control == Tally(6, 0)
    assert grown["p99"].edges[0].control == Tally(10, 4)


def test_who_left_and_what_was_cold_counts_since_the_last_block_beside_any_number_of_edges():
    caches = EdgeTallies(Tally(9, 4), Tally(8, 3), Tally(7, 2))
    before = Counts(edges=(EdgeTallies(),) * 3, abandoned=Abandoned(1, 2, 3, 1, 2, 5), caches=caches)
    cursor, _ = EMPTY.advance(0.0, {"a": {"p99": before}})
    _, grown = cursor.advance(5.0, {"a": {"p99": before + before}})

    assert grown["p99"] == before


def test_a_row_of_a_version_that_knew_nothing_of_excuses_is_the_beginning_of_one():
    """Both count on: what is new stands behind what was there."""
    before = Counts(Tally(9, 1), edges=(EdgeTallies(),), abandoned=Abandoned(1, 2, 3), caches=EdgeTallies(Tally(9, 4)))
    cursor, _ = EMPTY.advance(0.0, {"a": {"p99": before}})
    older = Cursor({"a": {"p99": cursor.rows["a"]["p99"][:-EXCUSED]}}, cursor.seen)
    _, grown = older.advance(5.0, {"a": {"p99": before + Counts(abandoned=Abandoned(excused=2, copies=3))}})

    assert grown["p99"] == Counts(edges=(EdgeTallies(),), abandoned=Abandoned(excused=2, copies=3))


def test_a_scrape_between_two_increments_shows_no_more_bad_trials_than_trials():
    cursor, _ = EMPTY.advance(0.0, {"a": {"p99": Counts(pairs=Pairs(10, 4, 2))}})
    _, grown = cursor.advance(1.0, {"a": {"p99": Counts(pairs=Pairs(10, 4, 3))}})

    assert grown["p99"].pairs == Pairs(0, 0, 0)


@pytest.mark.parametrize("processes", [3, 500])
def test_any_number_of_processes_that_come_and_go_count_each_trial_once(processes):
    chance, cursor, truth, told = random.Random(processes), EMPTY, 0, 0
    alive = {f"gateway-{number}": 0 for number in range(processes)}
    for block in range(30):
        for name in chance.sample(sorted(alive), k=processes // 3):
            if chance.random() < 0.3:
                del alive[name]
                alive[f"gateway-{block}-{len(alive)}-{name}"] = 0
        grown_by = {name: chance.randrange(5) for name in alive}
        alive = {name: count + grown_by[name] for name, count in alive.items()}
        truth += sum(grown_by.values())
        cursor = Cursor.from_state(json.loads(json.dumps(cursor.to_state())))
        cursor, grown = cursor.advance(5.0 * block, rows(**alive))
        told += counted(grown)

    assert told == truth


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.booleans()), max_size=6),
        min_size=1,
        max_size=12,
    )
)
def test_counted_is_never_more_than_happened_and_all_of_it_once_everybody_was_read(history):
    """Trials at some processes, some of which are not read in some blocks; in the end all are."""
    shown, cursor, told = dict.fromkeys("abcd", 0), EMPTY, 0
    for block, events in enumerate(history):
        read = set()
        for name, trials, is_read in events:
            shown[name] += trials
            read |= {name} if is_read else set()
        cursor, grown = cursor.advance(5.0 * block, rows(**{name: shown[name] for name in read}))
        told += counted(grown)
        assert told <= sum(shown.values())
    _, grown = cursor.advance(5.0 * len(history), rows(**shown))

    assert told + counted(grown) == sum(shown.values())


def test_a_day_of_autoscaled_gateways_fits_into_an_object_of_the_api_server():
    """Three thousand processes within the hour, with five gates of which two have four further edges."""
    chance = random.Random(3000)

    def tally() -> Tally:
        trials = chance.randrange(1000)
        return Tally(trials, chance.randrange(trials + 1), round(chance.random() * trials, 3))

    def one(gate: int) -> Counts:
        edges = tuple(EdgeTallies(tally(), tally(), tally()) for _ in range(4 if gate < 2 else 0))
        return Counts(tally(), tally(), Pairs(9, 2, 3), tally(), tally(), edges=edges)

    shown = {f"shop/gateway-{number:05d}/10.0.{number % 250}.7:9464@{number}": number for number in range(3000)}
    counts = {identity: {f"gate-{gate}": one(gate) for gate in range(5)} for identity in shown}
    cursor, _ = EMPTY.advance(0.0, counts)

    stored = json.dumps(cursor.to_state())

    assert len(stored) < 1_200_000  # etcd takes 1.5 MB
    again, grown = Cursor.from_state(json.loads(stored)).advance(5.0, counts)
    assert not any(gate.candidate.trials or gate.control.bad or gate.pairs.total for gate in grown.values())
    assert again.rows == cursor.rows


def test_a_cursor_of_few_gateways_can_be_read_by_people():
    cursor, _ = EMPTY.advance(0.0, rows(gateway=100))

    assert cursor.to_state()["rows"]["gateway"]["errors"][3:5] == [100, 10]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_two_views_of_which_each_lags_at_times_count_every_trial_once(history):
    """Two replicas of Prometheus answer in turn, and each query of a reading may be answered by another of them."""
    trials, bad, told = [0], [0], Tally(0, 0)
    cursor = EMPTY
    for block, (new, older_trials, older_bad) in enumerate(history):
        trials.append(trials[-1] + new)
        bad.append(bad[-1] + new // 2)
        seen_trials = trials[max(0, len(trials) - 1 - older_trials)]
        seen = Tally(seen_trials, min(seen_trials, bad[max(0, len(bad) - 1 - older_bad)]))
        cursor, grown = cursor.advance(5.0 * block, {"a": {"errors": Counts(candidate=seen)}})
        told += grown.get("errors", Counts()).candidate
        assert told.trials <= trials[-1]
        assert told.bad <= min(bad[-1], told.trials)
    for again in (1, 2):  # bad trials that came before their trials count with the next ones
        now = {"a": {"errors": Counts(candidate=Tally(trials[-1] + again * len(history) * 5, bad[-1]))}}
        cursor, grown = cursor.advance(5.0 * (len(history) + again), now)
        told += grown["errors"].candidate

    assert told == Tally(trials[-1] + 2 * len(history) * 5, bad[-1])

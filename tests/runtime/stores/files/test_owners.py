"""Who holds more of a full cache than their part makes room first; who keeps to it loses nothing to them."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.stores.files.eviction import CacheLimits, EntryKind, Quota, entries
from pitwall_runtime.stores.files.lock import held
from pitwall_runtime.stores.files.owners import FOLDER, Owners

BLOCK = 4096
SIZE = 25 * BLOCK
WHOLE = 40 * SIZE
ANN, BOB, EVE = "web.ann", "app.bob", "web.eve"


def bring(quota, party, number, age=0.0, pieces=1):
    """A film of this party's, downloaded in so many pieces and last used so long ago."""
    folder, name = quota.root / EntryKind.DOWNLOADS, f"{number:064x}"
    folder.mkdir(parents=True, exist_ok=True)
    with quota.bringing(party) as draft, (folder / f".part-{number}").open("wb") as file:
        try:
            for _ in range(pieces):
                quota.grow(SIZE, draft)
                file.write(os.urandom(SIZE))
                file.flush()
        except StorageFullError:
            os.unlink(file.name)
            raise
        os.rename(file.name, folder / name)
    used = time.time() - age
    os.utime(folder / name, (used, used))
    quota.used_by(party, name)


def bring_of_others(quota, count):
    """One film of each of so many users of three callers, none of which has more than half."""
    for number in range(count):
        bring(quota, f"{('app', 'lab', 'biz')[number % 3]}.user-{number}", number, age=1000 - number)


def left(quota):
    return sorted(int(entry.video_hash, 16) for entry in entries(quota.root))


@pytest.fixture
def quota(tmp_path):
    return Quota(tmp_path, CacheLimits(WHOLE))


def test_a_users_new_films_evict_its_own_and_take_an_eighth_from_others_at_most(quota):
    """A few large films once made all others' questions on their pod cold."""
    bring_of_others(quota, 36)
    for number in range(100, 200):
        bring(quota, ANN, number)

    others = [number for number in left(quota) if number < 100]
    assert len(others) >= 36 - 9, "an eighth, and the tenth that is made free at once"
    assert others == list(range(36 - len(others), 36)), "of what was used longest ago"
    assert left(quota)[-1] == 199


def test_who_is_alone_has_the_whole_cache_and_loses_what_was_used_longest_ago(quota):
    for number in range(60):
        bring(quota, ANN, number, age=1000 - number)

    assert len(left(quota)) >= 34
    assert left(quota) == list(range(60 - len(left(quota)), 60))


def test_of_two_users_who_both_hold_much_each_has_half(quota):
    for number in range(36):
        bring(quota, BOB, number, age=1000 - number)
    for number in range(100, 200):
        bring(quota, ANN, number)

    assert 15 <= len([number for number in left(quota) if number < 100]) <= 20


def test_a_callers_many_users_have_half_at_most_where_another_needs_the_rest(quota):
    for number in range(16):
        bring(quota, f"app.user-{number}", number, age=1000 - number)
    for number in range(100, 200):
        bring(quota, f"web.user-{number}", number)

    assert left(quota)[:16] == list(range(16))


def test_who_is_two_callers_at_once_takes_half_at_most(quota):
    bring_of_others(quota, 36)
    for number in range(100, 200):
        bring(quota, ANN, number)
        quota.used_by("small.eve", f"{number:064x}")

    assert len([number for number in left(quota) if number < 100]) >= 36 - 20 - 4, "and the tenth that is made free"


def test_one_film_that_is_larger_than_a_users_part_has_room_and_the_next_has_its_place(quota):
    bring_of_others(quota, 36)
    bring(quota, ANN, 100, pieces=8)
    others = [number for number in left(quota) if number < 100]
    assert len(others) >= 36 - 12
    bring(quota, ANN, 101, pieces=8)

    assert left(quota) == [*others, 101]


def test_a_second_large_film_at_the_same_time_is_refused_and_evicts_nothing_of_others(quota):
    bring_of_others(quota, 30)
    with quota.bringing(ANN) as first, (quota.root / ".part-first").open("wb") as file:
        quota.grow(6 * SIZE, first)
        file.write(os.urandom(6 * SIZE))
        file.flush()
        with pytest.raises(StorageFullError, match=r"this user's videos take their part of it; ask again when"):
            bring(quota, ANN, 100, pieces=6)
        os.unlink(file.name)
    assert left(quota) == list(range(30))
    bring(quota, ANN, 100, pieces=6)


def test_what_a_user_has_in_use_counts_as_its_own_though_it_cannot_be_evicted(quota):
    bring_of_others(quota, 28)
    for number in range(100, 108):
        bring(quota, ANN, number)
    with ExitStack() as in_use:
        for number in range(100, 108):
            in_use.enter_context(held(quota.root / EntryKind.DOWNLOADS / f"{number:064x}"))
        with pytest.raises(StorageFullError, match="this user's videos"):
            bring(quota, ANN, 200, pieces=6)

    assert left(quota)[:28] == list(range(28))


@pytest.mark.parametrize(
    ("parties", "whose"),
    [
        pytest.param([ANN], ANN, id="one user's"),
        pytest.param([ANN, "", ANN], ANN, id="nobody in particular changes nothing"),
        pytest.param([ANN, EVE], "web.", id="two users of a caller"),
        pytest.param([ANN, BOB], ".", id="two callers: nobody's"),
        pytest.param([ANN, BOB, ANN], ".", id="and so it stays"),
        pytest.param([""], "", id="of whom nothing is known"),
    ],
)
def test_a_video_is_whose_alone_asked_about_it(tmp_path, parties, whose):
    owners = Owners(tmp_path)
    for party in parties:
        owners.note("ab", party)

    assert owners.of("ab") == Owners(tmp_path).of("ab") == whose


def test_whose_a_video_is_is_forgotten_when_it_is_gone(tmp_path):
    owners = Owners(tmp_path)
    for name in ("ab", "cd"):
        owners.note(name, ANN)
    owners.keep(["ab"], time.time() + 3000)
    assert (owners.of("ab"), owners.of("cd")) == (ANN, ANN), "it may be known before anything is cached"
    owners.keep(["ab"], time.time() + 4000)

    assert (owners.of("ab"), owners.of("cd")) == (ANN, "")
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["ab"]


@pytest.mark.parametrize("order", [(ANN, BOB, "web.carl"), (BOB, ANN, EVE, BOB), (ANN, BOB, "app.", ANN)])
def test_of_several_processes_each_knows_what_the_others_noted(tmp_path, order):
    """One that remembered whose a video was before made it that caller's again, who was charged for all."""
    processes = Owners(tmp_path), Owners(tmp_path)
    for number, party in enumerate(order):
        processes[number % 2].note("ab", party)

    assert [owners.of("ab") for owners in processes] == [".", "."]


def test_of_callers_who_ask_at_one_moment_none_is_left_out(tmp_path):
    for name in (f"{number:02x}" for number in range(20)):
        with ThreadPoolExecutor(4) as threads:
            for party in (ANN, EVE, BOB, "web.carl"):
                threads.submit(Owners(tmp_path).note, name, party)
        assert Owners(tmp_path).of(name) == "."

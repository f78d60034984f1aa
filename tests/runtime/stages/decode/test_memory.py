"""Decodings take turns for memory by party: never more than there is, never all for one, and none for ever."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import MediaBrokenError, TooLateError
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.memory import FILM_PART, DecodeMemory, default_bytes
from pitwall_runtime.stages.decode.port import Limits
from pitwall_runtime.stages.decode.process import OPENING_BYTES, decode


def until(holds):
    """Wait for a condition."""
    latest = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < latest
        time.sleep(0.005)


def holding(memory, count, order, name, gate, party=""):
    """A thread that holds `count` bytes until the gate opens, and notes when its turn came."""

    def hold():
        with memory.share(Deadline(60, party)) as share:
            share.grow(count)
            order.append(name)
            gate.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


GIB = 1 << 30


class Line:
    """Decodings of a memory that many ask for, each in a thread of its own, and the order in which they began."""

    def __init__(self, total=4 * GIB):
        self.memory, self.order = DecodeMemory(total, film_part=FILM_PART), []
        self.gates, self.threads = {}, {}

    def come(self, name, party, count):
        self.gates[name] = threading.Event()
        before = self.memory._clock
        self.threads[name] = holding(self.memory, count, self.order, name, self.gates[name], party)
        until(lambda: name in self.order or self._waits(before))

    def _waits(self, before):
        with self.memory._changed:
            return any(place.number > before for place in self.memory._line)

    def end(self, name):
        """One that has begun."""
        self.gates[name].set()
        self.threads[name].join(60)

    def close(self):
        for gate in self.gates.values():
            gate.set()
        for thread in self.threads.values():
            thread.join(60)


@pytest.fixture
def line():
    opened = Line()
    yield opened
    opened.close()


def test_a_film_that_needs_all_the_memory_gets_half_of_it_and_another_user_the_rest(line):
    line.come("huge", "app.ann", 4 * GIB)
    line.come("of another user", "app.bob", GIB)
    line.come("of another caller", "web.joe", GIB)
    assert line.order == ["huge", "of another user", "of another caller"]


def test_one_user_has_no_more_than_half_however_many_films_and_whoever_came_first(line):
    for number in range(3):
        line.come(f"ann {number}", "app.ann", GIB)
    line.come("bob", "app.bob", GIB)
    line.come("joe", "web.joe", GIB)
    line.end("joe")
    line.come("joe again", "web.joe", GIB)
    assert line.order == ["ann 0", "ann 1", "bob", "joe", "joe again"]
    line.end("ann 0")
    until(lambda: "ann 2" in line.order)


def test_a_caller_that_names_many_users_leaves_memory_for_other_callers(line):
    for number in range(4):
        line.come(number, f"app.user{number}", GIB)
    line.come("web", "web.ann", GIB)
    assert line.order == [0, 1, 2, "web"]


def test_in_little_memory_a_caller_may_still_decode_two_usual_films_at_once():
    line = Line(512 << 20)
    line.come("one", "app.ann", OPENING_BYTES)
    line.come("two", "app.bob", OPENING_BYTES)
    line.close()
    assert line.order == ["one", "two"]


def test_who_waits_takes_turns_by_caller_and_by_user():
    line = Line(2 * GIB)
    for name, party in (("first", "web.eve"), ("second", "web.ivy")):
        line.come(name, party, GIB // 2 + 1)
    for name, party in (("a1", "app.ann"), ("a2", "app.ann"), ("b1", "app.bob"), ("w1", "web.joe"), ("a3", "app.ann")):
        line.come(name, party, GIB)
    line.end("first")
    for ended in ("a1", "w1", "b1", "a2"):
        until(lambda ended=ended: ended in line.order)
        line.end("second" if ended == "a1" else ended)
        line.end(ended)
    until(lambda: "a3" in line.order)
    line.close()
    assert line.order == ["first", "second", "a1", "w1", "b1", "a2", "a3"]


def test_small_films_begin_past_a_large_one_that_waits_and_leave_it_its_room(line):
    for caller, quarters in {"a": 2, "b": 4, "c": 4, "large": 8, "d": 3, "e": 3}.items():
        line.come(caller, f"{caller}.user", quarters * GIB // 4)
    assert line.order == ["a", "b", "c", "d", "e"]
    line.end("b")
    line.come("f", "f.user", 2 * GIB // 4)
    line.come("one too many", "g.user", 2 * GIB // 4)
    line.end("c")
    line.come("too many still", "h.user", 2 * GIB // 4)  # three times as much is free, and kept for the large one
    assert line.order == ["a", "b", "c", "d", "e", "f"]
    line.end("a")
    until(lambda: "large" in line.order)
    assert line.order[6] == "large"


def test_a_stream_of_small_films_keeps_no_large_one_waiting(line):
    line.come("early", "web.eve", 2 * GIB)
    line.come(0, "app.user0", GIB)
    line.come("large", "shop.joe", 2 * GIB)
    for number in range(1, 20):
        line.come(number, f"app.user{number}", GIB)
        line.end(number - 1)
        until(lambda number=number: number in line.order)
    line.come(20, "app.user20", GIB)
    line.end("early")
    until(lambda: "large" in line.order)
    assert line.order == ["early", *range(21), "large"]  # though two of the small ones are still at work


def test_whoever_came_first_is_served_first_where_a_later_one_would_take_its_room():
    memory, order, gate = DecodeMemory(100), [], threading.Event()
    threads = [holding(memory, 60, order, "first", gate)]
    until(lambda: order == ["first"])
    threads.append(holding(memory, 80, order, "large", gate))
    until(lambda: memory.waiting == 1)
    threads.append(holding(memory, 30, order, "small", gate))
    until(lambda: memory.waiting == 2)
    assert order == ["first"]
    gate.set()
    for thread in threads:
        thread.join(60)

    assert order == ["first", "large", "small"]
    assert memory.waiting == 0


def test_no_more_is_given_than_there_is_and_all_of_it_comes_back():
    memory, chance, guard, held = DecodeMemory(1000 << 20), random.Random(5), threading.Lock(), Counter()
    parties = ["", *(f"{caller}.{user}" for caller in "abc" for user in ("", "x", "y"))]
    sizes = [(chance.randrange(1, 900), chance.randrange(1, 1500), chance.choice(parties)) for _ in range(300)]

    def count(party, change):
        with guard:
            for name in {"all", party, party[:1]}:
                held[name] += change
            assert held["all"] <= 1000 << 20
            assert all(held[party] <= 500 << 20 for party in parties if len(party) == 3)
            assert all(held[caller] <= 750 << 20 for caller in "abc")

    def decoding(wanted):
        *sizes, party = wanted
        with memory.share(Deadline(60, party)) as share:
            for size in sizes:
                count(party, -share.bytes)
                share.grow(size << 20)
                count(party, share.bytes)
            count(party, -share.bytes)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(decoding, sizes))
    assert (memory.waiting, memory._turns, +memory._held) == (0, {}, Counter())  # it remembers no party
    with memory.share(Deadline(0.5)) as all_of_it:
        all_of_it.grow(5000 << 20)
        assert all_of_it.bytes == 1000 << 20


def test_two_that_need_more_than_they_hold_do_not_wait_for_each_other():
    memory, met = DecodeMemory(100), threading.Barrier(2)

    def decoding(_):
        with memory.share(Deadline(60)) as share:
            share.grow(50)
            met.wait(60)
            share.grow(80)
            return share.bytes

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(decoding, range(2))) == [80, 80]


@pytest.mark.parametrize("leave", [lambda _: None, Deadline.give_up], ids=["deadline", "asker-leaves"])
def test_whoever_waits_too_long_or_leaves_loses_its_place_and_blocks_nobody(leave):
    memory, waits = DecodeMemory(100), Deadline(0.2 if leave is not Deadline.give_up else 60)
    with memory.share(Deadline()) as first:
        first.grow(90)
        with ThreadPoolExecutor(1) as threads, memory.share(waits) as late:
            waiting = threads.submit(late.grow, 50)
            until(lambda: memory.waiting == 1 or waiting.done())
            leave(waits)
            with pytest.raises(TooLateError):
                waiting.result(60)
        with memory.share(Deadline(60)) as next_one:
            next_one.grow(10)
            assert next_one.bytes == 10


def test_a_video_waits_until_another_is_decoded_and_then_comes_whole(clip):
    memory, deadline = DecodeMemory(OPENING_BYTES), Deadline(60)
    counts = []

    def pool(_):
        frames = []
        decode(clip, PoolSpec(), frames.append, limits=Limits(deadline=deadline), memory=memory)
        counts.append(memory.waiting)
        return [frame.pts for frame in frames]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(pool, range(2))
    assert first == second
    assert len(first) == 20
    assert counts == [1, 0]


def test_a_video_for_which_there_is_no_room_in_time_is_too_late_and_leaves_no_process(clip):
    memory = DecodeMemory(OPENING_BYTES)
    with memory.share(Deadline()) as another:
        another.grow(OPENING_BYTES)
        with pytest.raises(TooLateError):
            decode(clip, PoolSpec(), lambda _: None, limits=Limits(deadline=Deadline(0.2)), memory=memory)


def test_an_asker_who_leaves_ends_the_decoding(clip):
    deadline, seen = Deadline(60), []

    def leave(frame):
        seen.append(frame)
        deadline.give_up()

    with pytest.raises(MediaBrokenError):
        decode(clip, PoolSpec(6000, 2000), leave, limits=Limits(deadline=deadline))
    assert len(seen) < 2000


def test_the_default_is_a_part_of_the_memory_that_this_process_may_use():
    assert 512 << 20 <= default_bytes() <= 4 << 30

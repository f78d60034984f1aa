"""Decodings take their turn for memory: in the order they came, never more than there is, and none for ever."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.decode.memory import DecodeMemory, default_bytes
from pitwall_runtime.decode.port import Limits
from pitwall_runtime.decode.process import OPENING_BYTES, decode
from pitwall_runtime.errors import MediaBrokenError, TooLateError
from pitwall_runtime.media import PoolSpec


def until(holds):
    """Wait for a condition."""
    latest = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < latest
        time.sleep(0.005)


def holding(memory, count, order, name, gate):
    """A thread that holds `count` bytes until the gate opens, and notes when its turn came."""

    def hold():
        with memory.share(Deadline(60)) as share:
            share.grow(count)
            order.append(name)
            gate.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


def test_whoever_came_first_is_served_first_also_where_a_later_one_would_fit():
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
    memory, chance, guard, held = DecodeMemory(1000), random.Random(5), threading.Lock(), [0]
    counts = [(chance.randrange(1, 900), chance.randrange(1, 1500)) for _ in range(300)]

    def decoding(sizes):
        with memory.share(Deadline(60)) as share:
            for size in sizes:
                with guard:
                    held[0] -= share.bytes
                share.grow(size)
                with guard:
                    held[0] += share.bytes
                    assert held[0] <= 1000
            with guard:
                held[0] -= share.bytes

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(decoding, counts))
    with memory.share(Deadline(0.5)) as all_of_it:
        all_of_it.grow(5000)
        assert all_of_it.bytes == 1000


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

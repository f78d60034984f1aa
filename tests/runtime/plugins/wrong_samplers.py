"""Samplers that each break one rule, as a hurried author might."""

import asyncio
import ctypes
import functools
import os
import re
import subprocess

import numpy as np
from pydantic import BaseModel, Field

from pitwall_runtime.errors import SamplerFailedError, UnavailableError
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.contract import Input, Sampler, Stability
from pitwall_runtime.samplers.coverage.uniform import spread

SEEN: list[int] = []


class Nothing(BaseModel):
    """It takes none."""


class Undescribed(BaseModel):
    depth: int = 3


class Required(BaseModel):
    depth: int = Field(description="How deep.")


def made(select, parameters=Nothing, uses=(Input.SCORES, Input.EMBEDDINGS), **changes):
    usual = {"name": select.__name__.replace("_", "-"), "summary": "It breaks one rule of all."}
    return Sampler(
        select=select, parameters=parameters, contract=1, stability=Stability.ALPHA, uses=frozenset(uses),
        **{**usual, **changes},
    )  # fmt: skip


def along_the_captions(context, parameters):
    """Right where a variant provides subtitles, though a video may have none."""
    said = len(context.signals.subtitles)
    return Selection.of(spread(0, context.pool_size, context.budget), said=said)


def even(context, parameters):
    return Selection.of(spread(0, context.pool_size, context.budget))


def too_few(context, parameters):
    count = context.budget // 8 * 8
    return Selection.of(spread(0, context.pool_size, count) if count else ())


def too_far(context, parameters):
    return Selection.of(spread(0, context.pool_size, context.budget)[parameters.depth :])


class Bounded(BaseModel):
    depth: int = Field(default=0, ge=0, le=2, description="How many to leave out.")


def too_many(context, parameters):
    return Selection.of(range(min(context.pool_size, context.max_frames + 1)))


def foreign(context, parameters):
    return Selection.of(np.linspace(0, context.pool_size, context.budget).astype(int))


def twice(context, parameters):
    return Selection.of(np.linspace(0, context.pool_size - 1, context.budget).astype(int) // 2 * 2)


def unsorted(context, parameters):
    return Selection(tuple(np.argsort(-context.scores())[: context.budget].tolist()))


def a_list(context, parameters):
    return spread(0, context.pool_size, context.budget)


def global_chance(context, parameters):
    return Selection.of(np.random.choice(context.pool_size, context.budget, replace=False))


def remembers(context, parameters):
    SEEN.append(context.pool_size)
    shift = len(SEEN) // 60 % 2
    return Selection.of((index + shift) % context.pool_size for index in spread(0, context.pool_size, context.budget))


def writes(context, parameters):
    scores = context.scores()
    scores -= scores.min()
    return even(context, parameters)


def asks_in_secret(context, parameters):
    context.embeddings()
    return even(context, parameters)


def mumbles(context, parameters):
    return Selection.of(even(context, parameters).indices, threshold=float("nan"))


def needs_a_shot(context, parameters):
    assert len(context.shots) > 1
    return even(context, parameters)


def trusts_the_model(context, parameters):
    async def ask():
        words = await context.ask("How many, of 5?") if context.model else "5"
        return even(context, parameters) if int(words) else None

    return ask()


async def waits_forever(context, parameters):
    if context.budget == 7:
        await asyncio.sleep(3600)
    return even(context, parameters)


def ends_the_process(context, parameters):
    if context.budget == 7:
        os._exit(9)
    return even(context, parameters)


def keeps_the_interpreter(context, parameters):
    if context.budget == 7:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return even(context, parameters)


def grows(context, parameters):
    if context.budget == 7:
        np.ones((200, 1 << 17))
    return even(context, parameters)


def ends_well_too_soon(context, parameters):
    os._exit(0)


def writes_to_standard_output(context, parameters):
    os.write(1, b"libfoo 1.2\n")
    subprocess.run(["echo", "hello"], check=True)
    return too_few(context, parameters)


FIRST: dict[int, tuple[int, ...]] = {}


def keeps_its_first_choice(context, parameters):
    best = sorted(np.argsort(-context.scores(), kind="stable")[: context.budget].tolist())
    kept = [index for index in FIRST.setdefault(context.budget, best) if index < context.pool_size]
    others = (index for index in range(context.pool_size) if index not in kept)
    return Selection.of([*kept, *others][: context.budget])


@functools.lru_cache
def drawn(count, budget):
    return np.random.default_rng().choice(count, budget, replace=False)


def keeps_what_it_drew(context, parameters):
    return Selection.of(drawn(context.pool_size, context.budget))


def touches_nothing(context, parameters):
    if context.budget == 7:
        ctypes.string_at(0)
    return even(context, parameters)


async def asks_a_model_in_secret(context, parameters):
    try:
        await context.ask("How many?")
    except SamplerFailedError:
        pass
    except UnavailableError:
        pass
    return even(context, parameters)


def looks_at_signals_in_secret(context, parameters):
    return Selection.of(even(context, parameters).indices, said=len(context.signals.subtitles or ()))


async def always_waits(context, parameters):
    await asyncio.sleep(3600)


def of_another_library(context, parameters):
    return Selection(tuple(np.arange(context.budget)))


def of_floats(context, parameters):
    return Selection(tuple(np.linspace(0, context.pool_size - 1, context.budget)))


EVEN = made(even, uses=())
DIES = made(ends_the_process)
STUCK = made(keeps_the_interpreter)
GROWS = made(grows)
TOO_FEW = made(too_few)
ENDS_WELL = made(ends_well_too_soon)
NOISY = made(writes_to_standard_output)
KEEPS_FIRST = made(keeps_its_first_choice)
KEEPS_DRAWN = made(keeps_what_it_drew)
SEGFAULT = made(touches_nothing)

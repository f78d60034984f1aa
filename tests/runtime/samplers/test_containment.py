"""Whatever a sampler does wrong becomes one failure that names sampler, line and remedy; what hangs is left behind."""

import asyncio
import threading

import pytest
from pydantic import BaseModel

from pitwall_runtime.errors import SamplerFailedError, SamplerHangsError, UnavailableError
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.containment import GRACE_MILLISECONDS, Guard
from pitwall_runtime.samplers.contract import Allowance, Sampler, Stability
from pitwall_runtime.samplers.offline import ArrayFeatures, offline_context

NO_TIME = Allowance(milliseconds=-GRACE_MILLISECONDS + 50)


class NoParameters(BaseModel):
    pass


def guard_of(select):
    return Guard(
        Sampler(
            name="mine", select=select, parameters=NoParameters, contract=1, stability=Stability.ALPHA, summary="Mine."
        )
    )


def context(**more):
    return offline_context([0.1, 0.2, 0.3], 1, **more)


def raises(context, parameters):
    return Selection.of([context.scores()[7]])


def leaves(context, parameters):
    raise SystemExit(3)


async def raises_later(context, parameters):
    await asyncio.sleep(0)
    return raises(context, parameters)


@pytest.mark.parametrize(
    ("select", "words"),
    [
        pytest.param(
            raises, r"'mine' raised IndexError: .* at samplers/test_containment\.py:\d+: `return Sel", id="plain"
        ),
        pytest.param(raises_later, r"raised IndexError: .*`return Selection\.of\(\[context\.scores", id="async"),
        pytest.param(leaves, r"raised SystemExit: 3 at .*`raise SystemExit", id="one that wants to end the process"),
    ],
)
def test_what_it_raises_is_told_with_its_own_line_and_how_to_try_it(select, words):
    with pytest.raises(SamplerFailedError, match=words) as failure:
        guard_of(select).run(context(), NoParameters())
    assert "pitwall check-sampler mine" in failure.value.message


def test_one_that_hangs_is_cut_off_counted_and_told_where_it_is():
    released = threading.Event()

    def hangs(context, parameters):
        released.wait(60)

    guard = guard_of(hangs)
    with pytest.raises(
        SamplerHangsError, match=r"it was at .*test_containment\.py:\d+: `released\.wait\(60\)`; mend it, or"
    ):
        guard.run(context(allowance=NO_TIME), NoParameters())

    assert guard.hanging == 1
    released.set()
    for thread in [one for one in threading.enumerate() if one.name == "sampler"]:
        thread.join(10)
    assert guard.hanging == 0


def test_an_async_one_that_hangs_is_cancelled():
    cancelled = threading.Event()

    async def waits(context, parameters):
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(SamplerHangsError, match=r"`await asyncio\.sleep\(60\)`"):
        guard_of(waits).run(context(allowance=NO_TIME), NoParameters())
    assert cancelled.wait(10)


def test_the_encoder_may_take_longer_than_the_sampler():
    class Encoding(ArrayFeatures):
        def scores(self, indices, query):
            asked.meter.started -= 600  # as if the encoder had begun ten minutes ago
            asked.meter._encoding_since -= 600
            threading.Event().wait(0.7)  # the guard looks at least once
            asked.meter.feature_seconds += 600
            return super().scores(indices, query)

    def patient(context, parameters):
        return Selection.of([int(context.scores().argmax())])

    asked = context(allowance=Allowance(milliseconds=1000), features=Encoding([0, 1, 0]))

    assert guard_of(patient).run(asked, NoParameters()).indices == (1,)


def test_what_the_encoder_refuses_is_not_the_samplers_fault():
    class Refusing(ArrayFeatures):
        def scores(self, indices, query):
            raise UnavailableError("another process still prepares the video")

    with pytest.raises(UnavailableError, match="another process still prepares"):
        guard_of(raises).run(context(features=Refusing([0, 1, 0])), NoParameters())


def test_a_slow_model_is_cut_off_so_that_the_sampler_can_give_its_best_so_far():
    class SlowModel:
        async def ask(self, prompt, indices):
            await asyncio.sleep(60)

    async def careful(context, parameters):
        try:
            await context.ask("which?", [0])
        except SamplerFailedError:
            return Selection.of([2])

    chosen = guard_of(careful).run(context(model=SlowModel(), allowance=Allowance(milliseconds=50)), NoParameters())

    assert chosen.indices == (2,)

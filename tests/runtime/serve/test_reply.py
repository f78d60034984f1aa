"""An answer is written once, in OpenAI's shape, and never so long that it would hold up other people's."""

import json

from pitwall_gateway.pools.upstream import CallLimits
from pitwall_runtime.damage import told
from pitwall_runtime.media import TICKS, Damage, FramePool, PoolSpec, Selection, Shot
from pitwall_runtime.pipeline.asked import Result
from pitwall_runtime.serve.reply import written
from pitwall_runtime.stages.answer.port import Answer, Moment

STAGES = {"ingest": 0.0, "select": 0.25, "score": 0.1}


def result(count, *, damage=(), text="At 0:10.", label="bow"):
    """An answer from all of a film's frames."""
    pool = FramePool(
        "ab" * 32, PoolSpec(), PoolSpec().time_base, tuple(range(0, count * TICKS, TICKS)), count * TICKS,
        (Shot(0, count),), damage,
    )  # fmt: skip
    moments = tuple(Moment(float(at), at + 1.0, at + 0.5, label, 0.123456) for at in range(count))
    return Result(Answer(text, moments, 7), pool, Selection(tuple(range(count))), 90, 95, STAGES, cold=True)


def read(variant, answered):
    return json.loads(written(variant, answered, "ab+cd"))


def test_an_answer_has_openais_shape_and_says_what_it_stands_on(make_variant):
    said = read(make_variant(), result(2))
    assert (said["object"], said["model"], said["choices"][0]["message"]["content"]) == (
        "chat.completion", "aks-v1", "At 0:10.",
    )  # fmt: skip
    assert said["usage"] == {"prompt_tokens": 95, "completion_tokens": 7, "total_tokens": 102}
    details = said["pitwall"]
    assert (details["frames"], details["tokens"], details["cache"], details["video"]) == ([0, 1], 90, "cold", "ab+cd")
    assert details["moments"][1] == {
        "start_seconds": 1, "end_seconds": 2, "pts_seconds": 1.5, "label": "bow", "score": 0.1235,
    }  # fmt: skip
    assert (details["frame_selection_seconds"], details["stages"]) == (0.25, STAGES)
    assert (details["damage"], details["damaged"]) == ([], {"stretches": 0, "seconds": 0})


def test_of_many_thousand_damaged_stretches_a_hundred_are_told_and_how_many_there_are(make_variant):
    damage = told([Damage(3.0 * at, 3.0 * at + 1) for at in range(14_333)])
    details = read(make_variant(), result(2, damage=damage))["pitwall"]
    assert len(details["damage"]) == 100
    assert details["damaged"] == {"stretches": 14_333, "seconds": 14_333}
    assert set(details["damage"][0]) == {"start_seconds", "end_seconds"}


def test_the_longest_answer_is_within_the_gateways_bound(make_variant):
    damage = told([Damage(3.0 * at + 0.333, 3.0 * at + 1.333) for at in range(14_333)])
    longest = result(1024, damage=damage, text="x" * (512 << 10), label="a name of a class " * 8)
    assert len(written(make_variant(), longest, "ab+cd")) < CallLimits().reply_bytes

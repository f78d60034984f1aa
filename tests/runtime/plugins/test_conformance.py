"""The suite finds each broken rule, in which situation and at which line, and nothing where nothing is wrong."""

import importlib.util
from pathlib import Path

import pytest

from pitwall_runtime.plugins.conformance import conform
from pitwall_runtime.plugins.suite.rules import Clause, SuiteLimits
from pitwall_runtime.plugins.suite.situations import all_situations, situation
from pitwall_runtime.samplers.contract import Input


def load():
    path = Path(__file__).with_name("wrong_samplers.py")
    spec = importlib.util.spec_from_file_location("wrong_samplers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wrong = load()
SHORT = [one for one in all_situations() if not one.is_long]


def found(sampler, limits=None):
    return conform(sampler, limits, SHORT).findings


def test_a_sampler_that_keeps_every_rule_has_no_findings():
    result = conform(wrong.EVEN)

    assert result.findings == ()
    assert result.situations == len(all_situations())


@pytest.mark.parametrize(
    ("select", "rule", "situation_name", "line"),
    [
        (
            wrong.too_few,
            Clause.EXACTLY,
            "a budget of 1",
            "return Selection.of(spread(0, context.pool_size, count)",
        ),
        (wrong.too_many, Clause.EXACTLY, "a film", "return Selection.of(range(min("),
        (wrong.foreign, Clause.EXACTLY, "a film", "return Selection.of(np.linspace"),
        (wrong.a_list, Clause.EXACTLY, "a film", "return spread("),
        (wrong.global_chance, Clause.REPEATS, "a film", "return Selection.of(np.random.choice("),
        (wrong.remembers, Clause.FORGETS, "a film", "return Selection.of((index + shift)"),
        (wrong.mumbles, Clause.DIAGNOSTICS, "a film", "return Selection.of(even("),
    ],
)
def test_a_wrong_choice_is_told_with_the_line_that_returned_it(select, rule, situation_name, line):
    first = next(finding for finding in found(wrong.made(select)) if finding.rule is rule)

    assert first.situation == situation_name
    assert f"wrong_samplers.py:{line_number(line)}" in first.line
    assert line in first.line


@pytest.mark.parametrize(
    ("select", "situation_name", "line"),
    [
        (wrong.writes, "a film", "scores -= scores.min()"),
        (wrong.needs_a_shot, "one shot", "assert len(context.shots) > 1"),
        (wrong.trusts_the_model, "a model that talks nonsense", "return even(context, parameters) if int(words)"),
    ],
)
def test_an_error_is_told_with_the_line_that_led_to_it(select, situation_name, line):
    errors = [one for one in found(wrong.made(select)) if one.rule is Clause.ENDS and one.situation == situation_name]

    assert line in errors[0].message


@pytest.mark.parametrize(
    ("select", "situation_name", "line"),
    [
        (wrong.twice, "as many frames as the budget", "return Selection.of(np.linspace"),
        (wrong.unsorted, "a film", "return Selection(tuple(np.argsort"),
        (wrong.of_floats, "a film", "return Selection(tuple(np.linspace"),
    ],
)
def test_frames_that_are_given_twice_unsorted_or_no_integers_break_the_rule_about_frames(select, situation_name, line):
    result = conform(wrong.made(select), None, SHORT)
    first = next(one for one in result.findings if one.situation == situation_name)

    assert {one.rule for one in result.findings} == {Clause.EXACTLY}
    assert line in first.message


def test_integers_of_another_library_are_integers():
    assert conform(wrong.made(wrong.of_another_library, uses=()), None, SHORT).findings == ()


def test_a_rule_that_no_run_put_to_the_test_is_not_called_kept():
    result = conform(wrong.made(wrong.needs_a_shot), None, [one for one in SHORT if one.name == "one shot"])

    assert set(result.not_tried) >= {Clause.EXACTLY, Clause.REPEATS, Clause.FORGETS, Clause.USES, Clause.DIAGNOSTICS}
    assert not result.holds


def test_an_async_one_that_always_hangs_is_given_up_after_three():
    result = conform(wrong.made(wrong.always_waits), SuiteLimits(film_seconds=0.05), SHORT)

    assert (result.situations, {one.rule for one in result.findings}) == (3, {Clause.IN_TIME})


@pytest.mark.parametrize(
    ("select", "what", "line"),
    [
        (wrong.asks_a_model_in_secret, "model", '`await context.ask("How many?")`'),
        (wrong.looks_at_signals_in_secret, "subtitles", "context.signals.subtitles"),
    ],
)
def test_models_and_signals_that_are_asked_in_secret_are_told_too(select, what, line):
    secrets = found(wrong.made(select, uses=()))

    assert {one.message for one in secrets} == {f"asks for {what}, which `uses` does not name"}
    assert line in secrets[0].line


def test_a_broken_json_schema_is_told_once():
    only, *others = conform(wrong.made(wrong.even, {"type": "objekt", "properties": 3}), None, SHORT[:1]).findings

    assert (only.rule, others) == (Clause.PARAMETERS, [])
    assert "its parameters are no JSON schema: properties: 3 is not of type 'object'" in only.message


def test_parameters_are_tried_at_their_bounds():
    only, *others = conform(wrong.made(wrong.too_far, wrong.Bounded), None, SHORT[:1]).findings

    assert (only.rule, only.situation) == (Clause.EXACTLY, "a film with depth = 2")
    assert others == []


def test_what_is_asked_for_in_secret_is_told_with_the_line_that_asks():
    secrets = [one for one in found(wrong.made(wrong.asks_in_secret, uses=())) if one.rule is Clause.USES]

    assert secrets[0].message == "asks for embeddings, which `uses` does not name"
    assert "`context.embeddings()`" in secrets[0].line


def test_one_that_waits_forever_is_cut_off():
    hanging = [situation("a budget of 7", budget=7)]
    limits = SuiteLimits(film_seconds=0.05)

    findings = conform(wrong.made(wrong.waits_forever), limits, hanging).findings
    assert [one.rule for one in findings] == [Clause.IN_TIME]
    assert "`await asyncio.sleep(3600)`" in findings[0].message


def test_what_a_sampler_needs_is_there_in_every_situation_and_what_it_only_uses_is_not():
    uses = (Input.SUBTITLES,)
    needing = wrong.made(wrong.along_the_captions, uses=uses, needs=frozenset(uses))

    assert conform(needing, None, SHORT[:3]).findings == ()
    only_using = wrong.made(wrong.along_the_captions, uses=uses)
    assert {one.rule for one in conform(only_using, None, SHORT[:3]).findings} == {Clause.ENDS}


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"needs": frozenset({Input.SUBTITLES})}, Clause.DECLARATION, "which `uses` does not name"),
        ({"name": "My Sampler"}, Clause.DECLARATION, "no DNS label"),
        ({"summary": "."}, Clause.DECLARATION, "one sentence"),
        ({"uses": ("pictures",)}, Clause.DECLARATION, "are not all Inputs"),
        ({"parameters": wrong.Undescribed}, Clause.PARAMETERS, "parameter 'depth' has no description"),
        ({"parameters": wrong.Required}, Clause.PARAMETERS, "Field required"),
        ({"parameters": {"properties": {"x": {"description": "y" * 20_000}}}}, Clause.PARAMETERS, "fit a status"),
    ],
)
def test_a_declaration_that_cannot_be_shown_is_told(changes, rule, words):
    findings = conform(wrong.made(wrong.even, **changes), None, SHORT[:1]).findings

    assert [one.rule for one in findings] == [rule]
    assert words in findings[0].message


def line_number(code):
    lines = Path(wrong.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if code in line)

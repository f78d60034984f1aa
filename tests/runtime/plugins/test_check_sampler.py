"""The command survives samplers that end, occupy or fill its process, and says of each where and what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.plugins.locate import locate

HERE = Path(__file__).parent
QUICK = ("--seconds", "0.2", "--ten-hours-seconds", "1")


def check(name, *options, cwd=HERE):
    command = [sys.executable, "-m", "pitwall_runtime", "check-sampler", name, *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=110, check=False)


def findings(name, *options):
    done = check(name, "--output", "json", *options)
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)["findings"]


def test_a_good_one_is_told_rule_by_rule():
    done = check("uniform")

    assert done.returncode == 0, done.stdout
    assert "kept    chooses the same for the same seed" in done.stdout
    assert "BROKEN" not in done.stdout


def test_a_broken_rule_is_told_with_situation_line_and_remedy():
    done = check("wrong_samplers:TOO_FEW")

    assert done.returncode == 1
    assert "a budget of 1: sampler 'too-few' chose 0 frames; it must choose exactly 1 of 597" in done.stdout
    assert "wrong_samplers.py:" in done.stdout
    assert "return Selection.of(frames) with context.budget different frames" in done.stdout


def test_one_that_ends_the_process_is_found_and_the_rest_is_tried():
    only, *others = findings("wrong_samplers:DIES")

    assert (only["situation"], only["rule"]) == ("a budget of 7", "ends without an error")
    assert "ended the whole process with status 9" in only["message"]
    assert others == []


@pytest.mark.slow
def test_one_that_keeps_the_interpreter_is_ended_from_outside():
    only, *others = findings("wrong_samplers:STUCK", *QUICK)

    assert (only["situation"], only["rule"]) == ("a budget of 7", "ends in time")
    assert "wrong_samplers.py" in only["line"]
    assert others == []


def test_one_that_grows_is_told_by_how_much():
    only, *others = findings("wrong_samplers:GROWS", "--mebibytes", "100", "--seconds", "60")

    assert (only["situation"], only["rule"]) == ("a budget of 7", "stays within its memory")
    assert "MiB beyond its inputs, 100 are allowed" in only["message"]
    assert others == []


def test_what_is_no_sampler_is_refused_in_a_sentence():
    done = check("no-such-sampler")

    assert done.returncode == 2
    assert done.stderr.startswith(
        "pitwall check-sampler: unknown sampler 'no-such-sampler'; choose one of adard, air, aks"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:SAMPLER", "cannot be imported: ModuleNotFoundError"),
        ("wrong_samplers:SEEN", "is a list; name an attribute that is a contract.Sampler"),
        ("wrong_samplers:NOTHING", "has no attribute 'NOTHING'"),
    ],
)
def test_an_attribute_that_is_no_sampler_is_refused(name, words, monkeypatch):
    monkeypatch.chdir(HERE)
    with pytest.raises(BadVariantError) as refusal:
        locate(name)
    assert words in refusal.value.message

"""The command survives samplers that end, occupy or fill its process, and says of each where and what to do."""

import json
import sys
from pathlib import Path

import pytest
from harness import forked

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.plugins.locate import locate

HERE = Path(__file__).parent
QUICK = ("--seconds", "0.2", "--ten-hours-seconds", "1")


def check(name, *options, cwd=HERE):
    command = [sys.executable, "-m", "pitwall_runtime", "check-sampler", name, *options]
    return forked.run(command, cwd=cwd, seconds=110)


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


def test_one_that_ends_its_process_well_before_it_chose_is_not_called_good():
    done = check("wrong_samplers:ENDS_WELL")

    assert done.returncode == 1
    assert "10 rules in 0 of 49 situations" in done.stdout
    assert "a film: it ended the whole process with status 0" in done.stdout
    assert "not tried  chooses exactly" in done.stdout
    assert "kept    ends in time" not in done.stdout


def test_what_it_writes_to_standard_output_hides_nothing():
    found = findings("wrong_samplers:NOISY")

    assert (found[0]["situation"], found[0]["rule"][:15]) == ("a budget of 1", "chooses exactly")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        pytest.param("KEEPS_FIRST", "remembers nothing of other questions", id="its first choice of a size"),
        pytest.param("KEEPS_DRAWN", "chooses the same for the same seed", id="what it drew without the seed"),
    ],
)
def test_what_it_keeps_for_as_long_as_its_process_lives_is_found(name, rule):
    found = findings(f"wrong_samplers:{name}")

    assert {one["rule"].partition(",")[0] for one in found} == {rule}
    assert "in another process" in found[0]["message"]
    assert "wrong_samplers.py:" in found[0]["line"]


def test_a_crash_is_told_with_its_signal_and_line():
    only, *others = findings("wrong_samplers:SEGFAULT")

    assert "ended the whole process by the signal SIGSEGV" in only["message"]
    assert "`ctypes.string_at(0)`" in only["line"]
    assert others == []


def test_a_module_that_hangs_when_it_is_imported_is_ended_and_told(tmp_path):
    (tmp_path / "endless.py").write_text("import threading\nthreading.Event().wait()\n")
    done = check("endless:SAMPLER", "--import-seconds", "2", cwd=tmp_path)

    assert done.returncode == 1
    assert "importing the module: it had not ended after 2 s" in done.stdout
    assert "endless.py:2: `threading.Event().wait()`" in done.stdout


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
    assert "`np.ones((200, 1 << 17))`" in only["line"]
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
        (
            "ends_at_once:SAMPLER",
            "SystemExit: no licence; mend its module; it was at plugins/ends_at_once.py:5: `sys.exit",
        ),
        ("wrong_samplers:SEEN", "is a list; name an attribute that is a contract.Sampler"),
        ("wrong_samplers:NOTHING", "has no attribute 'NOTHING'"),
    ],
)
def test_an_attribute_that_is_no_sampler_is_refused(name, words, monkeypatch):
    monkeypatch.chdir(HERE)
    with pytest.raises(BadVariantError) as refusal:
        locate(name)
    assert words in refusal.value.message

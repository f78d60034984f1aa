"""docs/operations.md followed word by word: every command that the page names is typed on a real API server, in an
order in which an SRE would need it, and does what the page says."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness import plugin as plugins
from harness.plugin import Plugin
from harness.rollouts.scenario import CANARY, Scenario

from pitwall_crds.names import FULL_WEIGHT
from pitwall_flags.service.auth import VARIABLES, TokenScope

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(600)]
PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
COMMANDS = re.compile(r"`(?:kubectl |pitwall )*(kill|release|abort|undo|promote|retry|status|replay|wait|replace)\b")
LONG = [{"weightBasisPoints": 2000, "minSeconds": 9999}, CANARY[1]]
CANDIDATE = "dpp-v1"
ONLY_STABLE = {"uniform-v1": FULL_WEIGHT}


@dataclass
class Keyboard:
    """Types commands as the page writes them, and remembers which."""

    plugin: Plugin
    flags: str
    typed: set[str] = field(default_factory=set)

    def __call__(self, command: str, *more: str, fails: bool = False) -> str:
        """What it prints; `more` are words that a shell would quote."""
        program, *words = command.split()
        assert program == "kubectl"
        self.typed.add(words[1] if words[0] == "pitwall" else words[0])
        done = self.plugin.run(str(self.plugin.kubectl), *words, *more)
        assert (done.returncode != 0) is fails, f"{command}: {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def switch(self, verb: str) -> str:
        return self(f"kubectl pitwall {verb} --flags {self.flags} --reason tried")


@pytest.fixture
def type_(scenario: Scenario, tmp_path: Path) -> Keyboard:
    mine = plugins.in_namespace(scenario.kubectl.kubeconfig, scenario.namespace, tmp_path / "kubeconfig")
    programs = plugins.install(tmp_path / "programs")
    token = {VARIABLES[TokenScope.KILL]: "any: this flag service asks for none"}
    return Keyboard(Plugin(programs, scenario.kubectl.binary, mine, tmp_path, token), scenario.flags.url)


def served_by_candidate(scenario: Scenario) -> None:
    scenario.await_share(CANDIDATE, 2000)


def everybody_on(scenario: Scenario, variant: str) -> None:
    scenario.await_split({variant: FULL_WEIGHT})


def history(scenario: Scenario) -> str:
    return "\n".join(f"{entry['reason']}: {entry['message']}" for entry in scenario.status()["history"])


def test_every_command_of_the_page_does_what_it_says(scenario: Scenario, type_: Keyboard, tmp_path: Path):
    scenario.start_canary(stages=LONG)
    assert "aks-v1 is to replace uniform-v1" in type_("kubectl pitwall status")

    kill_and_release(scenario, type_)
    abort_and_hurry(scenario, type_)
    undo(scenario, type_)
    make_anew(scenario, type_, tmp_path)
    miss_a_deadline(scenario, type_)

    assert set(COMMANDS.findall(PAGE.read_text())) <= type_.typed


def kill_and_release(scenario: Scenario, type_: Keyboard) -> None:
    type_.switch("kill")
    assert scenario.split() == ONLY_STABLE, "at once, without the operator"
    scenario.await_phase("Aborted")
    assert (scenario.status()["stage"], scenario.condition("Killed")) == ("killed", "True")

    scenario.apply("rollout-dpp.yaml", spec__stages=LONG)
    scenario.await_status(lambda status: "kill switch is on" in status["reason"], "nothing begins")
    type_.switch("release")
    served_by_candidate(scenario)
    assert "aks-v1" not in scenario.split(), "a release exposes nobody to what was killed"


def abort_and_hurry(scenario: Scenario, type_: Keyboard) -> None:
    type_("kubectl pitwall abort")
    scenario.await_phase("Aborted")
    everybody_on(scenario, "uniform-v1")
    assert "no candidate to abort" in type_("kubectl pitwall abort", fails=True), "what changes nothing says so"

    type_("kubectl pitwall retry")
    served_by_candidate(scenario)
    type_("kubectl pitwall promote --full --reason", "a fix for everybody")
    scenario.await_phase("Stable", variant=CANDIDATE)
    everybody_on(scenario, CANDIDATE)
    assert re.search(r"admin.*a fix for everybody", history(scenario)), "who and why"


def undo(scenario: Scenario, type_: Keyboard) -> None:
    type_("kubectl pitwall undo")
    scenario.await_phase("Aborted", variant="uniform-v1")
    everybody_on(scenario, "uniform-v1")
    assert scenario.rollout()["spec"]["variantRef"]["name"] == CANDIDATE, "what a repository states is left alone"

    type_("kubectl pitwall retry")
    served_by_candidate(scenario)
    type_("kubectl pitwall promote --full --reason", "once more")
    scenario.await_phase("Stable", variant=CANDIDATE)
    everybody_on(scenario, CANDIDATE)
    stages = [{"weightBasisPoints": share, "minSeconds": 2} for share in (1000, 5000)]
    scenario.patch("rollout", scenario.name, {"spec": {"stages": [*stages, LONG[1]]}})
    type_("kubectl pitwall undo --over 10,50")
    for share in (1000, 5000, FULL_WEIGHT):
        scenario.await_share("uniform-v1", share)
    scenario.await_phase("Aborted", variant="uniform-v1")


def make_anew(scenario: Scenario, type_: Keyboard, folder: Path) -> None:
    manifest, record = folder / "rollout.yaml", folder / "record.jsonl"
    manifest.write_text(type_("kubectl get rollout.pitwall.dev/sampler -o yaml"))
    type_(f"kubectl replace --force -f {manifest}")
    scenario.await_phase("Aborted", variant="uniform-v1")
    everybody_on(scenario, "uniform-v1")
    assert "Adopted" in history(scenario)

    record.write_text(type_(f"kubectl pitwall record --flags {scenario.flags.url}"))
    assert type_(f"kubectl pitwall replay {record}")


def miss_a_deadline(scenario: Scenario, type_: Keyboard) -> None:
    scenario.patch("rollout", scenario.name, {"spec": {"progressDeadlineSeconds": 2}})
    broken = {"spec": {"runtime": {"image": "registry.example/pitwall-runtime:broken"}}}
    scenario.patch("samplervariant", CANDIDATE, broken)
    type_("kubectl wait --for=condition=Stalled rollout.pitwall.dev/sampler --timeout=60s")
    assert scenario.split() == ONLY_STABLE

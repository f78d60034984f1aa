"""Has the candidate answer users of stable while stable's pods cannot, where the flag permits it, and within bounds."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pitwall_crds.names import Arm, Header
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.pools.circuits import Circuits, Pool
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.pools.witnesses import Witnesses
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure

SETTLING_SECONDS: Final = 1.0
"""How long after its last answer for stable the candidate's pods are taken to be busy with it."""


class Substitutes:
    """Knows whether stable can answer, and asks the candidate where it cannot.

    Stable's circuit counts for this alone: where nobody may answer instead, stable is always asked. It is one party's,
    and what a party asks may break whoever gets it, so others must bear it out.
    """

    def __init__(
        self, assigner: Assigner, circuits: Circuits, pool: Pool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._assigner = assigner
        self._circuits = circuits
        self._pool = pool
        self._clock = clock
        self._witnesses = Witnesses()
        self._under_way = 0
        self._ended = float("-inf")

    @property
    def at_work(self) -> bool:
        """Whether the candidate carries more than its own users. What begins now is no fair comparison, whosever it
        is."""
        return self._under_way > 0 or self._clock() - self._ended < SETTLING_SECONDS

    def why_not_stable(self, call: Call) -> VariantFailure | None:
        """Why stable's pods need not be asked first; None where they must, be it as a trial."""
        if not self._permitted(call) or not self._is_for_stables_pods(call):
            return None
        stable = self._by_stable(call)
        if not self._pool(stable.variant, stable.arm):
            words = f"sampler variant {stable.variant} has no URL in the routes file"
            return VariantFailure(FailureKind.UNROUTED, words, counts=False, reached=False)
        if self._keeps_failing(stable) and not self._circuits.admits(stable):
            return VariantFailure(FailureKind.CIRCUIT_OPEN, f"{stable.variant} keeps failing", counts=False)
        return None

    def comes_second(self, call: Call, failure: VariantFailure) -> bool:
        """Whether the second try, the only one there is, is the candidate's: stable's pods did not get the question, or
        they keep failing, so that it is no question which breaks whoever gets it."""
        if not self._permitted(call):
            return False
        stable = self._by_stable(call)
        if self._is_for_stables_pods(call) and not failure.reached:
            return True
        return not self._pool(stable.variant, stable.arm) or self._keeps_failing(stable)

    def _keeps_failing(self, stable: Call) -> bool:
        return not self._circuits.is_closed(stable) and self._witnesses.confirm(stable.party, self._clock())

    def answered(self, call: Call, reply: Reply) -> None:
        """What whoever was asked first answered; where those are stable's pods, it is a sign of their life."""
        if self._is_for_stables_pods(call):
            self.tell(call, reply)

    def tell(self, call: Call, reply: Reply) -> None:
        """What stable's pods said to a question. Failures that a caller's own hurry, a video's server or our own limit
        brings about do not speak against them, nor does what the candidate failed as well."""
        if self._assigner.substitute() is None:
            return
        stable = self._by_stable(call)
        if isinstance(reply, VariantFailure):
            if call.arm is not Arm.CANDIDATE and _tells_of_pods(call, reply):
                self._witnesses.failed(call.party, self._clock())
                self._circuits.failed(stable)
            return
        self._circuits.succeeded(stable)
        if isinstance(reply, VariantAnswer):  # what is refused tells nobody else that questions are answered
            self._witnesses.answered(call.party, self._clock())

    async def ask(self, call: Call, ends: float) -> tuple[str, Reply]:
        """Who is asked instead, and its reply; a failure at once where its pods have as many of these questions as they
        may, or where it fails its own users."""
        who = self._assigner.substitute()
        if who is None:
            return "", VariantFailure(FailureKind.UNROUTED, "nobody may answer for stable any more")
        room = who.questions_per_pod * len(self._pool(who.variant, Arm.CANDIDATE))
        if self._under_way >= room:
            words = f"{who.variant} answers {self._under_way} of stable's questions, as many as it may"
            return who.variant, VariantFailure(FailureKind.SATURATED, words)
        headers = {**call.headers, Header.ARM: Arm.SHADOW}  # on which the runtime counts what is no arm's
        asked = replace(call, variant=who.variant, arm=Arm.CANDIDATE, headers=headers, ends=ends, instead=True)
        reply: Reply | None = None  # its caller may leave
        self._under_way += 1
        try:
            reply = await self._circuits.ask_aside(asked)
            return who.variant, reply
        finally:
            self._under_way -= 1
            if not isinstance(reply, VariantFailure) or reply.reached:
                self._ended = self._clock()

    def _permitted(self, call: Call) -> bool:
        return call.arm is not Arm.CANDIDATE and self._assigner.substitute() is not None

    def _by_stable(self, call: Call) -> Call:
        return replace(call, variant=self._assigner.stable_variant(), arm=Arm.STABLE)

    def _is_for_stables_pods(self, call: Call) -> bool:
        """Whether stable's pods answer this; a control arm may have pods of its own."""
        stable = self._by_stable(call)
        return call.arm is Arm.STABLE or self._pool(call.variant, call.arm) == self._pool(stable.variant, stable.arm)


def _tells_of_pods(call: Call, failure: VariantFailure) -> bool:
    return not call.hurried and failure.video != "" and failure.fault is not FailureKind.SATURATED

"""Builds the gateway's components from its settings and connects them (the composition root)."""

import asyncio
import time
from dataclasses import dataclass

from pitwall_crds.names import Arm
from pitwall_gateway.callers.admission import Admission
from pitwall_gateway.callers.authenticate import Authenticator
from pitwall_gateway.callers.keys import Callers
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.counting.users.shares import Shares
from pitwall_gateway.feedback.feedback import Feedback
from pitwall_gateway.feedback.ledger import Ledger
from pitwall_gateway.feedback.shelf import PlaceRule
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.flags.port import Flags
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.endpoints import EndpointFollower
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.routes import Routes, RouteTable
from pitwall_gateway.pools.silence import Silence
from pitwall_gateway.pools.stalls import LoopStalls
from pitwall_gateway.pools.upstream import Upstream
from pitwall_gateway.pools.warmup import WarmUp
from pitwall_gateway.serve.answering.relay import Relay
from pitwall_gateway.serve.answering.substitutes import Substitutes
from pitwall_gateway.serve.http.receive import BodyRoom
from pitwall_gateway.serve.settings import GatewaySettings
from pitwall_gateway.serve.shadowing.shadow import Shadow
from pitwall_gateway.serve.videos import VideoDesk, VideoRule


@dataclass(frozen=True, slots=True)
class Wiring:
    """Every component of the gateway, connected; what the endpoints use."""

    settings: GatewaySettings
    flags: Flags
    routes: RouteTable
    assigner: Assigner
    telemetry: GatewayTelemetry
    relay: Relay
    videos: VideoDesk
    shadow: Shadow
    feedback: Feedback
    authenticator: Authenticator
    admission: Admission
    bodies: BodyRoom
    upstreams: tuple[Upstream, ...]
    warm_up: WarmUp
    stalls: LoopStalls
    endpoints: EndpointFollower | None = None

    def routes_now(self) -> Routes:
        """The routes at this moment."""
        return self.routes.current(time.monotonic())

    async def start(self) -> None:
        """Follow the flags and the cluster's pods, work the shadow queue, close follow-up windows, warm new pods."""
        if self.endpoints:
            self.endpoints.start()
        self.stalls.start()
        await asyncio.to_thread(self.flags.start)
        self.shadow.start()
        self.feedback.start()
        self.warm_up.start()

    async def close(self) -> None:
        """Stop everything that start began; waits for no copy."""
        if self.endpoints:
            await self.endpoints.close()
        await self.stalls.close()
        await self.warm_up.close()
        await self.shadow.close()
        await self.feedback.close()
        for upstream in self.upstreams:
            await upstream.close()
        await asyncio.to_thread(self.flags.close)


def assemble(settings: GatewaySettings, flags: Flags) -> Wiring:
    """The components for these settings, connected. Users, shadow copies, warm-ups and videos to prepare have
    connections of their own. Raises CallersError where nobody could be let in."""
    rules, routes = settings.rules, RouteTable(settings.routes)
    assigner = Assigner(flags, settings.flag, lambda last: routes.current(time.monotonic()).stable_variant(last))
    callers = Callers(rules.callers.file, rules.callers.limits)
    stalls = LoopStalls()
    silence = Silence(stalled=stalls.seconds)
    telemetry = GatewayTelemetry(silence.seconds, Shares(rules.shares, callers.share_of))

    def pool(variant: str, arm: Arm) -> tuple[str, ...]:
        return routes.current(time.monotonic()).urls(variant, arm)

    recent, for_warm_up = RecentQuestions(), Upstream(routes, rules.limits)
    warm_up = WarmUp(routes, for_warm_up.ask_at, recent, rules.warm)
    for_users = Upstream(routes, rules.limits, warm_up.urls, telemetry.memory.answered, silence)
    for_copies = Upstream(routes, rules.limits, warm_up.urls, silence=silence)
    for_videos = Upstream(routes, rules.limits)
    circuits = Circuits(for_users, rules.breaker, pool)
    return Wiring(
        settings=settings,
        flags=flags,
        routes=routes,
        assigner=assigner,
        telemetry=telemetry,
        relay=Relay(
            assigner,
            circuits,
            telemetry,
            recent,
            rules.limits.answer_seconds,
            Substitutes(assigner, circuits, pool),
        ),
        videos=VideoDesk(
            for_videos,
            assigner.stable_variant,
            VideoRule(rules.callers.access(rules.videos), settings.shows_assignment, rules.limits.answer_seconds),
        ),
        shadow=Shadow(for_copies, telemetry, rules.shadow, rules.limits),
        feedback=Feedback(Ledger(rules.ledger, PlaceRule(callers.share_of, rules.shares.user)), telemetry),
        authenticator=Authenticator(rules.callers, callers),
        admission=Admission(callers),
        bodies=BodyRoom(),
        upstreams=(for_users, for_copies, for_warm_up, for_videos),
        warm_up=warm_up,
        stalls=stalls,
        endpoints=EndpointFollower(settings.endpoints, settings.routes) if settings.endpoints else None,
    )

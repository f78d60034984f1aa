"""The gateway's settings, read from its command line."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pitwall_crds.resource import DNS_LABEL
from pitwall_gateway.feedback.ledger import LedgerRule
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.recent import BODIES
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.pools.warmup import WarmRule
from pitwall_gateway.serve.receive import BodyRule
from pitwall_gateway.serve.shadow import ShadowRule


@dataclass(frozen=True, slots=True)
class Rules:
    """Every bound of the gateway, with its default."""

    body: BodyRule = field(default_factory=BodyRule)
    limits: CallLimits = field(default_factory=CallLimits)
    breaker: BreakerRule = field(default_factory=BreakerRule)
    shadow: ShadowRule = field(default_factory=ShadowRule)
    ledger: LedgerRule = field(default_factory=LedgerRule)
    warm: WarmRule = field(default_factory=WarmRule)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where to listen, whom to follow, what to remember where. An empty `flags_sync` or `endpoints` follows nobody."""

    port: int
    routes: Path
    state_dir: Path
    host: str = "127.0.0.1"
    flag: str = "sampler.variant"
    flags_sync: str = ""
    endpoints: str = ""
    grace_seconds: float = 10.0
    rules: Rules = field(default_factory=Rules)


def read_settings(arguments: Sequence[str]) -> GatewaySettings:
    """The settings in the arguments; bad ones end the process with status 2 and one line."""
    given = _parser().parse_args(arguments)
    return GatewaySettings(
        port=given.port,
        routes=given.routes,
        state_dir=given.state_dir,
        host=given.host,
        flag=given.flag,
        flags_sync=given.flags_sync,
        endpoints=given.endpoints,
        grace_seconds=given.grace_seconds,
        rules=_rules(given),
    )


def _rules(given: argparse.Namespace) -> Rules:
    keep = max(LedgerRule().keep_seconds, 2 * given.follow_up_seconds, given.user_seconds)
    return Rules(
        body=BodyRule(largest_bytes=given.max_body_bytes),
        limits=CallLimits(answer_seconds=given.answer_seconds),
        breaker=BreakerRule(failures=given.breaker_failures),
        shadow=ShadowRule(queue=given.shadow_queue, concurrency=given.shadow_concurrency),
        ledger=LedgerRule(window_seconds=given.follow_up_seconds, user_seconds=given.user_seconds, keep_seconds=keep),
        warm=WarmRule(questions=given.warm_questions),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pitwall_gateway",
        description="Assigns each question to a sampler variant, asks it, and measures what the user saw.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, required=True, help="port to listen on; 0 takes a free one")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--flag", default="sampler.variant", help="key of the traffic flag")
    add("--flags-sync", default="", help="HOST:PORT of the flag service's sync stream; empty: stable for everybody")
    add("--routes", type=Path, required=True, help="JSON file of variants, arms and URLs; re-read when it changes")
    add("--endpoints", type=_namespace, default="", help="namespace whose runtime pods are written to --routes")
    add("--state-dir", type=Path, required=True, help="folder for the last known flags")
    add("--follow-up-seconds", type=_seconds, default=120.0, help="a further question within this time is a follow-up")
    add(
        "--user-seconds", type=_seconds, default=3600.0, help="labels count for a user this long after the first answer"
    )
    add("--answer-seconds", type=_seconds, default=60.0, help="limit of one call to a runtime")
    add("--grace-seconds", type=_seconds, default=10.0, help="how long a stopping gateway waits for answers")
    add("--max-body-bytes", type=_count, default=1_048_576, help="largest request body")
    add("--breaker-failures", type=_count, default=5, help="failures in a row that send a variant's users to stable")
    add("--shadow-queue", type=_count, default=64, help="shadow copies that may wait; more are dropped and counted")
    add("--shadow-concurrency", type=_count, default=2, help="shadow copies asked at once")
    add(
        "--warm-questions",
        type=_few,
        default=4,
        help="recent questions that a new pod answers before it answers users; 0: none",
    )
    return parser


def _namespace(text: str) -> str:
    if text and (len(text) > 63 or not re.fullmatch(DNS_LABEL, text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace; it must be a DNS label of at most 63 characters")
    return text


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{port} is not a port; it must be 0 to 65535")
    return port


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} s; it must be more than 0 and at most 86400")
    return seconds


def _few(text: str) -> int:
    number = int(text)
    if not 0 <= number <= BODIES:
        raise argparse.ArgumentTypeError(f"{number}; it must be 0 to {BODIES}, as many as are remembered")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}; it must be at least 1")
    return number

"""The gateway's settings, read from its command line."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pitwall_crds.host.sockets import is_loopback
from pitwall_crds.names import FLAG_CHARACTERS, FLAG_KEY, is_reserved
from pitwall_crds.resource import DNS_LABEL
from pitwall_gateway.callers.rule import CallerLimits, CallerRule, TokenRule, VideoAccess
from pitwall_gateway.counting.users.shares import EVEN, FEWEST, USER_SHARE, ShareRule
from pitwall_gateway.feedback.ledger import SESSION_WINDOWS, LedgerRule
from pitwall_gateway.pools.breaker import BreakerRule
from pitwall_gateway.pools.recent import BODIES
from pitwall_gateway.pools.upstream import CallLimits
from pitwall_gateway.pools.warmup import WarmRule
from pitwall_gateway.serve.http.receive import BodyRule
from pitwall_gateway.serve.shadowing.shadow import ShadowRule


@dataclass(frozen=True, slots=True)
class Rules:
    """Every bound of the gateway, with its default."""

    body: BodyRule = field(default_factory=BodyRule)
    limits: CallLimits = field(default_factory=CallLimits)
    breaker: BreakerRule = field(default_factory=BreakerRule)
    shadow: ShadowRule = field(default_factory=ShadowRule)
    ledger: LedgerRule = field(default_factory=LedgerRule)
    warm: WarmRule = field(default_factory=WarmRule)
    callers: CallerRule = field(default_factory=CallerRule)
    videos: VideoAccess = VideoAccess.OWN
    shares: ShareRule = field(default_factory=ShareRule)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where to listen, whom to follow, what to remember where. An empty `flags_sync` or `endpoints` follows nobody.
    `shows_assignment` tells callers which arm and variant they got."""

    port: int
    routes: Path
    state_dir: Path
    host: str = "127.0.0.1"
    flag: str = "sampler.variant"
    flags_sync: str = ""
    flags_authority: Path | None = None
    endpoints: str = ""
    grace_seconds: float = 10.0
    metrics_port: int = 0
    shows_assignment: bool = False
    rules: Rules = field(default_factory=Rules)


def read_settings(arguments: Sequence[str]) -> GatewaySettings:
    """The settings in the arguments; bad ones end the process with status 2 and one line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if problem := _trouble(given):
        parser.error(problem)
    return GatewaySettings(
        port=given.port,
        routes=given.routes,
        state_dir=given.state_dir,
        host=given.host,
        flag=given.flag,
        flags_sync=given.flags_sync,
        flags_authority=given.flags_authority,
        endpoints=given.endpoints,
        grace_seconds=given.grace_seconds,
        metrics_port=given.metrics_port,
        shows_assignment=given.show_assignment,
        rules=_rules(given),
    )


def _rules(given: argparse.Namespace) -> Rules:
    keep = max(LedgerRule().keep_seconds, SESSION_WINDOWS * given.follow_up_seconds, given.user_seconds)
    return Rules(
        body=BodyRule(largest_bytes=given.max_body_bytes),
        limits=CallLimits(answer_seconds=given.answer_seconds),
        breaker=BreakerRule(failures=given.breaker_failures),
        shadow=ShadowRule(queue=given.shadow_queue, concurrency=given.shadow_concurrency),
        ledger=LedgerRule(window_seconds=given.follow_up_seconds, user_seconds=given.user_seconds, keep_seconds=keep),
        warm=WarmRule(questions=given.warm_questions),
        callers=_callers(given),
        videos=given.videos,
        shares=ShareRule() if given.no_authentication else ShareRule(given.user_share, even=EVEN, fewest=FEWEST),
    )


def _callers(given: argparse.Namespace) -> CallerRule:
    if given.no_authentication:
        return CallerRule(limits=CallerLimits(user_questions_at_once=given.user_questions_at_once))
    return CallerRule(
        file=given.callers,
        tokens=TokenRule(
            keys=given.token_keys,
            issuer=given.token_issuer,
            audience=given.token_audience,
            caller_claim=given.token_caller_claim,
            user_claim=given.token_user_claim,
            session_claim=given.token_session_claim,
        ),
        limits=CallerLimits(
            requests_per_second=given.caller_requests_per_second,
            questions_per_day=given.caller_questions_per_day,
            questions_at_once=given.caller_questions_at_once,
            user_questions_at_once=given.user_questions_at_once,
            share=given.caller_share,
        ),
    )


def _trouble(given: argparse.Namespace) -> str:
    """What of the arguments does not go together; empty if all does."""
    if given.no_authentication and (given.callers or given.token_keys):
        return "--no-authentication lets everybody in: leave it out, or --callers and --token-keys"
    if given.no_authentication and not is_loopback(given.host):
        return (
            f"--no-authentication is for one machine: listen on --host 127.0.0.1, not {given.host}, or give --callers"
        )
    if not (given.no_authentication or given.callers or given.token_keys):
        return (
            "nobody could ask: give --callers FILE (API keys) or --token-keys (signed tokens); on your own machine "
            "--no-authentication lets everybody in"
        )
    if given.token_keys and not (given.token_issuer and given.token_audience):
        return "--token-keys needs --token-issuer and --token-audience: without them anybody's token would do"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pitwall_gateway",
        description="Assigns each question to a sampler variant, asks it, and measures what the user saw.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, required=True, help="port to listen on; 0 takes a free one")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--metrics-port", type=_port, default=0, help="port of /metrics, on the same address; 0 takes a free one")
    add("--show-assignment", action="store_true", help="tell callers which arm and variant answered")
    _add_caller_options(add)
    add("--flag", type=_flag, default="sampler.variant", help="key of the traffic flag")
    add("--flags-sync", default="", help="HOST:PORT of the flag service's sync stream; empty: stable for everybody")
    add("--flags-authority", type=Path, help="PEM of who signed the flag service's certificate; none: without TLS")
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


def _add_caller_options(add: Callable[..., object]) -> None:
    add("--no-authentication", action="store_true", help="let everybody ask; only on a loopback address")
    add("--callers", type=Path, help="JSON file of callers and the digests of their API keys; re-read when it changes")
    add("--token-keys", type=_key_source, default="", help="JWKS file or https URL: take signed tokens (JWT)")
    add("--token-issuer", default="", help="the only issuer of tokens")
    add("--token-audience", default="", help="whom tokens must be meant for")
    add("--token-caller-claim", default="azp", help="claim that names the application; without it, the audience")
    add("--token-user-claim", default="sub", help="claim that names the user")
    add("--token-session-claim", default="sid", help="claim that names the session, if any")
    add("--caller-requests-per-second", type=_limit, default=100.0, help="of one caller; 0: no limit")
    add("--caller-questions-per-day", type=_whole, default=0, help="of one caller at this gateway; 0: no limit")
    add("--caller-questions-at-once", type=_whole, default=256, help="of one caller at this gateway; 0: no limit")
    add("--user-questions-at-once", type=_whole, default=8, help="of one user at this gateway; 0: no limit")

    add(
        "--videos",
        type=VideoAccess,
        choices=list(VideoAccess),
        default=VideoAccess.OWN,
        help="callers see the videos that they sent to be prepared, all see all, or none are taken",
    )
    add("--caller-share", type=_part, default=1.0, help="largest part of an arm's trials that may be one caller's")
    add("--user-share", type=_part, default=USER_SHARE, help="largest part of an arm's trials that may be one user's")


def _part(text: str) -> float:
    part = float(text)
    if not 0 <= part <= 1:
        raise argparse.ArgumentTypeError(f"{text}; it must be 0 to 1, where 1 is no limit")
    return part


def _key_source(text: str) -> str:
    url = urlsplit(text)
    if url.scheme in ("", "https") or (url.scheme == "http" and is_loopback(url.hostname or "")):
        return text
    raise argparse.ArgumentTypeError(f"{text!r}: keys come from a file or by https, so that nobody can change them")


def _limit(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text}; it must be 0 to 1000000")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number}; it must be 0 or more")
    return number


def _flag(text: str) -> str:
    if len(text) > FLAG_CHARACTERS or not re.fullmatch(FLAG_KEY, text) or is_reserved(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} can be no Rollout's flag: at most {FLAG_CHARACTERS} letters, digits, dots, hyphens and "
            "underscores, and not the flag of copies (.shadow, .experiment)"
        )
    return text


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

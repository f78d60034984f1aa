"""Commands that change a rollout or its flag: `promote`, `abort`, `retry`, `pause`, `resume`, `kill`, `release`."""

import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from pitwall_crds.rollout import Rollout, Verb
from pitwall_operator.cli.commands.show import NameArgument
from pitwall_operator.cli.context import Output, OutputOption, console, fail, pick, print_json
from pitwall_operator.cli.sources.port import ResourceSource
from pitwall_operator.values.errors import Exit

IdOption = Annotated[
    str | None,
    typer.Option("--id", help="The same id is carried out once; a new one is made if left out.", show_default=False),
]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the flag's audit trail.")]
FlagsOption = Annotated[
    str | None,
    typer.Option(
        "--flags",
        envvar="PITWALL_FLAGS",
        help="In a cluster: the flag service as NAMESPACE/SERVICE or URL; looked for if left out.",
    ),
]


def _ask(source: ResourceSource, verb: Verb, rollout: str | None, action_id: str | None, output: Output) -> None:
    chosen = pick(source.rollouts(), rollout, source.place)
    action = {"id": action_id or uuid.uuid4().hex[:12], "verb": verb.value, "actor": source.actor()}

    def change(current: Rollout) -> Mapping[str, Any]:
        _check(verb, current)
        return {"action": action}

    source.edit(chosen, change)
    _say(chosen, f"{verb.lower()} asked, id {action['id']}", {"action": action}, output)


def _check(verb: Verb, chosen: Rollout) -> None:
    moving = bool(chosen.status.candidate_variant)
    if verb is Verb.RETRY and moving:
        fail(f"{chosen.status.candidate_variant} is on its way; only a variant that is off can be retried", Exit.FAILED)
    if verb is not Verb.RETRY and not moving:
        fail(f"rollout {chosen.metadata.name} has no candidate to {verb.lower()}", Exit.FAILED)


def _say(chosen: Rollout, words: str, data: Mapping[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json({"namespace": chosen.metadata.namespace, "name": chosen.metadata.name, **data})
    else:
        console.print(f"rollout {chosen.metadata.name}: {words}", markup=False)


def promote(
    source: ResourceSource, rollout: NameArgument = None, id_: IdOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Let the candidate into the next stage: approve a manual gate, or go on without proof. It is recorded."""
    _ask(source, Verb.PROMOTE, rollout, id_, output)


def abort(
    source: ResourceSource, rollout: NameArgument = None, id_: IdOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Take the candidate off; the stable variant serves everybody."""
    _ask(source, Verb.ABORT, rollout, id_, output)


def retry(
    source: ResourceSource, rollout: NameArgument = None, id_: IdOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Begin a flagged-off or aborted variant's run anew."""
    _ask(source, Verb.RETRY, rollout, id_, output)


def _set_paused(source: ResourceSource, rollout: str | None, paused: bool, output: Output) -> None:
    chosen = pick(source.rollouts(), rollout, source.place)
    source.edit(chosen, lambda _: {"paused": paused})
    _say(chosen, "paused; harm still flags off" if paused else "resumed", {"paused": paused}, output)


def pause(source: ResourceSource, rollout: NameArgument = None, output: OutputOption = Output.TEXT) -> None:
    """Stay in this stage. Proven harm still flags the candidate off."""
    _set_paused(source, rollout, True, output)


def resume(source: ResourceSource, rollout: NameArgument = None, output: OutputOption = Output.TEXT) -> None:
    """Go on after a pause."""
    _set_paused(source, rollout, False, output)


def _flag_verb(name: str, words: str, *, killed: bool, default: str) -> Callable[..., None]:
    """`kill` or `release`: what they take is the same."""

    def verb(
        source: ResourceSource,
        rollout: NameArgument = None,
        reason: ReasonOption = default,
        flags: FlagsOption = None,
        output: OutputOption = Output.TEXT,
    ) -> None:
        _switch(source, rollout, killed, reason, flags, output)

    verb.__name__, verb.__doc__ = name, words
    return verb


kill = _flag_verb(
    "kill",
    "Send everybody to the stable variant at once, without the operator; `release` ends it.",
    killed=True,
    default="kill switch",
)
release = _flag_verb(
    "release",
    "End a kill: what was killed stays off.",
    killed=False,
    default="kill switch released",
)


def _switch(
    source: ResourceSource, rollout: str | None, killed: bool, reason: str, service: str | None, output: Output
) -> None:
    chosen = pick(source.rollouts(), rollout, source.place)
    flag = chosen.spec.flag
    source.switch(flag, killed=killed, reason=reason, service=service)
    words = "is killed: everybody gets the stable variant" if killed else "is released: what was killed stays off"
    _say(chosen, f"flag {flag} {words}", {"flag": flag, "killed": killed}, output)

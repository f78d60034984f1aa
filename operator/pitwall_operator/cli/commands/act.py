"""Commands that change a rollout or its flag: what people ask of a candidate, and the kill switch."""

import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.cli.commands.show import NameArgument
from pitwall_operator.cli.context import Output, OutputOption, console, fail, pick, print_json
from pitwall_operator.cli.sources.port import ResourceSource
from pitwall_operator.decision.permission.pending import overtaking
from pitwall_operator.values.errors import Exit

IdOption = Annotated[
    str | None,
    typer.Option("--id", help="The same id is carried out once; a new one is made if left out.", show_default=False),
]
WhyOption = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the flag's audit trail.")]
FlagsOption = Annotated[
    str | None,
    typer.Option(
        "--flags",
        envvar="PITWALL_FLAGS",
        help="In a cluster: the flag service as NAMESPACE/SERVICE or URL; looked for if left out.",
    ),
]


PLAIN: Mapping[str, Any] = {"reason": "", "full": False, "overBasisPoints": []}
"""What an action says unless asked otherwise; all is written, since a patch would leave what an earlier one said."""


def _ask(
    source: ResourceSource, verb: Verb, rollout: str | None, action_id: str | None, output: Output, **more: Any
) -> None:
    chosen = pick(source.rollouts(), rollout, source.place)
    action = {"id": action_id or uuid.uuid4().hex[:12], "verb": verb.value, "actor": source.actor(), **PLAIN, **more}

    def change(current: Rollout) -> Mapping[str, Any]:
        _check(verb, action["id"], current)
        return {"action": action}

    source.edit(chosen, change)
    _say(chosen, f"{verb.lower()} asked, id {action['id']}", {"action": action}, output)


def _check(verb: Verb, action_id: str, chosen: Rollout) -> None:
    if words := overtaking(chosen, verb, action_id):
        fail(words, Exit.FAILED)
    if chosen.status.has_dealt_with(action_id):
        fail(f"the request {action_id} was dealt with before, and is not again; ask by a new id", Exit.FAILED)
    moving = bool(chosen.status.candidate_variant)
    if verb is Verb.UNDO:
        _check_undo(chosen)
        return
    if verb is Verb.RETRY and moving:
        fail(f"{chosen.status.candidate_variant} is on its way; only a variant that is off can be retried", Exit.FAILED)
    if verb is not Verb.RETRY and not moving:
        fail(f"rollout {chosen.metadata.name} has no candidate to {verb.lower()}", Exit.FAILED)


def _check_undo(chosen: Rollout) -> None:
    status = chosen.status
    if status.candidate_variant:
        fail(f"{status.candidate_variant} is on its way and not promoted; pitwall abort takes it off", Exit.FAILED)
    if not status.served:
        fail(f"nothing served before {status.stable_variant or 'now'}, so there is nothing to go back to", Exit.FAILED)


def _weights(chosen: Rollout, over: str | None) -> list[int]:
    """The stages that `--over 10,50` names, in basis points."""
    stages = {f"{stage.weight / 100:g}": stage.weight for stage in chosen.spec.stages if stage.weight}
    asked = [part.strip().removesuffix("%") for part in (over or "").split(",") if part.strip()]
    unknown = [part for part in asked if part not in stages]
    if unknown:
        fail(
            f"rollout {chosen.metadata.name} has no stage of {unknown[0]}%; it has {', '.join(stages)}", Exit.BAD_INPUT
        )
    return [stages[part] for part in asked]


def _say(chosen: Rollout, words: str, data: Mapping[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json({"namespace": chosen.metadata.namespace, "name": chosen.metadata.name, **data})
    else:
        console.print(f"rollout {chosen.metadata.name}: {words}", markup=False)


def promote(
    source: ResourceSource,
    rollout: NameArgument = None,
    full: Annotated[bool, typer.Option("--full", help="To everybody at once, past all stages.")] = False,
    reason: WhyOption = "",
    id_: IdOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let the candidate into the next stage: approve a manual gate, or go on without proof. It is recorded."""
    _ask(source, Verb.PROMOTE, rollout, id_, output, full=full, reason=reason)


def undo(
    source: ResourceSource,
    rollout: NameArgument = None,
    over: Annotated[
        str | None,
        typer.Option(help="Over these stages of the rollout, each for its minSeconds: 10,50.", show_default="at once"),
    ] = None,
    reason: WhyOption = "",
    id_: IdOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Go back to the variant that served before the present one, as soon as its pods are ready, without proof."""
    chosen = pick(source.rollouts(), rollout, source.place)
    weights = _weights(chosen, over)
    _ask(source, Verb.UNDO, chosen.metadata.name, id_, output, overBasisPoints=weights, reason=reason)


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

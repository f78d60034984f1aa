"""`pitwall promote`, `abort`, `retry`, `pause`, `resume`, `kill`: a person's word in; a changed spec or flag out."""

import asyncio
import getpass
import uuid
from pathlib import Path
from typing import Annotated

import typer

from pitwall_crds.rollout import Action, Rollout, Verb
from pitwall_flags.client import FlagClient, FlagConflict, FlagRejected, FlagsUnreachable
from pitwall_operator.cli.context import DEFAULT_STATE, Exit, StateOption, console, fail, place, resources, the_rollout
from pitwall_operator.cli.show import NameArgument
from pitwall_operator.place import Place
from pitwall_operator.resources import Resources

IdOption = Annotated[
    str | None, typer.Option("--id", help="The same id is carried out once; a new one is made if left out.")
]


def _ask(verb: Verb, rollout: str | None, state: Path, action_id: str | None) -> None:
    found = resources(state)
    chosen = the_rollout(found, rollout)
    _check(verb, chosen)
    action = Action(id=action_id or uuid.uuid4().hex[:12], verb=verb, actor=getpass.getuser())
    _store(found, chosen, {"action": action})
    console.print(f"rollout {chosen.metadata.name}: {verb.lower()} asked, id {action.id}")


def _check(verb: Verb, chosen: Rollout) -> None:
    moving = bool(chosen.status.candidate_variant)
    if verb is Verb.RETRY and moving:
        fail(f"{chosen.status.candidate_variant} is on its way; only a variant that is off can be retried", Exit.FAILED)
    if verb is not Verb.RETRY and not moving:
        fail(f"rollout {chosen.metadata.name} has no candidate to {verb.lower()}", Exit.FAILED)


def _store(found: Resources, chosen: Rollout, change: dict[str, object]) -> None:
    found.apply(chosen.model_copy(update={"spec": chosen.spec.model_copy(update=change)}))


def promote(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE), id_: IdOption = None) -> None:
    """Let the candidate into the next stage: approve a manual gate, or go on without proof. It is recorded."""
    _ask(Verb.PROMOTE, rollout, state, id_)


def abort(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE), id_: IdOption = None) -> None:
    """Take the candidate off; the stable variant serves everybody."""
    _ask(Verb.ABORT, rollout, state, id_)


def retry(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE), id_: IdOption = None) -> None:
    """Begin a flagged-off or aborted variant's run anew."""
    _ask(Verb.RETRY, rollout, state, id_)


def pause(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE)) -> None:
    """Stay in this stage. Proven harm still flags the candidate off."""
    found = resources(state)
    _store(found, the_rollout(found, rollout), {"paused": True})
    console.print("paused; harm still flags off")


def resume(rollout: NameArgument = None, state: StateOption = Path(DEFAULT_STATE)) -> None:
    """Go on after a pause."""
    found = resources(state)
    _store(found, the_rollout(found, rollout), {"paused": False})
    console.print("resumed")


def kill(
    rollout: NameArgument = None,
    state: StateOption = Path(DEFAULT_STATE),
    reason: Annotated[str, typer.Option(help="Why; it is kept in the flag's audit trail.")] = "kill switch",
) -> None:
    """Send everybody to the stable variant at once, without the operator."""
    chosen = the_rollout(resources(state), rollout)
    try:
        asyncio.run(_kill(place(state), chosen.spec.flag, reason))
    except (FlagsUnreachable, FlagRejected, FlagConflict) as error:
        fail(str(error))
    console.print(f"flag {chosen.spec.flag} is killed: everybody gets the stable variant")


async def _kill(where: Place, flag: str, reason: str) -> None:
    client = FlagClient(where.flags_url(), token=where.secrets()["kill"])
    try:
        await client.kill(flag, actor=getpass.getuser(), reason=reason)
    finally:
        await client.close()

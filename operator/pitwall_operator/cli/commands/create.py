"""`pitwall create variant` and `create rollout`: write YAML to apply, from options and, on a terminal, from answers."""

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
import yaml

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.names import API_VERSION, FULL_WEIGHT
from pitwall_crds.reading.load import load_resources
from pitwall_crds.rollout.rollout import OnInconclusive
from pitwall_crds.variant.builtin import SAMPLERS
from pitwall_crds.variant.variant import AnswerEngine
from pitwall_operator.cli.commands.lifecycle import store
from pitwall_operator.cli.context import fail
from pitwall_operator.cli.sources.choose import SourceChoice
from pitwall_operator.values.errors import Exit

ApplyOption = Annotated[bool, typer.Option("--apply", help="Apply it at once instead of printing it.")]
NameArgument = Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and '-'.")]

GATES: Mapping[str, dict[str, Any]] = {
    "errors": {"rate": {"metric": "Errors"}},
    "cold-queries": {"rate": {"metric": "ColdQueries"}, "warmupSeconds": 600, "onHarm": "Hold"},
    "thumbs-down": {"rate": {"metric": "ThumbsDown"}},
    "follow-up": {"rate": {"metric": "FollowUp"}, "onHarm": "Hold"},
    "abandoned": {"rate": {"metric": "TaskAbandoned"}, "onHarm": "Hold"},
    "tokens": {"mean": {"metric": "TokensPerQuery"}, "onHarm": "Hold"},
}
"""Gates by name; beside them latency-pNN and selection-pNN."""

TAILS = {"latency": "QueryLatency", "selection": "FrameSelection"}
DEFAULT_GATES = "latency-p99=10,errors=1,thumbs-down=10,follow-up=15,tokens=10"


def answer(given: Any, question: str, default: Any = None) -> Any:
    """What an option said; else a terminal's answer, of the default's type; else the default. Raises CommandError."""
    if given is not None:
        return given
    if sys.stdin.isatty() and sys.stderr.isatty():
        return typer.prompt(question, default=default, type=str if default is None else type(default), err=True)
    if default is None:
        fail(f"{question}: give it as an option, since this is no terminal to ask on", Exit.BAD_INPUT)
    return default


def variant(
    choice: SourceChoice,
    name: NameArgument,
    sampler: Annotated[
        str | None, typer.Option(help=f"Frame sampler: {', '.join(SAMPLERS)}, or one of an own image.")
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="Of the sampler, NAME=VALUE; may be repeated.")] = None,
    max_frames: Annotated[int | None, typer.Option(help="Frames it must choose.")] = None,
    token_budget: Annotated[int | None, typer.Option(help="Visual tokens a query may spend.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Image-text encoder, such as conse.")] = None,
    engine: Annotated[AnswerEngine | None, typer.Option(help="Who answers.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Of engine openai: base URL up to /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Of engine openai: the model's name.")] = None,
    image: Annotated[str | None, typer.Option(help="Container image; the operator's own if left out.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Pods at full weight.")] = None,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs per pod.")] = 0,
    apply: ApplyOption = False,
) -> None:
    """Write a SamplerVariant: one sampler with its parameters, and what runs it."""
    chosen_sampler = answer(sampler, "Sampler")
    frames = answer(max_frames, "Frames it must choose", 32)
    chosen_engine = answer(engine, "Answer engine", AnswerEngine.MOMENTS).value
    endpoint = answer(endpoint_url, "Base URL of the OpenAI-compatible server") if chosen_engine == "openai" else None
    runtime = {
        "image": image,
        "replicas": answer(replicas, "Pods at full weight", 1),
        "resources": {"limits": {"nvidia.com/gpu": gpus}} if gpus else None,
    }
    spec = {
        "sampler": {
            "name": chosen_sampler,
            "parameters": dict(_parameter(text) for text in parameter or ()) or None,
        },
        "maxFrames": frames,
        "reducer": {"tokenBudget": token_budget} if token_budget is not None else None,
        "encoder": {"name": encoder} if encoder else None,
        "answer": {"engine": chosen_engine, "endpointUrl": endpoint, "model": model},
        "runtime": runtime,
    }
    _finish(choice, "SamplerVariant", name, spec, apply=apply)


def _parameter(text: str) -> tuple[str, Any]:
    """NAME=VALUE; integers and booleans as such, everything else as text, since resources hold no floats."""
    name, equals, value = text.partition("=")
    if not equals:
        fail(f"--parameter {text!r} must be NAME=VALUE", Exit.BAD_INPUT)
    if value in {"true", "false"}:
        return name, value == "true"
    return name, int(value) if re.fullmatch(r"-?\d+", value) else value


def rollout(
    choice: SourceChoice,
    name: NameArgument,
    flag: Annotated[str | None, typer.Option(help="The feature flag whose split it owns.")] = None,
    variant: Annotated[str | None, typer.Option(help="The SamplerVariant that should serve.")] = None,
    shadow: Annotated[int | None, typer.Option(help="First stage: percent of copied questions; 0 is none.")] = None,
    weights: Annotated[str | None, typer.Option(help="Later stages: percents of the traffic, climbing to 100.")] = None,
    approve: Annotated[str, typer.Option(help="Percents of the stages that a person must let pass.")] = "",
    stage_seconds: Annotated[int | None, typer.Option(help="How long each stage lasts at least.")] = None,
    bake_seconds: Annotated[int | None, typer.Option(help="How long the last stage is watched.")] = None,
    gates: Annotated[
        str | None,
        typer.Option(
            help="NAME=MARGIN,…, margins in percent, of errors in points. Names: latency-pNN, selection-pNN, "
            + ", ".join(GATES)
        ),
    ] = None,
    dedicated_control: Annotated[bool, typer.Option(help="Control arm on pods of its own.")] = True,
    on_inconclusive: Annotated[OnInconclusive, typer.Option(help="At a stage's deadline.")] = OnInconclusive.HOLD,
    apply: ApplyOption = False,
) -> None:
    """Write a Rollout: a flag's way to a variant, stage by stage, and the gates that decide."""
    target = answer(variant, "SamplerVariant that should serve")
    chosen_flag = answer(flag, "Feature flag", "sampler.variant")
    shadow_percent = answer(shadow, "Percent of questions copied in shadow first, 0 for none", 5)
    percents = answer(weights, "Then percents of the traffic", "1,10,50,100")
    seconds = answer(stage_seconds, "Seconds that each stage lasts at least", 600)
    stages: list[dict[str, Any]] = [{"shadow": {"percent": shadow_percent}}] if shadow_percent else []
    stages += [{"weightBasisPoints": _basis_points(text)} for text in percents.split(",")]
    manual = {_basis_points(text) for text in approve.split(",") if text}
    for stage in stages:
        stage["minSeconds"] = seconds
        if stage.get("weightBasisPoints") in manual:
            stage["approval"] = "Manual"
    stages[-1]["bakeSeconds"] = answer(bake_seconds, "Seconds that full weight is watched", 3600)
    rules = answer(gates, "Gates", DEFAULT_GATES)
    spec = {
        "flag": chosen_flag,
        "variantRef": {"name": target},
        "stages": stages,
        "control": {"dedicated": True} if dedicated_control else None,
        "analysis": {"gates": [_gate(text.strip()) for text in rules.split(",")]},
        "onInconclusive": on_inconclusive.value,
    }
    _finish(choice, "Rollout", name, spec, apply=apply)


def _basis_points(text: str) -> int:
    try:
        return round(float(text.strip().removesuffix("%")) * FULL_WEIGHT / 100)
    except (ValueError, OverflowError):
        fail(f"{text!r} must be a percentage, such as 10 or 0.5", Exit.BAD_INPUT)


def _gate(text: str) -> dict[str, Any]:
    name, _, margin = text.partition("=")
    tail = re.fullmatch(r"(latency|selection)-p(\d{2,3})", name)
    if tail:
        rule: dict[str, Any] = {"quantile": {"metric": TAILS[tail[1]], "perMille": int(tail[2].ljust(3, "0"))}}
    elif name in GATES:
        rule = GATES[name]
    else:
        fail(f"gate {name!r} is unknown; known are latency-pNN, selection-pNN, {', '.join(GATES)}", Exit.BAD_INPUT)
    if not re.fullmatch(r"\d+", margin or "10"):
        fail(f"gate {text!r} must be NAME=MARGIN with a whole number", Exit.BAD_INPUT)
    limit = int(margin or 10)
    allowed = {"absoluteMarginBasisPoints": limit * 100} if name == "errors" else {"marginPercent": limit}
    return {"name": name, **rule, **allowed}


def _finish(choice: SourceChoice, kind: str, name: str, spec: Mapping[str, Any], *, apply: bool) -> None:
    """Check what was said as a file would be, then print or apply it."""
    metadata = {"name": name, **({"namespace": choice.namespace} if choice.namespace else {})}
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": _without_empty(spec)}
    text = yaml.safe_dump(document, sort_keys=False)
    try:
        found = load_resources(text, source=f"{kind.lower()}.yaml")
    except InvalidResourceError as error:
        fail("\n  ".join(["this is no resource yet:", *error.lines]), Exit.BAD_INPUT)
    if apply:
        store(choice.open(), found)
    else:
        typer.echo(text, nl=False)


def _without_empty(data: Any) -> Any:
    """Mappings without the fields that were left out."""
    if not isinstance(data, Mapping):
        return data
    kept = {key: _without_empty(value) for key, value in data.items() if value is not None}
    return {key: value for key, value in kept.items() if value != {}}

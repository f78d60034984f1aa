"""Words validation errors as sentences that name field, value, limit and remedy."""

import difflib
import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pitwall_crds.resource import DNS_LABEL

Path = tuple[str | int, ...]

_TYPES: Final = {
    "int_type": "an integer",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "int_from_float": "an integer",
}
_PATTERNS: Final = {
    DNS_LABEL: "lower-case letters, digits and '-', with a letter or digit first and last",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a resource: where (camelCase steps and list indices), and what to do about it."""

    path: Path
    message: str

    @property
    def field(self) -> str:
        """The path as users write it: spec.stages[1].weightBasisPoints."""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return text.removeprefix(".")


def problems_of(errors: list[ErrorDetails], data: object, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Every error as a problem, one per field: alternatives of a union are told in one sentence."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        by_path.setdefault(_written_path(error, data), []).append(error)
    return tuple(
        Problem(path, _sentence(path, group, model))
        for path, group in by_path.items()
        if not _follows(path, group, by_path)
    )


def floats_in(data: object, path: Path = ()) -> Iterator[Problem]:
    """A problem for each float: 0.1 is a different number to every reader, so specs hold none."""
    match data:
        case float():
            yield Problem(path, f'{shown(data)} is a float, and resources hold none; write it as text: "{data}"')
        case dict():
            for key, value in data.items():
                yield from floats_in(value, (*path, key))
        case list():
            for index, value in enumerate(data):
                yield from floats_in(value, (*path, index))


def shown(value: object) -> str:
    """A value as the file spells it, at most 60 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…" + text[-2:]


def suggestion(word: str, known: list[str]) -> str:
    """'; did you mean "x"?' if something similar is known, else the list of what is known."""
    close = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(known)}"


def _follows(path: Path, errors: list[ErrorDetails], by_path: dict[Path, list[ErrorDetails]]) -> bool:
    """Whether a list counts as too short only because its invalid entries were not counted."""
    within = any(len(other) > len(path) and other[: len(path)] == path for other in by_path)
    return within and all(error["type"] == "too_short" for error in errors)


def _written_path(error: ErrorDetails, data: object) -> Path:
    """The location without the steps that name a union's alternatives, which no file contains."""
    steps: list[str | int] = []
    for step in error["loc"]:
        match data:
            case dict() if step in data:
                data = data[step]
            case list() if isinstance(step, int) and step < len(data):
                data = data[step]
            case _:
                return (*steps, step) if error["type"] == "missing" else tuple(steps)
        steps.append(step)
    return tuple(steps)


def _sentence(path: Path, errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    if len(errors) > 1 and all(error["type"] in _TYPES for error in errors):
        wanted = list(dict.fromkeys(_TYPES[error["type"]] for error in errors))
        return f"{shown(errors[0]['input'])} must be {' or '.join(wanted)}"
    specific = [error for error in errors if error["type"] not in _TYPES] or errors
    return "; ".join(dict.fromkeys(_one(path, error, model) for error in specific))


def _one(path: Path, error: ErrorDetails, model: type[BaseModel]) -> str:
    context, value = error.get("ctx", {}), shown(error["input"])
    match error["type"]:
        case "missing":
            return "is required; add it"
        case "extra_forbidden":
            known = _fields_at(model, path[:-1])
            return f"is not a field here{suggestion(str(path[-1]), known)}"
        case "value_error":
            return str(context["error"])
        case "enum" | "literal_error":
            return f"{value} must be one of {context['expected']}"
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            return f"{value} must be {_PATTERNS.get(pattern, f'text matching {pattern}')}"
        case kind if kind in _TYPES:
            return f"{value} must be {_TYPES[kind]}{_unquote(error['input'])}"
        case _:
            return _bound(value, context) or f"{value}: {error['msg']}"


def _bound(value: str, context: Mapping[str, Any]) -> str:
    match context:
        case {"le": limit}:
            return f"{value} must be at most {limit}; lower it"
        case {"ge": limit}:
            return f"{value} must be at least {limit}; raise it"
        case {"actual_length": actual, "max_length": limit}:
            return f"{value} has {actual} entries and must have at most {limit}; remove some"
        case {"actual_length": actual, "min_length": limit}:
            return f"{value} has {actual} entries and must have at least {limit}; add some"
        case {"max_length": limit}:
            return f"{value} must have at most {limit} characters; shorten it"
        case {"min_length": limit}:
            return f"{value} must have at least {limit} characters; write more"
    return ""


def _unquote(value: object) -> str:
    return "; remove the quotes" if isinstance(value, str) and value.lstrip("-").isdecimal() else ""


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Names of the fields that the model at this path has, as the file spells them."""
    annotation: Any = model
    for step in path:
        annotation = _step_into(annotation, step)
    border = next((part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)), None)
    if border is None:
        return []
    return [field.alias or name for name, field in border.model_fields.items()]


def _step_into(annotation: Any, step: str | int) -> Any:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            aliases = {field.alias or name: field.annotation for name, field in part.model_fields.items()}
            return aliases.get(str(step))
        if get_origin(part) is tuple:
            return get_args(part)[0]
    return None


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union; an annotation that is none, alone."""
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)

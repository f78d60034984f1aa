"""Parses a sampler's parameters by the schema it declares: a pydantic model, or a JSON schema."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.samplers.contract import Sampler


def parse(sampler: Sampler, given: Mapping[str, Any]) -> BaseModel | Mapping[str, Any]:
    """What `select` gets. Raises BadVariantError with each wrong parameter, its value and what would be right."""
    schema = schema_of(sampler)
    fault = fault_of_schema(schema) if isinstance(sampler.parameters, Mapping) else ""
    if fault:
        raise BadVariantError(f"sampler {sampler.name!r}: its parameters are no JSON schema: {fault}")
    unknown = sorted(set(given) - set(schema.get("properties", ())))
    if unknown:
        takes = ", ".join(sorted(schema.get("properties", ()))) or "none"
        raise _refusal(sampler.name, [f"parameter {one} is not known; it takes {takes}" for one in unknown])
    if isinstance(sampler.parameters, Mapping):
        return _by_json_schema(sampler.name, schema, given)
    try:
        return sampler.parameters.model_validate(dict(given))
    except ValidationError as error:
        problems = [_told(problem["loc"], problem["input"], problem["msg"]) for problem in error.errors()]
        raise _refusal(sampler.name, problems) from None


def schema_of(sampler: Sampler) -> dict[str, Any]:
    """The JSON schema of its parameters, in the words of a SamplerVariant; names that it does not list are refused."""
    if isinstance(sampler.parameters, Mapping):
        return {"type": "object", "additionalProperties": False, **sampler.parameters}
    return sampler.parameters.model_json_schema(by_alias=True)


def fault_of_schema(schema: Mapping[str, Any]) -> str:
    """What keeps it from being the JSON schema of an object; empty if nothing does."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        return f"{where}: {error.message}" if where else error.message
    return "" if schema.get("type") == "object" else f"type is {schema.get('type')!r}; it must be 'object'"


def _by_json_schema(name: str, schema: dict[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    from jsonschema import Draft202012Validator

    defaults = {key: one["default"] for key, one in schema.get("properties", {}).items() if "default" in one}
    filled = {**defaults, **given}
    problems = [
        _told(error.absolute_path, error.instance, error.message)
        for error in Draft202012Validator(schema).iter_errors(filled)
    ]
    if problems:
        raise _refusal(name, problems)
    return MappingProxyType(filled)


def _told(path: Any, value: object, message: str) -> str:
    where = ".".join(map(str, path))
    return f"parameter {where} = {value!r}: {message}" if where else message


def _refusal(name: str, problems: list[str]) -> BadVariantError:
    return BadVariantError(f"sampler {name!r}: {'; '.join(problems)}")

"""Writes the reference of every field as Markdown: `python -m pitwall_crds.generate.reference docs/resources.md`."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pitwall_crds import names
from pitwall_crds.generate.render import KINDS, KindDescription, definition
from pitwall_crds.generate.schema import Schema, fields

INTRODUCTION: Final = f"""\
# Resources

Made by `python -m pitwall_crds.generate.reference docs/resources.md` from the types in crds/pitwall_crds; do not edit.

Group and version: `{names.API_VERSION}`. The same files serve `kubectl apply -f` and `pitwall apply -f`; a file
may hold several resources, separated by `---`. `kubectl explain rollouts.pitwall.dev.spec` shows the same words on a
cluster, `kubectl get {names.CATEGORY}` lists both kinds. Other projects also have a kind called Rollout: where one of
them is installed, say `rollouts.{names.GROUP}` or `pwr`.

There are no floats: fractions are percent, per mille, basis points (hundredths of a percent) or text such as `"0.8"`.
Durations are whole seconds. Names are lower-case letters, digits and `-`, at most 63. Defaults are applied by Pitwall
when it reads a resource and never written into it, so a GitOps tool sees exactly what it applied. The operator writes
`status` only.
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([INTRODUCTION, *(line for kind in KINDS for line in _kind(kind))]) + "\n"


def _kind(kind: KindDescription) -> Iterator[str]:
    schema: Schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {kind.model.__name__}"
    yield ""
    yield f"{schema['description']} Short name: `{kind.short_name}`."
    for part, words in (("spec", "What you write"), ("status", "What you read")):
        yield ""
        yield f"### {kind.model.__name__}.{part}: {words[0].lower()}{words[1:]}"
        yield ""
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for path, field, required in fields(schema["properties"][part], part):
            star = " **required**" if required and part == "spec" else ""
            yield f"| `{path}` | {_type(field)} | {_escaped(field['description'])}{star} |"
    yield ""
    yield "Rules across fields:"
    yield ""
    yield from (f"* {rule}." for rule in _rules(schema["properties"]["spec"]))
    yield ""


def _rules(schema: Schema) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    if "x-kubernetes-list-map-keys" in schema:
        yield f"no two entries of one list may have the same {schema['x-kubernetes-list-map-keys'][0]}"
    for part in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else ())):
        yield from _rules(part)


def _type(field: Schema) -> str:
    """Type and bounds in a few words."""
    match field:
        case {"enum": values}:
            return " \\| ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items, "maxItems": most}:
            return f"list of {_plain(items)}, {field.get('minItems', 0)}–{most}"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"integer, {least}–{most}"
        case {"type": "string", "maxLength": most}:
            return f"text, at most {most}"
        case {"type": "object", "additionalProperties": _, "maxProperties": most}:
            return f"map, at most {most}"
        case {"x-kubernetes-int-or-string": True}:
            return "integer or text"
    return "object" if field["type"] == "object" else _plain(field)


def _plain(field: Schema) -> str:
    return {"object": "objects", "string": "texts", "integer": "integers", "boolean": "true or false"}[field["type"]]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Writes the reference into the file named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_crds.generate.reference", description=main.__doc__)
    parser.add_argument("file", type=Path, help="the Markdown file, such as docs/resources.md")
    parser.parse_args().file.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()

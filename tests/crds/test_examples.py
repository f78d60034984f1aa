"""The examples are read by the command line and fit the schema that the API server checks."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from pitwall_crds.generate.render import KINDS, definition
from pitwall_crds.reading.load import load_file, spec_hash

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SCHEMAS = {kind.model.__name__: definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind in KINDS}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_read_and_fits_its_schema(path: Path):
    documents = [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]

    assert len(load_file(path)) == len(documents) > 0
    for document in documents:
        jsonschema.validate(document, SCHEMAS[document["kind"]])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_what_a_resource_says_of_itself_fits_the_schema_and_keeps_its_revision(path: Path):
    for resource in load_file(path):
        data = resource.model_dump(mode="json", by_alias=True, exclude_none=True)

        jsonschema.validate(data, SCHEMAS[resource.kind])
        assert spec_hash(type(resource).model_validate(data).spec) == spec_hash(resource.spec)


def test_there_are_examples():
    assert EXAMPLES

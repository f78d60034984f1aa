"""The run is the salt of the split, and only of a split that assigns."""

import copy

import pytest

from pitwall_crds.names import FULL_WEIGHT
from pitwall_flags.flag.document import ArmShare, shadow_document, split_document
from pitwall_gateway.flags.said import DocumentReader

SPLIT = split_document([ArmShare("stable", "uniform-v1", FULL_WEIGHT)], salt="run-1")


@pytest.mark.parametrize(
    ("document", "run"),
    [
        pytest.param(SPLIT, "run-1", id="traffic"),
        pytest.param(shadow_document("aks-v2", 10, salt="run-2"), "run-2", id="shadow"),
        pytest.param({**SPLIT, "state": "DISABLED"}, "", id="killed"),
        pytest.param({"state": "ENABLED", "variants": {}}, "", id="something-else"),
        pytest.param(("stable", "uniform-v1"), "", id="no-document"),
        pytest.param(None, "", id="unknown-flag"),
    ],
)
def test_a_document_tells_its_run(document, run):
    assert DocumentReader().read(document).run == run


def test_every_change_is_followed():
    reader = DocumentReader()
    other = split_document([ArmShare("stable", "uniform-v1", FULL_WEIGHT)], salt="run-2")

    assert [reader.read(each).run for each in (SPLIT, None, other, copy.deepcopy(other), SPLIT)] == [
        "run-1", "", "run-2", "run-2", "run-1",
    ]  # fmt: skip

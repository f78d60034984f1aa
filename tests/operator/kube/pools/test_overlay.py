"""What a template's overlay changes, adds and removes, and that it leaves its base as it was."""

import pytest

from pitwall_operator.kube.pools.overlay import merge


@pytest.mark.parametrize(
    ("base", "overlay", "merged"),
    [
        pytest.param({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}, id="mappings merge"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="plain lists are replaced"),
        pytest.param({"a": 1, "b": 2}, {"a": None}, {"b": 2}, id="null removes"),
        pytest.param({"volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}]},
                     {"volumeMounts": [{"mountPath": "/tmp", "name": "big"}, {"mountPath": "/w", "name": "w"}]},
                     {"volumeMounts": [{"mountPath": "/tmp", "name": "big"}, {"mountPath": "/w", "name": "w"}]},
                     id="mounts merge by path"),
    ],
)  # fmt: skip
def test_merging(base, overlay, merged):
    assert merge(base, overlay) == merged


@pytest.mark.parametrize(
    ("base", "overlay", "merged"),
    [
        pytest.param({"a": 1}, {}, {"a": 1}, id="an empty overlay changes nothing"),
        pytest.param({}, {"a": None, "b": 1}, {"b": 1}, id="null adds nothing"),
        pytest.param({"a": {"b": 1}}, {"a": None}, {}, id="null removes a whole mapping"),
        pytest.param({"a": {"b": 1}}, {"a": 5}, {"a": 5}, id="a value replaces a mapping"),
        pytest.param({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": None}]},
                     {"env": [{"name": "A"}]}, id="null removes within a named entry"),
        pytest.param({"env": [{"name": "A"}, {"name": "B"}]}, {"env": []}, {"env": [{"name": "A"}, {"name": "B"}]},
                     id="an empty list of named entries removes none"),
        pytest.param({"containers": "none"}, {"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}]},
                     id="a list where none was expected"),
        pytest.param({"args": ["--a"]}, {"args": ["--b", "--c"]}, {"args": ["--b", "--c"]}, id="arguments"),
    ],
)  # fmt: skip
def test_merging_at_the_edges(base, overlay, merged):
    before = str(base)

    assert merge(base, overlay) == merged
    assert str(base) == before, "the base is not written to"

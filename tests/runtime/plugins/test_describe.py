"""The catalogue as data: what a runtime image has, and why something that is installed cannot serve."""

import json
import re

from pitwall_crds import builtin
from pitwall_runtime.plugins import describe


def test_the_catalogue_is_printed_as_data_and_for_people(capsys, monkeypatch):
    for arguments in (["--json"], []):
        monkeypatch.setattr("sys.argv", ["catalogue", *arguments])
        describe.main()
    data, text = capsys.readouterr().out.split("\n}\n")

    listed = json.loads(data + "}")
    assert {one["name"]: one for one in builtin.CATALOGUE}.items() <= {
        one["name"]: one for one in listed["samplers"]
    }.items()
    assert re.search(r"^uniform +stable +The middle frames", text, re.MULTILINE)


def test_an_installed_one_that_cannot_serve_is_told_beside_the_others(monkeypatch):
    monkeypatch.setitem(describe.BUILT_IN, "broken", "pitwall_runtime.no_such_module:SAMPLER")
    entries, broken = describe.catalogue()

    assert len(entries) >= len(builtin.CATALOGUE)
    assert "'broken' of pitwall itself" in broken[0]

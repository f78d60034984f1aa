"""The catalogue as data: what a runtime image has, and why something that is installed cannot serve."""

import json
import os
import re
import subprocess
import sys

from pitwall_crds.variant import builtin
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


def test_one_that_ends_the_process_or_prints_when_it_is_imported_leaves_the_list_as_it_is(write_package, tmp_path):
    sites = [
        write_package(tmp_path / "gone", "gone", {"gone": "SAMPLER"}, "import sys\nsys.exit('no licence')"),
        write_package(tmp_path / "loud", "loud", {"loud": "SAMPLER"}, "import os\nos.write(1, b'hello')"),
    ]
    path = ":".join([*map(str, sites), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pitwall_runtime", "catalogue", "--json"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout)

    assert {one["name"] for one in builtin.CATALOGUE} <= {one["name"] for one in said["samplers"]}
    assert ["package gone 1.0" in said["broken"][0], "package loud 1.0" in said["broken"][1]] == [True, True]

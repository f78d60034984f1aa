"""Who installed Pitwall without the extra `operator` is told so in a line."""

import subprocess
import sys

WITHOUT_TYPER = """
import sys
sys.modules["typer"] = None
from pitwall_operator.cli.app import main
main()
"""


def test_without_typer_every_verb_says_which_extra_is_missing_and_what_works():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TYPER, "status"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "install the extra `operator`" in done.stderr
    assert "pitwall-runtime check-sampler" in done.stderr

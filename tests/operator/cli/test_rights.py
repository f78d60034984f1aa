"""`pitwall check-rights` without a cluster; what it finds in one is in tests/cluster/chart/test_install.py."""

import pytest


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        pytest.param(("--service-account", "moves"), 2, "the installer is you", id="an account of the installer"),
        pytest.param(("--of", "webhook"), 2, "'webhook' is not one of", id="a part that has no rights"),
        pytest.param(("--kubeconfig", "none.yaml"), 2, "there is no kubeconfig in none.yaml", id="no cluster"),
    ],
)
def test_what_cannot_be_asked_is_said(say, said, code, words):
    done = say("check-rights", *said)

    assert done.code == code
    assert words in done.err

"""The command line of the operator: what is wrong ends with a usage message, what is left out has its default."""

import pytest

from pitwall_operator.cluster import settings
from pitwall_operator.cluster.settings import TOKEN_VARIABLE, OperatorSettings

NEEDED = ("--flags-url", "http://f", "--runtime-image", "i:1")


def read(*arguments: str) -> OperatorSettings:
    return settings.read([*NEEDED, *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "--flags-url, --runtime-image", id="nothing said"),
        pytest.param([*NEEDED[:2]], "--runtime-image", id="no image"),
        pytest.param([*NEEDED, "--port", "http"], "invalid int value: 'http'", id="a port in words"),
        pytest.param([*NEEDED, "--read-seconds", "often"], "invalid float value: 'often'", id="a pause in words"),
        pytest.param([*NEEDED, "--cache-volume", "{"], "--cache-volume", id="half JSON"),
        pytest.param([*NEEDED, "--cache-size", "eight"], "--cache-size", id="no size"),
        pytest.param([*NEEDED, "--cache-size", "0"], "--cache-size", id="no room at all"),
        pytest.param([*NEEDED, "--cache-volume", "[1]"], "--cache-volume", id="a volume that is a list"),
        pytest.param([*NEEDED, "--media-volume", '"nfs"'], "--media-volume", id="a volume that is a word"),
        pytest.param([*NEEDED, "--webhook-certificate", "c"], "go together", id="a certificate without its key"),
        pytest.param([*NEEDED, "--webhook-private-key", "k"], "go together", id="a key without its certificate"),
        pytest.param([*NEEDED, "--flags-per-namespace", "-1"], "--flags-per-namespace", id="fewer flags than none"),
        pytest.param([*NEEDED, "--flag-prefix", "search"], "--flag-prefix", id="a prefix of nobody"),
        pytest.param([*NEEDED, "--flag-prefix", "search=search"], "--flag-prefix", id="a prefix without an end"),
        pytest.param([*NEEDED, "--prometheus-gateways", "pod"], "--prometheus-gateways", id="labels of nobody"),
        pytest.param([*NEEDED, "--frobnicate"], "unrecognized arguments: --frobnicate", id="an unknown option"),
    ],
)
def test_what_is_wrong_is_told_with_the_usage(capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        settings.read(arguments)

    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("usage: python -m pitwall_operator.cluster")
    assert words in said


def test_what_is_left_out_watches_everything_and_measures_nothing(monkeypatch):
    for name in (TOKEN_VARIABLE, "PITWALL_PROMETHEUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    found = read()

    assert (found.namespaces, found.prometheus_url, found.prometheus_headers, found.flags_token) == ((), "", {}, "")
    assert (found.webhook_certificate, found.kubeconfig) == (None, None)
    assert found.defaults.image == "i:1"
    assert "aks" in found.known.samplers


def test_secrets_come_from_the_environment(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "write")
    monkeypatch.setenv("PITWALL_PROMETHEUS_TOKEN", "read")
    found = read()

    assert found.flags_token == "write"
    assert found.prometheus_headers == {"Authorization": "Bearer read"}


def test_who_this_is_comes_from_the_pod(monkeypatch):
    monkeypatch.setenv("POD_NAME", "pitwall-0")
    monkeypatch.setenv("POD_NAMESPACE", "ops")
    assert (read().identity, read().lease_namespace) == ("pitwall-0", "ops")
    monkeypatch.delenv("POD_NAME")

    assert read().identity.rpartition("-")[2].isdigit(), "two processes of one host differ"
    assert read("--identity", "me").identity == "me"


def test_a_namespace_that_is_named_twice_is_watched_once():
    assert read("--namespace", "a", "--namespace", "b", "--namespace", "a").namespaces == ("a", "b")


def test_a_namespace_has_so_many_flags_unless_somebody_says_otherwise():
    assert read().known.prefixes.most == 500
    assert [read(f"--flags-per-namespace={number}").known.prefixes.most for number in (7, 0)] == [7, 0]


def test_prefixes_are_collected_by_namespace():
    found = read("--flag-prefix=search=search.", "--flag-prefix=shop=shop.", "--flag-prefix=search=find.")

    assert found.known.prefixes.by_namespace == {"search": ("search.", "find."), "shop": ("shop.",)}

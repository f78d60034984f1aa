"""A cluster's API server as the command line meets it: every refusal is a sentence with a remedy and a code."""

import http.server
import json
import os
import threading

import pytest
import yaml

from pitwall_operator.cli.sources.api import Api
from pitwall_operator.cli.sources.kubeconfig import ClusterTarget
from pitwall_operator.values.errors import CommandError, Exit


@pytest.fixture
def server():
    """Answers everything with what `answer` says."""

    class ApiHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = self.server.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_POST = do_DELETE = do_GET  # noqa: N815 – http.server finds them by these names

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiHandler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def kubeconfig(url: str, **more: object) -> dict:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        **more,
    }  # fmt: skip


@pytest.fixture
def api(server, as_file):
    path = as_file(kubeconfig(f"http://127.0.0.1:{server.server_port}"), "kubeconfig")
    made, namespace = Api.open(ClusterTarget(path))
    assert namespace == "shop"
    yield made
    made.client.close()


def status(message: str = "the reason", **more: object) -> bytes:
    return json.dumps({"kind": "Status", "message": message, **more}).encode()


@pytest.mark.parametrize(
    ("code", "body", "exit_code", "words"),
    [
        pytest.param(400, status(), Exit.BAD_INPUT, "the reason", id="400"),
        pytest.param(422, status(), Exit.BAD_INPUT, "the reason", id="422"),
        pytest.param(401, status(), Exit.FORBIDDEN, "the reason; the API server does not know you, log in", id="401"),
        pytest.param(403, status(), Exit.FORBIDDEN, "the reason; ask for a role that allows it", id="403"),
        pytest.param(403, status("admission webhook denied the request: no"), Exit.BAD_INPUT, "denied", id="a webhook"),
        pytest.param(404, status(details={"name": "x"}), Exit.NOT_FOUND, "the reason", id="404 of an object"),
        pytest.param(404, b"404 page not found", Exit.NOT_INSTALLED, "are not installed in this cluster", id="404"),
        pytest.param(409, status(), Exit.CONFLICT, "the reason; look again and repeat", id="409"),
        pytest.param(
            409, status("Apply failed with 1 conflict"), Exit.CONFLICT, "with the tool that", id="other owners"
        ),
        pytest.param(429, status(), Exit.UNREACHABLE, "the API server answered 429; try again", id="429"),
        pytest.param(500, b"<html>", Exit.UNREACHABLE, "the API server answered 500; try again", id="500 of a proxy"),
        pytest.param(503, b'["x"]', Exit.UNREACHABLE, "the API server answered 503; try again", id="JSON of a proxy"),
        pytest.param(
            200, b"<html>log in", Exit.UNREACHABLE, "does not answer as an API server does", id="a login page"
        ),
        pytest.param(200, b"[1]", Exit.UNREACHABLE, "does not answer as an API server does", id="a list"),
    ],
)
def test_a_refusal_is_a_sentence(server, api, code, body, exit_code, words):
    server.answer = lambda _: (code, body)

    with pytest.raises(CommandError) as trouble:
        api.get("/apis/pitwall.dev/v1alpha1/rollouts")
    assert trouble.value.code is exit_code
    assert words in str(trouble.value)


def test_a_list_is_followed_page_by_page(server, api):
    def answer(path):
        token = "" if "continue" in path else "next"
        return 200, json.dumps({"metadata": {"continue": token}, "items": [token or "last"]}).encode()

    server.answer = answer

    assert list(api.list("/api/v1/pods", {"labelSelector": "a=b"})) == ["next", "last"]


def test_a_cluster_that_does_not_answer_is_named(as_file):
    api, _ = Api.open(ClusterTarget(as_file(kubeconfig("http://127.0.0.1:9"), "kubeconfig")))

    with pytest.raises(
        CommandError, match=r"no answer from http://127\.0\.0\.1:9 .*is this the right context"
    ) as trouble:
        api.get("/api")
    assert trouble.value.code is Exit.UNREACHABLE
    api.client.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("a: [", "is not YAML", id="not YAML"),
        pytest.param("just words", "is no kubeconfig", id="text"),
        pytest.param("[1, 2]", "is no kubeconfig", id="a list"),
        pytest.param({"contexts": [{"context": {}}]}, "is no kubeconfig", id="a context without a name"),
        pytest.param({"contexts": ["here"]}, "is no kubeconfig", id="a context that is a word"),
        pytest.param({"contexts": []}, "no context is current; name one by --context", id="no context"),
        pytest.param("", "there is no kubeconfig in", id="an empty file"),
        pytest.param(
            kubeconfig("x", **{"current-context": "hree"}), "no context 'hree'; did you mean here", id="guess"
        ),
        pytest.param(kubeconfig("x", clusters=[]), "the kubeconfig cannot be used", id="no cluster"),
    ],
)
def test_a_kubeconfig_that_is_none_is_said(say, as_file, content, words):
    said = say("get", "--kubeconfig", as_file(content, "kubeconfig"))

    assert said.code == 2
    assert words in said.err


def test_of_two_kubeconfigs_the_first_that_says_something_holds(say, as_file, monkeypatch):
    one = as_file({"contexts": []}, "one")
    two = as_file(yaml.safe_dump(kubeconfig("http://127.0.0.1:9")), "two")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(one), "", str(one.with_name("missing")), str(two)]))
    said = say("get", "-n", "elsewhere")

    assert said.code == 4
    assert "no answer from http://127.0.0.1:9" in said.err

"""The webhook's server: reviews over TLS, and what is no review."""

import asyncio
import ssl
import subprocess

import httpx
import pytest

from pitwall_crds.host.sockets import free_port
from pitwall_operator.cluster.webhook import reviewing
from pitwall_operator.cluster.webhook.reviewing import Webhook

REVIEW = {"kind": "AdmissionReview", "request": {"uid": "1"}}


@pytest.fixture
def pair(tmp_path):
    """Certificate and key for 127.0.0.1."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
async def post(pair):
    """Post a body to the webhook: status and text."""
    certificate, _ = pair
    webhook = Webhook(free_port(), *pair)

    async def reviewer(review, path):
        if review["request"].get("uid") == "broken":
            raise RuntimeError("of 10.0.0.7")
        return {"path": path, "uid": review["request"]["uid"]}

    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        reviewing.reviewing(webhook, reviewer),
        httpx.AsyncClient(base_url=f"https://127.0.0.1:{webhook.port}", verify=trusting, trust_env=False) as client,
    ):

        async def send(path="/rollouts", **named):
            answer = await client.post(path, **named)
            return answer.status_code, answer.text

        yield send


async def test_a_review_is_answered_by_its_path(post):
    assert await post(json=REVIEW) == (200, '{"path":"rollouts","uid":"1"}')


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b'{"request": 1}', b"[" * 200_000, b"[0" + b",[]" * 200_000 + b"]"], ids=range(6)
)
async def test_what_is_no_review_is_told_so(post, body):
    status, text = await post(content=body)
    assert (status, text.partition(":")[0]) == (400, "this is no AdmissionReview")
    assert (await post(json=REVIEW))[0] == 200


async def test_a_review_that_breaks_its_reviewer_is_logged_and_nothing_of_it_is_told(post, caplog):
    status, text = await post(json={"request": {"uid": "broken"}})
    assert (status, "10.0.0.7" in text, "10.0.0.7" in caplog.text) == (500, False, True)


async def test_a_peer_that_sends_many_reviews_holds_up_no_other(pair):
    certificate, _ = pair
    webhook, under_way = Webhook(free_port(), *pair), list[str]()
    full, end = asyncio.Event(), asyncio.Event()

    async def reviewer(review, path):
        under_way.append(path)
        if path == "flood":
            if under_way.count("flood") == reviewing.MOST_OF_ONE:
                full.set()
            await end.wait()
        return {}

    trusting = ssl.create_default_context(cafile=str(certificate))

    def peer(address: str) -> httpx.AsyncClient:
        reached = httpx.AsyncHTTPTransport(verify=trusting, local_address=address, trust_env=False)
        return httpx.AsyncClient(base_url=f"https://127.0.0.1:{webhook.port}", transport=reached, timeout=60)

    async with reviewing.reviewing(webhook, reviewer), peer("127.0.0.2") as flood, peer("127.0.0.1") as honest:
        sent = [asyncio.create_task(flood.post("/flood", json=REVIEW)) for _ in range(20)]
        await full.wait()
        for _ in range(5):
            assert (await honest.post("/rollouts", json=REVIEW)).status_code == 200
        assert under_way.count("flood") == reviewing.MOST_OF_ONE
        end.set()
        assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}


async def test_reviews_and_headers_are_bounded(post, monkeypatch):
    monkeypatch.setattr(reviewing, "LARGEST_REVIEW", 1000)
    assert (await post(content=b"x" * 1001))[0] == 413
    assert (await post(json=REVIEW, headers={"x": "x" * 70_000}))[0] == 431

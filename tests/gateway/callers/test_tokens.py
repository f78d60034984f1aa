"""Signed tokens: only the issuer's own, meant for us, and still valid, say who speaks."""

import asyncio
import base64
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pitwall_gateway.callers.tokens import LONGEST_CLAIM, PublishedKeys, Tokens
from pitwall_gateway.values.speaker import Speaker


async def test_a_valid_token_says_caller_user_and_session(issuer):
    token = issuer.token(sub="ann", azp="web", sid="s-1")

    assert await Tokens(issuer.rule).speaker(token) == Speaker("web", "ann", "s-1")


async def test_a_token_that_names_no_application_is_its_audiences(issuer):
    assert await Tokens(issuer.rule).speaker(issuer.token(azp=None)) == Speaker("pitwall", "ann")


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://evil.example"}, id="another issuer"),
        pytest.param({"aud": "another-service"}, id="meant for another service"),
        pytest.param({"exp": time.time() - 3600}, id="expired"),
        pytest.param({"exp": None}, id="valid for ever"),
        pytest.param({"nbf": time.time() + 3600}, id="not yet valid"),
        pytest.param({"sub": None}, id="of nobody"),
        pytest.param({"sub": ""}, id="of an empty user"),
        pytest.param({"azp": {"name": "web"}}, id="a caller that is no text"),
        pytest.param({"sid": "s" * (LONGEST_CLAIM + 1)}, id="a session too long"),
        pytest.param({"sub": "ann\x1b[31m"}, id="a user with an escape"),
        pytest.param({"azp": "web\n"}, id="a caller with a line's end"),
        pytest.param({"padding": "x" * 9000}, id="too large"),
    ],
)
async def test_any_other_token_of_the_issuer_is_refused(issuer, claims):
    assert await Tokens(issuer.rule).speaker(issuer.token(**claims)) is None


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HEADERS = [{"alg": name, "kid": "k-1", "typ": "JWT"} for name in ("ES256", "HS256")]
ES256, HS256 = (encoded(json.dumps(header, separators=(",", ":")).encode()) for header in HEADERS)


def forged(issuer, how):
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    if how == "signed with the public key":
        public = issuer.keys["k-1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        unsigned = issuer.token().rpartition(".")[0].replace(ES256, HS256)
        return f"{unsigned}.{encoded(hmac.new(public, unsigned.encode(), 'sha256').digest())}"
    if how == "unsigned":
        return jwt.encode(claims, None, algorithm="none", headers={"kid": "k-1"})
    head, body, signature = issuer.token().split(".")
    if how == "another's name":
        body = encoded(json.dumps({**claims, "sub": "eve"}).encode())
    elif how == "another's signature":
        known = issuer.published("k-1")
        issuer.rotate("k-1")
        signature = issuer.token().split(".")[2]
        issuer.file.write_text(json.dumps({"keys": [known]}))
    return ".".join((head, body, signature))


@pytest.mark.parametrize("how", ["signed with the public key", "unsigned", "another's name", "another's signature"])
async def test_a_forged_token_is_refused(issuer, how):
    assert await Tokens(issuer.rule).speaker(forged(issuer, how)) is None


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "\x00" * 50, "é.è.ê", "." * 8000, "eyJhbGciOiJFUzI1NiJ9.e30.AA"])
async def test_what_is_no_token_is_refused(issuer, text):
    assert await Tokens(issuer.rule).speaker(text) is None


async def test_a_new_key_is_fetched_when_its_first_token_comes(issuer):
    clock = iter(range(0, 1000, 20)).__next__
    keys = PublishedKeys(str(issuer.file), clock)
    assert await keys.key("k-1")
    issuer.rotate("k-2")

    assert await keys.key("k-2")
    assert await keys.key("k-1") is None


async def test_tokens_with_invented_keys_make_nobody_fetch_again_and_again(issuer):
    fetches = []
    keys = PublishedKeys(str(issuer.file), lambda: 100.0)
    renew = keys._renew

    async def counted():
        fetches.append(1)
        await renew()

    keys._renew = counted
    for number in range(50):
        assert await keys.key(f"invented-{number}") is None

    assert len(fetches) == 1


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<html>down for maintenance</html>", id="a page"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="a list"),
        pytest.param('"down"', id="a text"),
        pytest.param('{"keys": null}', id="no list of keys"),
        pytest.param('{"keys": [null, 1]}', id="no keys in the list"),
        pytest.param('{"keys": [{"kty": 1, "kid": []}]}', id="a key of wrong types"),
        pytest.param('{"keys": [{"kty": "RSA", "kid": "a", "n": 1, "e": {}}]}', id="numbers of wrong types"),
        pytest.param("[" * 100_000, id="brackets without end"),
    ],
)
async def test_while_the_keys_cannot_be_had_the_last_ones_serve(issuer, caplog, page):
    now = [0.0]
    keys = PublishedKeys(str(issuer.file), lambda: now[0])
    assert await keys.key("k-1")
    issuer.file.write_text(page)
    now[0] = 1000.0

    assert await keys.key("k-1")
    assert "keeping the last ones" in caplog.text


async def test_tokens_that_come_while_the_keys_are_fetched_wait_for_them(issuer):
    tokens = Tokens(issuer.rule)
    users = ["ann", "bob", "kim"]

    said = await asyncio.gather(*(tokens.speaker(issuer.token(sub=user)) for user in users))

    assert [speaker and speaker.user for speaker in said] == users

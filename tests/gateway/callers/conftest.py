"""Fixtures: callers with API keys, and an issuer of signed tokens."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pitwall_gateway.callers.rule import TokenRule

ISSUER, AUDIENCE = "https://idp.example", "pitwall"


def digest(key: str) -> str:
    """What the callers file holds of a key."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


class Issuer:
    """Signs tokens, and publishes its keys in a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "jwks.json"
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.rotate("k-1")

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on."""
        self.key_id = key_id
        self.keys = {key_id: ec.generate_private_key(ec.SECP256R1())}
        self.publish()

    def publish(self) -> None:
        parts = [self.published(key_id) for key_id in self.keys]
        self.file.write_text(json.dumps({"keys": parts}))

    def published(self, key_id: str) -> dict[str, Any]:
        public = self.keys[key_id].public_key()
        return {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(public)), "kid": key_id, "use": "sig"}

    def token(self, **claims: Any) -> str:
        """A token that is valid for five minutes, unless the claims say otherwise; None leaves a claim out."""
        usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 300, "sub": "ann", "azp": "web"}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, self.keys[self.key_id], algorithm="ES256", headers={"kid": self.key_id})

    @property
    def rule(self) -> TokenRule:
        return TokenRule(keys=str(self.file), issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture
def callers_file(tmp_path: Path) -> Callable[..., Path]:
    """Write the callers file: caller by name, with keys and limits."""

    def write(**callers: dict[str, Any]) -> Path:
        entries = [
            {"name": name, **said, "keys": [digest(key) for key in said.get("keys", ())]}
            for name, said in callers.items()
        ]
        path = tmp_path / "callers.json"
        path.write_text(json.dumps({"callers": entries}))
        return path

    return write

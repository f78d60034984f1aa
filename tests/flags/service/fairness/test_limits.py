"""Rates per client, told with how long to wait."""

import httpx
import pytest

from pitwall_crds.host.rate_limit import RateLimit
from pitwall_flags.service.fairness.limits import RequestLimits


@pytest.mark.slow
def test_too_many_requests_are_told_when_to_come_back(tmp_path, service_on):
    with (
        service_on(tmp_path, options=("--requests-per-second", "1")) as service,
        httpx.Client(base_url=service.url) as http,
    ):
        answers = [http.get("/v1/flags") for _ in range(5)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("addresses", "refused"),
    [
        pytest.param(
            [f"2001:db8::{number:x}" for number in range(40)], 38, id="one host of IPv6, whatever it is called"
        ),
        pytest.param([f"2001:db8:0:{number:x}::1" for number in range(40)], 0, id="many of IPv6"),
        pytest.param([f"::ffff:192.0.2.{number}" for number in range(40)], 0, id="many of IPv4 at a socket for both"),
    ],
)
async def test_a_host_of_ipv6_has_one_rate_for_all_its_addresses(addresses, refused):
    async def app(scope, receive, send):
        await send({"status": 200})

    statuses = []

    async def send(message):
        statuses.append(message.get("status", 0))

    async def receive():
        return {"type": "http.request"}

    limits = RequestLimits(app, rate=RateLimit(1, clock=lambda: 0.0), max_body_bytes=100)
    for address in addresses:
        await limits({"type": "http", "path": "/v1/flags", "client": (address, 1)}, receive, send)

    assert statuses.count(429) == refused
    assert statuses.count(200) == 40 - refused

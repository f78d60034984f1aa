"""Rates per client, told with how long to wait."""

import httpx
import pytest


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

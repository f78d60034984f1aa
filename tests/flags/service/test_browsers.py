"""Pages in browsers: those of allowed origins may evaluate flags, and nothing else is opened to any."""

import pytest

ANN = {"context": {"targetingKey": "ann"}}
PAGE = "https://app.example.com"


@pytest.fixture
async def browsed(guarded):
    desk = guarded.beside((PAGE,))
    await desk.publisher.refresh()
    yield desk
    await desk.http.aclose()


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    return {"Origin": origin, **asked}


async def test_a_page_of_an_allowed_origin_may_evaluate_and_sees_tags_and_refusals(browsed, split):
    await browsed.publisher.refresh()
    asked = await browsed.http.options("/ofrep/v1/evaluate/flags", headers=preflight(PAGE))
    token = {"Authorization": "Bearer evaluate-token-of-the-tests", "Origin": PAGE}
    answer = await browsed.http.post("/ofrep/v1/evaluate/flags", json=ANN, headers=token)
    refused = await browsed.http.post("/ofrep/v1/evaluate/flags/f", json=ANN, headers={"Origin": PAGE})

    assert asked.status_code == 200
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"].lower()
    assert answer.status_code == 200
    assert refused.status_code == 401
    for one in (asked, answer, refused):
        assert one.headers["Access-Control-Allow-Origin"] == PAGE
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        pytest.param("/ofrep/v1/evaluate/flags", "https://evil.example.com", id="another origin"),
        pytest.param("/v1/flags/f", PAGE, id="the admin API"),
        pytest.param("/v1/flags/f/kill", PAGE, id="the kill switch"),
    ],
)
async def test_no_other_page_and_no_other_path_is_opened_to_browsers(browsed, path, origin):
    asked = await browsed.http.options(path, headers=preflight(origin))
    read = await browsed.http.get(path, headers={"Origin": origin})

    assert "access-control-allow-origin" not in {*asked.headers, *read.headers}


async def test_without_origins_no_page_is_let_in(desk):
    answer = await desk.http.post("/ofrep/v1/evaluate/flags", json=ANN, headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in answer.headers

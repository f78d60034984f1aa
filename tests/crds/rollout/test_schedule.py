"""Weekly windows in a time zone."""

from datetime import datetime

import pytest
from pydantic import ValidationError

from pitwall_crds.rollout.schedule import Schedule, Window


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def berlin(*days: str, start: str, end: str) -> Schedule:
    return Schedule.model_validate(
        {"timeZone": "Europe/Berlin", "windows": [{"days": days, "startTime": start, "endTime": end}]}
    )


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        pytest.param("2026-11-20T09:00:00+01:00", True, id="the-start-belongs-to-the-window"),
        pytest.param("2026-11-20T16:30:00+01:00", False, id="the-end-does-not"),
        pytest.param("2026-11-20T08:59:00+01:00", False, id="before"),
        pytest.param("2026-11-21T10:00:00+01:00", False, id="another-day"),
        pytest.param("2026-07-17T09:30:00+02:00", True, id="in-summer-time"),
        pytest.param("2026-07-17T08:30:00+02:00", False, id="before-it-in-summer-time"),
    ],
)
def test_a_window_opens_on_its_days_in_its_zone(moment, is_open):
    assert berlin("Friday", start="09:00", end="16:30").is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("2026-11-20T23:00:00+01:00", True), ("2026-11-21T01:59:00+01:00", True), ("2026-11-21T02:00:00+01:00", False),
     ("2026-11-20T01:00:00+01:00", False)],
)  # fmt: skip
def test_a_window_may_end_on_the_next_day(moment, is_open):
    assert berlin("Friday", start="22:00", end="02:00").is_open(at(moment)) is is_open


def test_no_windows_are_always_open():
    assert Schedule().is_open(0)
    assert Schedule().next_opening(0) is None


def test_the_next_opening_may_be_a_week_away():
    opening = berlin("Friday", start="09:00", end="10:00").next_opening(at("2026-11-20T09:30:00+01:00"))

    assert opening is not None
    assert opening.isoformat() == "2026-11-27T09:00:00+01:00"


@pytest.mark.parametrize(
    ("change", "message"),
    [({"timeZone": "Mars/Olympus"}, "IANA"), ({"windows": [{"startTime": "9:00", "endTime": "10:00"}]}, "startTime"),
     ({"windows": [{"startTime": "09:00", "endTime": "09:00"}]}, "must differ")],
)  # fmt: skip
def test_a_wrong_schedule_is_explained(change, message):
    with pytest.raises(ValidationError, match=message):
        Schedule.model_validate(change)


def test_windows_are_read_as_they_are_written():
    window = Window.model_validate({"days": ["Monday"], "startTime": "09:00", "endTime": "10:00"})

    assert Window.model_validate(window.to_yaml_dict()) == window


def test_the_data_base_is_looked_through_once(monkeypatch):
    Schedule(timeZone="Europe/Berlin")

    def refuse(*_):
        raise AssertionError("the folders were searched again")

    monkeypatch.setattr("os.walk", refuse)
    assert Schedule(timeZone="America/New_York").time_zone == "America/New_York"

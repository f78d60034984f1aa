"""Windows on the days when the clocks change, and what holds of every window in every zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pitwall_crds.rollout.schedule import WEEK, Schedule

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Chatham")
CLOCKS = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
MOMENTS = st.integers(1_767_225_600, 1_830_297_600)  # 2026 and 2027


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def daily(start: str, end: str, zone: str = "Europe/Berlin") -> Schedule:
    return Schedule.model_validate({"timeZone": zone, "windows": [{"startTime": start, "endTime": end}]})


@pytest.mark.parametrize(
    ("start", "end", "moment", "is_open"),
    [
        pytest.param("02:30", "04:00", "2026-03-29T03:10:00+02:00", True, id="a start in the missing hour has passed"),
        pytest.param("02:30", "04:00", "2026-03-29T01:59:00+01:00", False, id="and not before the clocks jump"),
        pytest.param("02:10", "02:50", "2026-03-29T03:00:00+02:00", False, id="a window in the missing hour is none"),
        pytest.param("01:00", "02:30", "2026-03-29T03:00:00+02:00", False, id="an end in the missing hour has passed"),
        pytest.param("02:00", "03:00", "2026-10-25T02:30:00+02:00", True, id="the repeated hour the first time"),
        pytest.param("02:00", "03:00", "2026-10-25T02:30:00+01:00", True, id="the repeated hour the second time"),
        pytest.param("02:00", "03:00", "2026-10-25T03:00:00+01:00", False, id="and its end"),
        pytest.param("22:00", "02:30", "2026-10-25T02:15:00+01:00", True, id="a night that is an hour longer"),
        pytest.param("22:00", "02:30", "2026-03-29T03:00:00+02:00", False, id="a night that is an hour shorter"),
    ],
)
def test_a_window_is_read_on_the_wall_clock(start, end, moment, is_open):
    assert daily(start, end).is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        pytest.param("2026-03-28T12:00:00+01:00", "2026-03-29T09:00:00+02:00", id="over the shorter night"),
        pytest.param("2026-10-24T12:00:00+02:00", "2026-10-25T09:00:00+01:00", id="over the longer night"),
    ],
)
def test_the_next_opening_is_at_the_same_wall_time_after_the_clocks_change(moment, opens):
    opening = daily("09:00", "10:00").next_opening(at(moment))

    assert opening is not None
    assert opening.isoformat() == opens


def test_a_moment_is_judged_in_the_zone_of_the_schedule_not_of_the_machine():
    moment = at("2026-06-01T23:30:00+00:00")

    assert daily("09:00", "10:00", "Asia/Tokyo").is_open(at("2026-06-02T00:30:00+00:00"))
    assert daily("05:00", "05:30", "Asia/Kolkata").is_open(moment)
    assert not daily("05:00", "05:30", "UTC").is_open(moment)


@given(MOMENTS, CLOCKS, CLOCKS, st.sets(st.sampled_from(WEEK), min_size=1), st.sampled_from(ZONES))
def test_a_window_opens_at_its_opening_and_never_between_now_and_then(moment, start, end, days, zone):
    assume(start != end)
    window = {"days": sorted(days), "startTime": start, "endTime": end}
    schedule = Schedule.model_validate({"timeZone": zone, "windows": [window]})
    assume(not schedule.is_open(moment))
    opening = schedule.next_opening(moment)
    assert opening is not None
    now = datetime.fromtimestamp(moment, ZoneInfo(zone))
    assume(opening.utcoffset() == now.utcoffset())  # the clocks' changes are the table's matter

    wait = opening.timestamp() - moment
    assert 0 < wait <= timedelta(days=8).total_seconds()
    assert schedule.is_open(opening.timestamp())
    assert not any(schedule.is_open(moment + wait * part / 20) for part in range(20))


@given(MOMENTS, st.lists(st.tuples(CLOCKS, CLOCKS), min_size=1, max_size=4), st.sampled_from(ZONES))
def test_several_windows_are_open_when_one_of_them_is(moment, clocks, zone):
    assume(all(start != end for start, end in clocks))
    windows = [{"startTime": start, "endTime": end} for start, end in clocks]
    together = Schedule.model_validate({"timeZone": zone, "windows": windows})

    assert together.is_open(moment) == any(daily(start, end, zone).is_open(moment) for start, end in clocks)

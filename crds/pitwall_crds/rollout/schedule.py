"""Schedule: the weekly windows in which a rollout may move on. Harm flags off at any time."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from pitwall_crds.resource import Border, cel_rules

DAYS_AHEAD = 8


class Day(StrEnum):
    """Days of the week, in datetime's order."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


WEEK = tuple(Day)


@cache
def _zones() -> frozenset[str]:
    """Read once a process: folders are searched for them, and an operator reads each Rollout twice a second."""
    return frozenset(available_timezones())


def _known(zone: str) -> str:
    if zone not in _zones():
        raise ValueError(f"timeZone {zone!r} is not in the IANA time zone database; use a name such as Europe/Berlin")
    return zone


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]


class Window(Border):
    """A part of some days in which a rollout may move on. An end before the start is on the next day."""

    model_config = cel_rules(("self.startTime != self.endTime", "startTime and endTime must differ"))

    days: Annotated[
        tuple[Day, ...], Field(min_length=1, max_length=7, description="Days on which the window opens.")
    ] = WEEK
    start_time: Annotated[Clock, Field(description="When it opens, such as 09:00.")]
    end_time: Annotated[Clock, Field(description="When it closes, such as 16:30.")]

    @model_validator(mode="after")
    def _has_a_length(self) -> "Window":
        if self.start_time == self.end_time:
            raise ValueError("startTime and endTime must differ")
        return self

    def opening(self, day: datetime) -> datetime | None:
        """When the window opens on the day of this time, or None."""
        if WEEK[day.weekday()] not in self.days:
            return None
        return datetime.combine(day.date(), time.fromisoformat(self.start_time), day.tzinfo)

    def closing(self, opening: datetime) -> datetime:
        """When the window that opened then closes."""
        end = datetime.combine(opening.date(), time.fromisoformat(self.end_time), opening.tzinfo)
        return end if end > opening else end + timedelta(days=1)


class Schedule(Border):
    """No windows: always open."""

    time_zone: Annotated[
        str,
        Field(max_length=64, description="IANA name of the zone that the windows' times are in."),
        AfterValidator(_known),
    ] = "UTC"
    windows: Annotated[
        tuple[Window, ...],
        Field(max_length=16, description="When stages may begin; none is always. Harm flags off at any time."),
    ] = ()

    def is_open(self, epoch_seconds: float) -> bool:
        """Whether a stage may begin now."""
        now = datetime.fromtimestamp(epoch_seconds, ZoneInfo(self.time_zone))
        days = (now, now - timedelta(days=1))
        return not self.windows or any(_covers(window, day, now) for window in self.windows for day in days)

    def next_opening(self, epoch_seconds: float) -> datetime | None:
        """When the next window opens; None without windows."""
        now = datetime.fromtimestamp(epoch_seconds, ZoneInfo(self.time_zone))
        days = [now + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)]
        openings = (window.opening(day) for window in self.windows for day in days)
        return min((opening for opening in openings if opening and opening > now), default=None)


def _covers(window: Window, day: datetime, now: datetime) -> bool:
    opening = window.opening(day)
    return opening is not None and opening <= now < window.closing(opening)

"""The user's calendar in a profile: moments at which anomalies mean something else."""

import datetime as dt
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from services.contracts.anomaly import Severity

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class CalendarEvent(BaseModel):
    """One entry of `calendar`; anomalies of its symbols in its time are labelled with its name.

    Its time is a day of the exchange, or a range: its start belongs to it, its end does not. Times
    without an offset are those of the exchange's clock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    name: str = Field(min_length=1)
    symbols: tuple[str, ...] = ()
    """All symbols if empty."""
    day: dt.date | None = None
    start: dt.datetime | None = Field(None, alias="from")
    end: dt.datetime | None = Field(None, alias="to")
    at_most: Severity | None = None
    """Severities above this one are lowered to it."""
    skip: bool = False
    """Whether its anomalies are held back."""

    def applies_to(self, symbol: str) -> bool:
        """Tell whether it is one of the event's symbols."""
        return not self.symbols or symbol in self.symbols

    def range_ns(self, time_zone: str) -> tuple[int, int]:
        """Return its start and its end, ns since 1970, for an exchange's time zone."""
        start, end = self.start, self.end
        if self.day is not None:
            start = dt.datetime.combine(self.day, dt.time.min)
            end = dt.datetime.combine(self.day + dt.timedelta(days=1), dt.time.min)
        assert start is not None and end is not None  # noqa: S101, PT018 - `_has_a_time` says so
        return _ns(start, time_zone), _ns(end, time_zone)

    @field_validator("day", "start", "end", mode="before")
    @classmethod
    def _is_written_out(cls, given: object) -> object:
        # Numbers would be read as seconds since 1970, and YAML reads 16:00 as the number 960.
        if isinstance(given, int | float) or (isinstance(given, str) and "-" not in given):
            raise _fault("write a day as 2024-12-20, and a time with its day as 2024-12-20 16:00")
        return given

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if (self.day is None) == (self.start is None and self.end is None):
            raise _fault("give either `day`, or `from` and `to`")
        if self.day is None and (self.start is None or self.end is None):
            raise _fault("give both `from` and `to`")
        start, end = self.range_ns("UTC")
        if self.start and self.end and (self.start.tzinfo is None) != (self.end.tzinfo is None):
            raise _fault("give both `from` and `to` with an offset such as Z, or neither")
        if end <= start:
            raise _fault("`to` is not after `from`")
        if self.skip and self.at_most is not None:
            raise _fault("what is skipped has no severity: give `skip` or `at_most`")
        return self


def _ns(time: dt.datetime, time_zone: str) -> int:
    local = time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(time_zone))
    return (local - _EPOCH) // _MICROSECOND * 1_000


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("calendar", "{text}", {"text": text})

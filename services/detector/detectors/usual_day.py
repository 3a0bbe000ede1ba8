"""What a day of a symbol usually has, and when: part of a profile."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from services.detector.detectors.parameters import Parameters

QUARTERS = 96
"""Quarters of an hour of a day."""

_TIME = re.compile(r"([01]\d|2[0-3]):(00|15|30|45)")
_LEAST_SUM, _MOST_SUM = 0.8, 1.25


class UsualDay(Parameters):
    """A usual day; a profile's own leaves open what differs between symbols."""

    moments: float | None = Field(None, gt=0, description="moments with trades, extended hours included")
    shares: float | None = Field(None, gt=0, description="volume, auctions included")
    by_quarter_hour: dict[str, float] | None = Field(
        None, description="share of the day's moments in each quarter of an hour, by the exchange's clock"
    )

    @property
    def curve(self) -> tuple[float, ...]:
        """The share of each quarter of an hour from midnight on, `QUARTERS` that add up to 1; or none."""
        if self.by_quarter_hour is None:
            return ()
        total = sum(self.by_quarter_hour.values())
        return tuple(self.by_quarter_hour.get(quarter_text(at), 0.0) / total for at in range(QUARTERS))

    @field_validator("by_quarter_hour")
    @classmethod
    def _is_a_curve(cls, given: dict[str, float] | None) -> dict[str, float] | None:
        if given is None:
            return None
        for time, share in given.items():
            if not _TIME.fullmatch(time):
                raise _fault(f"{time!r} is no quarter of an hour: write 09:30, 09:45, 10:00 and so on")
            if not 0 <= share <= 1:
                raise _fault(f"{share:g} at {time} is no share of the day: write 0.041 for 4.1 %")
        total = sum(given.values())
        if not _LEAST_SUM <= total <= _MOST_SUM:
            raise _fault(
                f"the shares of the day add up to {total:.3g}, not to about 1; a missing quarter has none"
            )
        return given

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise _fault("it says nothing: give moments, shares or by_quarter_hour, or null for no usual day")
        return self


def quarter_text(quarter: int) -> str:
    """Return when a quarter of an hour begins, such as `09:30`; quarters count from midnight."""
    return f"{quarter // 4 % 24:02d}:{quarter % 4 * 15:02d}"


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("usual_day", "{text}", {"text": text})

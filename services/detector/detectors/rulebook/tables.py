"""The rulebook's tables, which are data files beside this one, with their date and sources."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

_FOLDER = Path(__file__).parent

T = TypeVar("T", bound="_Table")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Table(_Strict):
    as_of: dt.date
    """The day for which the numbers are known to hold."""
    text: str
    """The text that they come from."""
    sources: list[str] = Field(min_length=1)


class LuldBand(_Strict):
    """How wide a band is for one tier and one range of previous closes."""

    tier: int = Field(ge=1, le=2)
    above: float | None = None
    """The previous close is above this."""
    at_least: float | None = Field(None, alias="from")
    """The previous close is this or more."""
    share: float = Field(gt=0)
    """Of the reference."""
    amount: float | None = Field(None, gt=0)
    """In dollars; the band is the lesser of the two."""
    doubled: bool
    """Whether it is doubled before the close."""

    def fits(self, tier: int, previous_close: float) -> bool:
        """Tell whether this band is the one of a stock, if none before it in the table is."""
        return (
            tier == self.tier
            and (self.above is None or previous_close > self.above)
            and (self.at_least is None or previous_close >= self.at_least)
        )


class LuldTable(_Table):
    """The plan's numbers; `luld.yaml` says what each means."""

    window_s: int = Field(gt=0)
    step_share: float = Field(gt=0)
    least_effect_s: int = Field(ge=0)
    limit_state_s: int = Field(gt=0)
    pause_s: int = Field(gt=0)
    doubled_minutes: int = Field(ge=0)
    bands: list[LuldBand]

    def band_of(self, tier: int, previous_close: float) -> LuldBand:
        """Return the band of a stock of a tier, 1 or 2, with a previous close in dollars."""
        return next(band for band in self.bands if band.fits(tier, previous_close))

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for tier in (1, 2):
            self.band_of(tier, 0.0)
        return self


class ErroneousThreshold(_Strict):
    """How far from the last sale a trade must be, as shares of it."""

    up_to: float = float("inf")
    """The last sale is this or less, in dollars."""
    regular: float = Field(gt=0)
    extended: float = Field(gt=0)


class ErroneousTable(_Table):
    """The rule's numbers; `clearly_erroneous.yaml` says what each means."""

    request_minutes: int = Field(gt=0)
    thresholds: list[ErroneousThreshold]

    def threshold_of(self, last_sale: float) -> ErroneousThreshold:
        """Return the thresholds for a last sale in dollars."""
        return next(one for one in self.thresholds if last_sale <= one.up_to)


@cache
def luld_table() -> LuldTable:
    """Return the price bands of LULD."""
    return _read("luld.yaml", LuldTable)


@cache
def erroneous_table() -> ErroneousTable:
    """Return the thresholds of the rule on clearly erroneous executions."""
    return _read("clearly_erroneous.yaml", ErroneousTable)


def _read(name: str, kind: type[T]) -> T:
    return kind.model_validate(yaml.safe_load((_FOLDER / name).read_text()))

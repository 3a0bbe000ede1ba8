"""Lines of a profile that hold anomalies back."""

from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.contracts.detectors import DETECTORS, LABELS, PRICE_UNIT, SIZE_UNIT

UNITS = (PRICE_UNIT, SIZE_UNIT)
"""Units in which a detection's value has a distance from what was expected."""


class Suppress(BaseModel):
    """One line of `suppress`: a detection is held back if all that the line says is true of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    label: str | None = None
    symbol: str | None = None
    below_bp: float | None = Field(None, gt=0)
    """The value is less than so many basis points of the expected one away from it."""
    below_distance: float | None = Field(None, gt=0)
    """The value is less than this away from the expected one, in the unit of the label."""
    below_shares: float | None = Field(None, gt=0)
    """The trade is smaller than this."""

    @property
    def text(self) -> str:
        """The line for people, and for the label of a metric, such as `Off-Market Price below 5 bp`."""
        parts = [self.label or "any label"]
        if self.symbol is not None:
            parts.append(f"of {self.symbol}")
        for limit, unit in (
            (self.below_bp, "bp"),
            (self.below_distance, "away"),
            (self.below_shares, "shares"),
        ):
            if limit is not None:
                parts.append(f"below {limit:.10g} {unit}")
        return " ".join(parts)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise _fault("an empty line would hold everything back: give a label, a symbol or a limit")
        if self.label is not None and self.label not in LABELS:
            near = get_close_matches(self.label, LABELS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known labels: {', '.join(LABELS)}"
            raise _fault(f"unknown label {self.label}; {fix}")
        measured = sorted({spec.label for spec in DETECTORS.values() if spec.unit in UNITS})
        if (self.below_bp or self.below_distance) and self.label and self.label not in measured:
            raise _fault(
                f"{self.label} measures no distance from an expected price or size; "
                f"below_bp and below_distance are for {', '.join(measured)}"
            )
        return self


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("suppress", "{text}", {"text": text})

"""The base of all detectors' parameters."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """Numbers that decide what a detector flags; unknown names are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

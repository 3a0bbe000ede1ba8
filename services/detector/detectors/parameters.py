"""What the parameters of all detectors have in common."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """Numbers that decide what a detector flags; names that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

"""The base of all detectors' parameters."""

from pydantic import BaseModel, ConfigDict

PROFILE_FOLDER = "folder"
"""Key of a validation's context: the folder that paths in a profile start from; else the current one."""


class Parameters(BaseModel):
    """Numbers that decide what a detector flags; unknown names are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

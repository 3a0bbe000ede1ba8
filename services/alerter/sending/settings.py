"""Settings of sending alerts only."""

from typing import Annotated

from pydantic import Field

from services.common.config.settings import EnvironmentSettings


class SendingSettings(EnvironmentSettings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as unset.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    alert_retry_hours: Annotated[float, Field(gt=0)] = 24.0
    """How long a message is tried that is not accepted; then it is a dead letter."""

"""Settings of `tapewatch detect` only."""

from typing import Annotated

from pydantic import Field

from services.common.config.settings import Settings


class DetectorSettings(Settings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as unset.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    checkpoint_trades: Annotated[int, Field(ge=1_000)] = 100_000
    """Approximate limit of messages per partition that a detector replays after a crash."""

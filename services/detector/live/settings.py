"""What only `tapewatch detect` needs to know."""

from typing import Annotated

from pydantic import Field

from services.common.config.settings import Settings


class DetectorSettings(Settings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as one that is not set.

    Raises
    ------
    TapewatchError
        A value is impossible.
    """

    checkpoint_trades: Annotated[int, Field(ge=1_000)] = 100_000
    """About so many messages of each partition a detector reads again after a crash, at most."""

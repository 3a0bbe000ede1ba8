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

    selftest_minutes: Annotated[float, Field(ge=0)] = 5.0
    """How often anomalies are planted into copies of sessions; 0 for never."""

    selftest_symbols: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Symbols that have their turn each time."""

    selftest_profile: str | None = None
    """The profile that is meant to run, a name, a file or its hash; None: whichever does."""

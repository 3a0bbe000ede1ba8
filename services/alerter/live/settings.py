"""Settings of `tapewatch alert` only."""

from services.common.config.settings import Settings
from services.common.config.urls import HttpUrl


class AlerterSettings(Settings):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as unset.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    dashboard_url: HttpUrl | None = None
    """URL of the dashboard as the readers of alerts reach it; None for alerts without a link to it."""

    kibana: HttpUrl | None = None
    """URL of Kibana as they reach it; None for alerts without a link to it."""

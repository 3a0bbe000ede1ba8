"""Times as the rulebook's detectors tell them."""

import datetime as dt
from zoneinfo import ZoneInfo

from services.detector.detectors.core.state import SECOND_NS


def clock_text(ns: int, zone: ZoneInfo) -> str:
    """Write a time, ns since 1970, as the exchange's clock shows it, such as `10:31:07`."""
    return dt.datetime.fromtimestamp(ns // SECOND_NS, zone).strftime("%H:%M:%S")


def utc_text(ns: int) -> str:
    """Write a time, ns since 1970, in ISO 8601 with whole seconds, such as `2024-12-02T15:31:07Z`."""
    return dt.datetime.fromtimestamp(ns // SECOND_NS, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def percent_text(share: float) -> str:
    """Write a share as a percentage without superfluous digits, such as `5%`."""
    return f"{100 * share:.10g}%"

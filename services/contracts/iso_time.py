"""Times as topics, documents and addresses have them: ISO 8601 in UTC with `Z`."""

import datetime as dt
from typing import Literal

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def iso_utc(at: dt.datetime, digits: Literal["milliseconds", "microseconds"] = "microseconds") -> str:
    """Write a time that has a zone, to so many digits."""
    return at.astimezone(dt.UTC).isoformat(timespec=digits).replace("+00:00", "Z")


def iso_ns(ns: int) -> str:
    """Write ns since 1970, all nine digits of them."""
    second = _EPOCH + dt.timedelta(seconds=ns // 1_000_000_000)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000:09d}Z"

"""A profile as the topic `profiles` carries it: every parameter behind the hash that anomalies name."""

import msgspec


class ProfileRecord(msgspec.Struct, frozen=True):
    """That a detector has worked with a profile."""

    timestamp: str = msgspec.field(name="@timestamp")
    """When it started, ISO 8601 UTC."""
    profile: str
    """The hash that anomalies have in `model.profile`; the topic's key."""
    name: str
    version: str
    """Of the detector, as anomalies have it in `model.version`."""
    text: str
    """All parameters, JSON; the same hash always has the same text."""


def encode_profile(record: ProfileRecord) -> bytes:
    """Return the topic's message."""
    return msgspec.json.encode(record)

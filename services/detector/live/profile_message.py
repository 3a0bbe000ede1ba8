"""What a detector tells the topic `profiles`: its parameters, under the hash that its anomalies name."""

import datetime as dt
from importlib.metadata import version

import structlog

from services.contracts.iso_time import iso_utc
from services.contracts.profile_record import ProfileRecord, encode_profile
from services.contracts.topics import PROFILE_MAX_BYTES
from services.detector.profiles.profile import Profile


def profile_message(profile: Profile) -> bytes | None:
    """Return the message of a detector that starts now.

    None, and a warning, for a profile that is too long: its file must be kept instead.
    """
    record = ProfileRecord(
        timestamp=iso_utc(dt.datetime.now(dt.UTC), "milliseconds"),
        profile=profile.hash,
        name=profile.name,
        version=version("tapewatch"),
        text=profile.model_dump_json(),
    )
    message = encode_profile(record)
    if len(message) <= PROFILE_MAX_BYTES:
        return message
    structlog.get_logger().warning(
        "the profile is too long to be kept with its anomalies: keep its file",
        profile=profile.hash,
        bytes=len(message),
        most_bytes=PROFILE_MAX_BYTES,
    )
    return None

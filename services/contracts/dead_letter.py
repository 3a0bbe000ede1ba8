"""A dead letter as the topic `dead-letters` carries it: the names of its headers.

Key and value are those of the message that was rejected, or the value is the row's. Letters with the same
`TOPIC`, `PARTITION`, `OFFSET` and `TIMESTAMP_MS` have one origin, even if several services wrote them; they
are in one partition.
"""

SERVICE = "service"
"""The service that rejected it."""
ERROR = "error"
"""The reason; up to its first colon the same for the same cause."""

FILE = "file"
LINE = "line"
"""Where a row came from."""

TOPIC = "topic"
PARTITION = "partition"
OFFSET = "offset"
TIMESTAMP_MS = "timestamp_ms"
"""Which message it was; with the broker's time, as a topic that is recreated reuses its offsets."""

ORIGIN_PREFIX = "origin."
"""Prefix for the names of the message's own headers."""
REPLAYED = "dead-letter"
"""On a message that was put back: the id of its letter."""
REPLAY_OF = "replay_of"
"""On the letter of a message that was put back and rejected again: the id of its first letter."""

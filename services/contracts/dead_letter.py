"""A dead letter as the topic `dead-letters` carries it: the names of its headers.

Key and value are those of the message that was rejected, or the value is the row's. Letters with the same
`TOPIC`, `PARTITION`, `OFFSET` and `TIMESTAMP_MS` have one origin, whoever wrote them; they stand in one
partition.
"""

SERVICE = "service"
"""Who rejected it."""
ERROR = "error"
"""Why; up to its first colon the same for the same cause."""

FILE = "file"
LINE = "line"
"""Where a row came from."""

TOPIC = "topic"
PARTITION = "partition"
OFFSET = "offset"
TIMESTAMP_MS = "timestamp_ms"
"""Which message it was; the time is the broker's, as a topic that is made again uses its places again."""

ORIGIN_PREFIX = "origin."
"""Before the names of the headers that the message itself came with."""
REPLAYED = "dead-letter"
"""Of a message that was put back: the id of its letter."""
REPLAY_OF = "replay_of"
"""Of the letter of such a message, when it was refused again: the id of the first letter."""

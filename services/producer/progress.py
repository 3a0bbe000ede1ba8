"""How far a source was published: one record a source in `producer-progress`, known by its identity.

The record is committed in the same transaction as the rows that it counts, so it is never ahead or behind.
Its key is `Source.identity`, its value JSON with the fields of `Progress`.
"""

import msgspec

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.process.shutdown import Stop
from services.contracts.topics import PROGRESS_TOPIC
from services.producer.feed_progress import is_of_a_feed
from services.producer.pending import Pending
from services.producer.progress_records import newest_records
from services.sources.base import Cursor


class Progress(msgspec.Struct, frozen=True):
    """A source's record.

    Parameters
    ----------
    file
        Its name when it was published, for people.
    line
        The cursor of a source whose cursor is a number, as a file's is: the last line (in a binary file:
        record) that has been processed. 0 before the first.
    trades, bad_rows
        How many rows up to there went to `trades` and to `dead-letters`.
    complete
        Whether that is the whole file.
    owner
        The process that wrote the record.
    cursor
        Any other source's cursor; the field is left out where `line` is the cursor.
    """

    file: str
    line: int = 0
    trades: int = 0
    bad_rows: int = 0
    complete: bool = False
    owner: str = ""
    cursor: Cursor | msgspec.UnsetType = msgspec.UNSET

    @property
    def resume_after(self) -> Cursor | None:
        """The cursor; None to begin at the first row."""
        return (self.line or None) if isinstance(self.cursor, msgspec.UnsetType) else self.cursor

    def advanced(self, pending: Pending, complete: bool, owner: str) -> "Progress":
        """Return the record that is committed together with what is pending."""
        cursor = pending.cursor
        return Progress(
            file=self.file,
            line=cursor if isinstance(cursor, int) else 0,
            trades=self.trades + pending.trades,
            bad_rows=self.bad_rows + pending.rejected,
            complete=complete,
            owner=owner,
            cursor=msgspec.UNSET if cursor is None or isinstance(cursor, int) else cursor,
        )


def load_progress(kafka: KafkaConnection, key: str, stop: Stop) -> Progress | None:
    """Read the newest record of a source; None if it was never published, or a stop came first."""
    records = newest_records(kafka, lambda one: one == key.encode(), stop)
    found = None if records is None else records.get(key.encode())
    return None if found is None else _decoded(key, found)


def published_sources(kafka: KafkaConnection, stop: Stop) -> list[Progress]:
    """Read the newest record of every source that is no feed; empty if a stop came first."""
    records = newest_records(kafka, lambda key: not is_of_a_feed(key), stop) or {}
    return [_decoded(key.decode(), value) for key, value in records.items() if value]


def _decoded(key: str, value: bytes) -> Progress:
    try:
        return msgspec.json.decode(value, type=Progress)
    except msgspec.DecodeError as error:
        raise TapewatchError(
            f"The progress record {key} in {PROGRESS_TOPIC} cannot be read: {error}.",
            "Publish the file from its beginning with --again.",
        ) from error

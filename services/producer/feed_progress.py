"""How far a feed was published: one record for the feed and one for each symbol, in `producer-progress`.

The records of symbols that moved are committed in the transaction of their trades, and the feed's own record
with each transaction. A third kind has the corrections whose trades are still looked for; it is committed
when these change. Keys are `feed:<venue>`, `feed:<venue>:<symbol>` and `feed-corrections:<venue>`; values are
JSON.
"""

from collections.abc import Mapping

import msgspec

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.process.shutdown import Stop
from services.contracts.topics import PROGRESS_TOPIC
from services.producer.progress_records import newest_records
from services.sources.feeds.messages import ReferringCorrection
from services.sources.feeds.place import Place

_PREFIX = b"feed:"


class FeedRecord(msgspec.Struct, frozen=True):
    """The feed's own record.

    Parameters
    ----------
    feed
        Its name.
    owner
        The process that wrote the record.
    transaction
        Number of the owner's transaction that it was committed with.
    entries
        Of a recorded session: how many of its entries were run.
    """

    feed: str
    owner: str = ""
    transaction: int = 0
    entries: int = 0


class SymbolRecord(msgspec.Struct, frozen=True):
    """A symbol's record.

    Parameters
    ----------
    symbol
        The symbol.
    place
        Where its next print is.
    """

    symbol: str
    place: Place


class WaitingRecord(msgspec.Struct, frozen=True):
    """The record of corrections that wait.

    Parameters
    ----------
    feed
        The feed's name.
    corrections
        Those whose trades are still looked for in history.
    """

    feed: str
    corrections: tuple[ReferringCorrection, ...]


class _Found(msgspec.Struct, frozen=True):
    """What stands under a key that begins like a symbol's: its record, or another feed's own."""

    symbol: str = ""
    place: Place | None = None


class FeedProgress(msgspec.Struct, frozen=True):
    """All records of a feed."""

    feed: FeedRecord
    places: dict[str, Place]
    waiting: tuple[ReferringCorrection, ...]


def is_of_a_feed(key: bytes) -> bool:
    """Whether a record of `producer-progress` is a feed's, not a file's."""
    return key.startswith(_PREFIX)


def feed_key(feed: str) -> bytes:
    """Return the key of a feed's own record."""
    return _PREFIX + feed.encode()


def symbol_key(feed: str, symbol: str) -> bytes:
    """Return the key of a symbol's record."""
    return feed_key(feed) + f":{symbol}".encode()


def waiting_key(feed: str) -> bytes:
    """Return the key of the record of corrections that wait."""
    return f"feed-corrections:{feed}".encode()


def load_feed_progress(kafka: KafkaConnection, feed: str, stop: Stop) -> FeedProgress | None:
    """Read a feed's newest records; None if a stop came first.

    Raises
    ------
    TapewatchError
        A record cannot be read.
    """
    own, prefix = (feed_key(feed), waiting_key(feed)), symbol_key(feed, "")
    newest = newest_records(kafka, lambda key: key in own or key.startswith(prefix), stop)
    if newest is None or stop.requested:
        return None
    return feed_progress(feed, newest)


def feed_progress(feed: str, newest: Mapping[bytes, bytes | None]) -> FeedProgress:
    """Return a feed's progress.

    Parameters
    ----------
    feed
        The feed's name.
    newest
        The newest value under each key that begins with the feed's: another feed's name may continue this
        one's, as `massive:delayed` does `massive`, and its records are left out.

    Raises
    ------
    TapewatchError
        A record cannot be read.
    """
    own = feed_key(feed)
    stored, stored_waiting = newest.get(own), newest.get(waiting_key(feed))
    try:
        corrections = (
            msgspec.json.decode(stored_waiting, type=WaitingRecord).corrections if stored_waiting else ()
        )
        record = msgspec.json.decode(stored, type=FeedRecord) if stored else FeedRecord(feed)
        places = {}
        for key, value in newest.items():
            found = msgspec.json.decode(value, type=_Found) if value and key != own else _Found()
            if found.place is not None and key == symbol_key(feed, found.symbol):
                places[found.symbol] = found.place
    except msgspec.DecodeError as error:
        raise TapewatchError(
            f"The progress records of the feed {feed} in {PROGRESS_TOPIC} cannot be read: {error}.",
            "They were written by another version of Tapewatch: run the feed with that one.",
        ) from error
    return FeedProgress(record, places, corrections)

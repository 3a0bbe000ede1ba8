"""How far a file was published: one record a file in `producer-progress`, known by the file's content.

The record is committed in the same transaction as the rows that it counts, so it is never ahead or behind.
Its key is the SHA-256 of the content (decompressed: a file and its compressed copy are one), its value JSON
with the fields of `Progress`.
"""

import hashlib
from pathlib import Path

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.process.readiness import wait_until
from services.common.process.shutdown import Stop
from services.contracts.topics import PROGRESS_TOPIC
from services.sources.compression import BrokenFileError, read_pieces


class Progress(msgspec.Struct, frozen=True):
    """A file's record.

    Parameters
    ----------
    file
        Its name when it was published, for people.
    line
        The last line (in a binary file: record) that is dealt with; 0 before the first.
    trades, bad_rows
        How many rows up to there went to `trades` and to `dead-letters`.
    complete
        Whether that is the whole file.
    owner
        The process that wrote the record.
    """

    file: str
    line: int = 0
    trades: int = 0
    bad_rows: int = 0
    complete: bool = False
    owner: str = ""


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's decompressed content, in hex.

    Of a damaged compressed file, of what can be read and of what is wrong with it.
    """
    digest = hashlib.sha256()
    try:
        for piece, _ in read_pieces(path):
            digest.update(piece)
    except BrokenFileError as error:
        digest.update(str(error).encode())
    return digest.hexdigest()


def load_progress(bootstrap: str, key: str, stop: Stop) -> Progress | None:
    """Read a file's newest record; None if it was never published, or a stop came first."""
    admin = new_admin(bootstrap)
    starts: list[TopicPartition] = []

    def ask() -> None:
        numbers = partition_numbers(admin, PROGRESS_TOPIC)
        starts[:] = [TopicPartition(PROGRESS_TOPIC, number, 0) for number in numbers]

    if not wait_until(ask, KafkaException, f"Kafka at {bootstrap}", stop):
        return None
    found = None
    for message in read_to_end(bootstrap, starts, stop):
        if message.key() == key.encode():
            found = message.value()
    if found is None:
        return None
    try:
        return msgspec.json.decode(found, type=Progress)
    except msgspec.DecodeError as error:
        raise TapewatchError(
            f"The progress record {key} in {PROGRESS_TOPIC} cannot be read: {error}.",
            "Publish the file from its beginning with --again.",
        ) from error

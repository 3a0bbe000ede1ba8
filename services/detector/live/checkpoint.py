"""One message of the topic `detector-checkpoints`: its key and its value.

The topic is compacted, and a partition of it belongs to the partition of `trades` of the same number. There
are two kinds of message:

- a session's. Key: the symbol, `@` and the day, `NVDA@2024-12-02`, UTF-8; the day is empty for an endless
  session, and as a symbol may have an `@`, the last one counts. A message without a value says that the
  session was dropped.
- the partition's. Key: `partition`.

A value is, byte by byte:

- 0 to 2: `TWC`
- 3: the version of this format, 4
- from 4: one zstd frame (RFC 8878) that tells its content's size, 16 MiB at most, and ends with the content's
  checksum. The content is one MessagePack map from names to values, with no name missing and no other:

  - `kind`: `session` or `partition`
  - `run`: the epoch, a whole number from 0, which each reset of the topic's detection increases
  - `profile`: hash of the profile
  - `layout`: of the engine that saved the state (`Engine.state_schema`): how `detectors` is to be read

  and, of a session:

  - `offset`: the state covers all of the session's trades before this offset of the partition of `trades`
  - `symbol`, `day`: as in the key
  - `last_seen`: a whole number, see `SessionState`
  - `order`: what its trades came in order after (bin), see `PrintOrder.save`
  - `growing`: the anomalies that can still grow (bin), see `Growth.save`
  - `detectors`: map from the name of what keeps state to its bytes (bin)

  or, of a partition:

  - `replay_from`: a restart replays from this offset of the partition of `trades`
  - `retract_until`: the offset before which a reset removes what is no longer flagged, or nil
  - `letters_from`: messages before this offset were judged in an earlier epoch, and those rejected then have
    a dead letter

The bytes in `detectors` are those of numpy records, little-endian, which each `StateStore` describes.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
import zstandard

from services.detector.engine.batch import SessionKey
from services.detector.engine.state import SessionState

MAGIC = b"TWC"
VERSION = 4
PARTITION_KEY = b"partition"

MAX_CONTENT_BYTES = 16 * 1024 * 1024
"""Larger contents are rejected; several times the widest windows that a profile can set."""

_COMPRESSION_LEVEL = 1

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True)
class SessionCheckpoint:
    """A session's state and its offset in `trades`; see the module for each field."""

    epoch: int
    profile: str
    layout: str
    offset: int
    state: SessionState


@dataclass(frozen=True)
class PartitionCheckpoint:
    """A partition's record for a restart; see the module for each field."""

    epoch: int
    profile: str
    layout: str
    replay_from: int
    retract_until: int | None
    letters_from: int


class UnreadableCheckpointError(ValueError):
    """A value is not a checkpoint, or not of this version; the message says why."""


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    epoch: _Count = msgspec.field(name="run")
    profile: str
    layout: str


class _Session(_Content, frozen=True, tag="session"):
    offset: _Count
    symbol: str
    day: str
    last_seen: _Count
    order: bytes
    growing: bytes
    detectors: dict[str, bytes]


class _Partition(_Content, frozen=True, tag="partition"):
    replay_from: _Count
    retract_until: _Count | None
    letters_from: _Count


_decoder = msgspec.msgpack.Decoder(_Session | _Partition)


def session_key(session: SessionKey) -> bytes:
    """Return the key of a session's messages."""
    return f"{session.symbol}@{session.day}".encode()


def parse_session_key(key: bytes) -> SessionKey:
    """Return the session of a key.

    Raises
    ------
    UnreadableCheckpointError
        It is not a session's key.
    """
    try:
        symbol, at, day = key.decode().rpartition("@")
    except UnicodeDecodeError as error:
        raise UnreadableCheckpointError(f"the key {key!r} is not UTF-8") from error
    if not symbol or not at:
        raise UnreadableCheckpointError(f"the key {key!r} is not a symbol and a day")
    return SessionKey(symbol, day)


def encode(checkpoint: SessionCheckpoint | PartitionCheckpoint) -> bytes:
    """Return a message's value."""
    if isinstance(checkpoint, SessionCheckpoint):
        state = checkpoint.state
        content: _Content = _Session(
            epoch=checkpoint.epoch,
            profile=checkpoint.profile,
            layout=checkpoint.layout,
            offset=checkpoint.offset,
            symbol=state.session.symbol,
            day=state.session.day,
            last_seen=state.last_seen,
            order=state.order,
            growing=state.growing,
            detectors=state.detectors,
        )
    else:
        content = _Partition(
            epoch=checkpoint.epoch,
            profile=checkpoint.profile,
            layout=checkpoint.layout,
            replay_from=checkpoint.replay_from,
            retract_until=checkpoint.retract_until,
            letters_from=checkpoint.letters_from,
        )
    packer = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL, write_checksum=True, write_content_size=True)
    return MAGIC + bytes([VERSION]) + packer.compress(msgspec.msgpack.encode(content))


def decode(value: bytes) -> SessionCheckpoint | PartitionCheckpoint:
    """Return the checkpoint in a message's value.

    Raises
    ------
    UnreadableCheckpointError
        It is truncated, corrupt, too large, of another version, or not a checkpoint.
    """
    if value[: len(MAGIC)] != MAGIC:
        raise UnreadableCheckpointError("it does not begin as a checkpoint does")
    if len(value) == len(MAGIC):
        raise UnreadableCheckpointError("it has no version")
    if value[len(MAGIC)] != VERSION:
        raise UnreadableCheckpointError(f"it has version {value[len(MAGIC)]}, not {VERSION}")
    try:
        content = _decoder.decode(_unpacked(value[len(MAGIC) + 1 :]))
    except zstandard.ZstdError as error:
        raise UnreadableCheckpointError(f"it is cut off or corrupt: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableCheckpointError(f"its content is not a checkpoint's: {error}") from error
    if isinstance(content, _Partition):
        return PartitionCheckpoint(
            content.epoch,
            content.profile,
            content.layout,
            content.replay_from,
            content.retract_until,
            content.letters_from,
        )
    state = SessionState(
        SessionKey(content.symbol, content.day),
        content.last_seen,
        content.order,
        content.growing,
        content.detectors,
    )
    return SessionCheckpoint(content.epoch, content.profile, content.layout, content.offset, state)


def _unpacked(frame: bytes) -> bytes:
    told = zstandard.get_frame_parameters(frame)
    if told.content_size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR):
        raise UnreadableCheckpointError("it does not tell its size")
    if told.content_size > MAX_CONTENT_BYTES:
        raise UnreadableCheckpointError(
            f"it unpacks to {told.content_size} bytes, more than {MAX_CONTENT_BYTES}"
        )
    if not told.has_checksum:
        raise UnreadableCheckpointError("it has no checksum")
    return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)

"""A partition of `trades` in the detector: its engine, what to publish and what to save."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple

import msgspec

from services.common.kafka.records import Record
from services.contracts.anomaly import Anomaly
from services.contracts.tape_clock import UNKNOWN, ClockReading
from services.contracts.trade import Trade
from services.detector.detectors.tally import ModelTally
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import to_columns
from services.detector.engine.decode import decode_trades
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Prints
from services.detector.engine.state import OutOfOrder, SessionState
from services.detector.engine.tape_clock import TapeClock
from services.detector.live.checkpoint import (
    PARTITION_KEY,
    PartitionCheckpoint,
    SessionCheckpoint,
    encode,
    session_key,
)


@dataclass(frozen=True)
class Recovered:
    """The restored state that a partition starts from.

    Parameters
    ----------
    engine
        Restored from checkpoints, or new.
    epoch
        Epoch of the checkpoints written from now on; those of other epochs are ignored.
    replay_from
        The offset to read from.
    publish_from
        The committed offset; results before it are already published.
    skip
        Offset by symbol; the state already covers the symbol's trades before it.
    stale
        Keys of obsolete checkpoints, to be removed.
    retract_until
        Offset before which the partition's anomalies must be withdrawn before new ones are published;
        None without a reset.
    letters_from
        Messages before this offset were judged in an earlier epoch, and rejected ones have a dead letter.
    clock
        The tape's clock at `publish_from`.
    """

    engine: Engine
    epoch: int
    replay_from: int
    publish_from: int
    skip: dict[str, int] = field(default_factory=dict)
    stale: tuple[bytes, ...] = ()
    retract_until: int | None = None
    letters_from: int = 0
    clock: ClockReading = UNKNOWN


class Origin(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """The message of an anomaly's trade, which a later revision is written from again."""

    offset: int
    key: bytes | None
    value: bytes
    time_ms: int = 0
    """When it came into the topic, since 1970; 0 if an older version has saved it."""


_origins = msgspec.msgpack.Decoder(Origin)


class Judged(NamedTuple):
    """An anomaly, or a revision of one."""

    origin: Origin
    anomaly: Anomaly
    clock_ns: int
    """The tape's clock just before the trade that brings it, ns since 1970."""
    brought_ns: int
    """That trade's event time, ns since 1970."""
    is_again: bool
    """Whether its trade was judged in an earlier epoch."""


class JudgedTrades(NamedTuple):
    """The trades that a batch of messages brought."""

    trades: list[Trade]
    sessions: list[SessionKey]
    """The sessions that they belong to."""


@dataclass
class Detected:
    """Results of a batch of messages; those before the committed offset have none."""

    anomalies: list[Judged] = field(default_factory=list)
    rejected: list[tuple[Record, str]] = field(default_factory=list)
    trades: int = 0
    out_of_order: OutOfOrder = field(default_factory=OutOfOrder)
    held_back: Counter[str] = field(default_factory=Counter)
    """Detections that were held back, by line of the profile."""
    tallies: list[ModelTally] = field(default_factory=list)
    """What trained models have judged."""
    reconciled: int = 0
    replayed: int = 0
    new_symbols: dict[str, bool] = field(default_factory=dict)
    """Symbols that are new since the partition was assigned, and whether they are their messages' keys."""
    newest_event_time: str = ""
    judged: JudgedTrades = field(default_factory=lambda: JudgedTrades([], []))


@dataclass
class _Unsaved:
    """A symbol's sessions that changed or were dropped since the last checkpoint.

    They are written together: a session's tombstone alone would not match the others' offset.
    """

    since: int
    """The last checkpoint covers all trades before this offset."""
    changed: set[SessionKey] = field(default_factory=set)
    dropped: set[SessionKey] = field(default_factory=set)


class WatchedPartition:
    """A partition that this detector works on.

    Parameters
    ----------
    recovered
        State to start from.
    profile_hash
        Hash of the engine's profile.
    checkpoint_trades
        A restart replays at most this many messages of the partition, plus those of one transaction.
    """

    def __init__(self, recovered: Recovered, profile_hash: str, checkpoint_trades: int) -> None:
        self._engine = recovered.engine
        self.epoch = recovered.epoch
        """The epoch it belongs to."""
        self._profile_hash = profile_hash
        self._checkpoint_trades = checkpoint_trades
        self._stale = recovered.stale
        self._skip = recovered.skip
        self._skip_until = max(recovered.skip.values(), default=0)
        self._unsaved: dict[str, _Unsaved] = {}  # the longest unsaved first
        self._symbols: set[str] = set()
        self._credit = 0.0
        self.position = recovered.replay_from
        """Next offset to read."""
        self.publish_from = recovered.publish_from
        self._letters_from = recovered.letters_from
        self._clock = TapeClock(recovered.clock)
        self.replay_from = recovered.replay_from
        """Offset from which a restart would replay."""

    @property
    def is_replaying(self) -> bool:
        """Whether it is still before the committed offset."""
        return self.position < self.publish_from

    @property
    def clock(self) -> ClockReading:
        """The tape's clock at `position`, or at the committed offset while it is replaying."""
        return self._clock.reading

    @property
    def can_copy(self) -> bool:
        """Whether sessions can be copied."""
        return self._engine.checkpointable

    def copy_session(self, session: SessionKey) -> SessionState | None:
        """Return a session's state; None if it is not open, or the profile's state cannot be copied."""
        if not self.can_copy:
            return None
        try:
            return self._engine.save(session)
        except KeyError:
            return None

    def take_remarks(self) -> list[str]:
        """Return sentences on symbols that a detector turned out not to judge since the last call."""
        return self._engine.take_remarks()

    def detect(self, messages: list[Record]) -> Detected:
        """Run the next messages through the engine."""
        is_new = (message.offset() >= self.publish_from for message in messages)
        replayed = next((at for at, is_one in enumerate(is_new) if is_one), len(messages))
        if replayed:
            self._detect(messages[:replayed])
        found = Detected()
        if replayed < len(messages):
            found = self._detect(messages[replayed:])
            # No credit for a replay: all its sessions would be written again and again until it was used up.
            self._credit += len(self._unsaved) * (len(messages) - replayed) / self._checkpoint_trades
        found.replayed = replayed
        return found

    def _detect(self, messages: list[Record]) -> Detected:
        """Run messages through the engine; all of them are to be published, or all are replayed."""
        found = Detected()
        first_offset = messages[0].offset()
        trades, origins = self._decode(messages, found)
        if first_offset < self._skip_until:
            is_new = [
                message.offset() >= self._skip.get(trade.symbol, 0)
                for trade, message in zip(trades, origins, strict=True)
            ]
            trades, origins = list(compress(trades, is_new)), list(compress(origins, is_new))
        self._note_symbols(trades, origins, found)
        is_live = [not trade.reconciled for trade in trades]
        if not all(is_live):
            found.reconciled = len(trades) - sum(is_live)
            trades, origins = list(compress(trades, is_live)), list(compress(origins, is_live))
        before, held_before = self._engine.out_of_order, self._engine.held_back
        found.anomalies = self._judge(trades, origins) if trades else []
        found.out_of_order = self._engine.out_of_order - before
        found.held_back = self._engine.held_back - held_before
        found.tallies = self._engine.take_tallies()
        found.trades = len(trades)
        if trades:
            found.newest_event_time = trades[-1].timestamp
        self.position = messages[-1].offset() + 1
        found.judged = JudgedTrades(trades, self._note_changes(first_offset))
        return found

    def _decode(self, messages: list[Record], found: Detected) -> tuple[list[Trade], list[Record]]:
        """Return the trades among messages, each with its message; note the other messages as rejected."""
        decoded = decode_trades([message.value() for message in messages])
        found.rejected = [
            (messages[at], reason)
            for at, reason in decoded.rejected.items()
            if messages[at].offset() >= self._letters_from
        ]
        return decoded.trades, decoded.kept(messages)

    def _note_symbols(self, trades: list[Trade], messages: list[Record], found: Detected) -> None:
        """Note the symbols that are new, and whether they are the keys of their first messages."""
        symbols = [trade.symbol for trade in trades]
        for symbol in dict.fromkeys(symbols):
            if symbol not in self._symbols:
                self._symbols.add(symbol)
                found.new_symbols[symbol] = messages[symbols.index(symbol)].key() == symbol.encode()

    def _judge(self, trades: list[Trade], messages: list[Record]) -> list[Judged]:
        """Run trades through the engine, each with its message."""

        def origin(at: int) -> bytes:
            message = messages[at]
            _, time_ms = message.timestamp()
            return msgspec.msgpack.encode(
                Origin(message.offset(), message.key(), message.value() or b"", time_ms)
            )

        columns = to_columns(trades, self._engine.time_zone)
        found = self._engine.detect_columns(columns, Prints(lambda at: trades[at].trade_id, origin))
        if messages[0].offset() < self.publish_from:  # the clock was committed with that offset
            return []
        clock_ns = self._clock.advance(columns.event_ns)
        judged = []
        for at, anomaly, encoded in found:
            own = _origins.decode(encoded)
            is_again = own.offset < self._letters_from
            judged.append(Judged(own, anomaly, int(clock_ns[at]), int(columns.event_ns[at]), is_again))
        return judged

    def _note_changes(self, since: int) -> list[SessionKey]:
        """Note what is to be saved since an offset; returns the sessions that were given a trade."""
        changes = self._engine.take_changes()
        for session in changes.touched:
            unsaved = self._unsaved.setdefault(session.symbol, _Unsaved(since))
            unsaved.changed.add(session)
            unsaved.dropped.discard(session)
        for session in changes.dropped:
            unsaved = self._unsaved.setdefault(session.symbol, _Unsaved(since))
            unsaved.dropped.add(session)
            unsaved.changed.discard(session)
        return changes.touched

    def checkpoints(self) -> list[tuple[bytes, bytes | None]]:
        """Return keys and values to write now, together with the offset `position`.

        Each call writes a few symbols, those that have waited longest first, so that each is written about
        every `checkpoint_trades` messages and no transaction carries them all.
        """
        if not self._engine.checkpointable or self.is_replaying:
            return []
        overdue = self.position - self._checkpoint_trades
        turns = math.floor(self._credit)
        written: list[tuple[bytes, bytes | None]] = []
        written += [(key, None) for key in self._stale]  # first, as a session of the same key may follow
        self._stale = ()
        for symbol, unsaved in list(self._unsaved.items()):
            if turns <= 0 and unsaved.since > overdue:
                break
            turns -= 1
            self._credit = max(self._credit - 1, 0.0)
            written += [(session_key(session), self._encoded(session)) for session in unsaved.changed]
            written += [(session_key(session), None) for session in unsaved.dropped]
            del self._unsaved[symbol]
        if not written and self.position - self.replay_from < self._checkpoint_trades:
            return []
        self.replay_from = next((u.since for u in self._unsaved.values()), self.position)
        written.append((PARTITION_KEY, self.partition_checkpoint()))
        return written

    def partition_checkpoint(self) -> bytes:
        """Return the partition's own record, with nothing to withdraw."""
        return encode(
            PartitionCheckpoint(
                epoch=self.epoch,
                profile=self._profile_hash,
                layout=self._engine.state_schema,
                replay_from=self.replay_from,
                retract_until=None,
                letters_from=self._letters_from,
            )
        )

    def _encoded(self, session: SessionKey) -> bytes:
        return encode(
            SessionCheckpoint(
                epoch=self.epoch,
                profile=self._profile_hash,
                layout=self._engine.state_schema,
                offset=self.position,
                state=self._engine.save(session),
            )
        )

"""A partition of `trades` in the detector: its engine, what to publish and what to save."""

import math
from dataclasses import dataclass, field

from services.common.kafka.records import Record
from services.contracts.anomaly import Anomaly
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.engine import Engine
from services.detector.engine.state import OutOfOrder
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
        Messages rejected before this offset have a dead letter from an earlier epoch.
    """

    engine: Engine
    epoch: int
    replay_from: int
    publish_from: int
    skip: dict[str, int] = field(default_factory=dict)
    stale: tuple[bytes, ...] = ()
    retract_until: int | None = None
    letters_from: int = 0


@dataclass
class Detected:
    """Results of a batch of messages; those before the committed offset have none."""

    anomalies: list[tuple[Record, Anomaly]] = field(default_factory=list)
    rejected: list[tuple[Record, str]] = field(default_factory=list)
    trades: int = 0
    out_of_order: OutOfOrder = field(default_factory=OutOfOrder)
    reconciled: int = 0
    replayed: int = 0
    new_symbols: dict[str, bool] = field(default_factory=dict)
    """Symbols that are new since the partition was assigned, and whether they are their messages' keys."""
    newest_event_time: str = ""


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
        self._letters_from = max(recovered.letters_from, recovered.publish_from)
        self.replay_from = recovered.replay_from
        """Offset from which a restart would replay."""

    @property
    def is_replaying(self) -> bool:
        """Whether it is still before the committed offset."""
        return self.position < self.publish_from

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
        trades: list[Trade] = []
        origins: list[Record] = []
        first_offset = messages[0].offset()
        for message in messages:
            try:
                trade = decode_trade(message.value())
            except NotATradeError as error:
                if message.offset() >= self._letters_from:
                    found.rejected.append((message, str(error)))
                continue
            if message.offset() < self._skip_until and message.offset() < self._skip.get(trade.symbol, 0):
                continue
            if trade.symbol not in self._symbols:
                self._symbols.add(trade.symbol)
                found.new_symbols[trade.symbol] = message.key() == trade.symbol.encode()
            if trade.reconciled:
                found.reconciled += 1
                continue
            trades.append(trade)
            origins.append(message)
        before = self._engine.out_of_order
        found.anomalies = [(origins[at], anomaly) for at, anomaly in self._engine.detect(trades)]
        found.out_of_order = self._engine.out_of_order - before
        found.trades = len(trades)
        if trades:
            found.newest_event_time = trades[-1].timestamp
        self.position = messages[-1].offset() + 1
        self._note_changes(first_offset)
        return found

    def _note_changes(self, since: int) -> None:
        changes = self._engine.take_changes()
        for session in changes.touched:
            unsaved = self._unsaved.setdefault(session.symbol, _Unsaved(since))
            unsaved.changed.add(session)
            unsaved.dropped.discard(session)
        for session in changes.dropped:
            unsaved = self._unsaved.setdefault(session.symbol, _Unsaved(since))
            unsaved.dropped.add(session)
            unsaved.changed.discard(session)

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

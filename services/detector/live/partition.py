"""One partition of `trades` as a detector sees it: its engine, what may be published, what is to be saved."""

import math
from dataclasses import dataclass, field

from services.common.kafka.records import Record
from services.contracts.anomaly import Anomaly
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.engine import Engine
from services.detector.live.checkpoint import (
    PARTITION_KEY,
    PartitionCheckpoint,
    SessionCheckpoint,
    encode,
    session_key,
)


@dataclass(frozen=True)
class Recovered:
    """What a partition's work begins with.

    Parameters
    ----------
    engine
        With the state of the checkpoints, or fresh.
    run
        Number of the run that writes checkpoints from now on; those of other runs count for nothing.
    replay_from
        The offset to read from.
    publish_from
        The committed offset: what was found before it was published already.
    skip
        By symbol: its trades before this offset are in the state already.
    stale
        Keys of checkpoints that count for nothing any more, to be removed.
    retract_until
        The end of what has to be withdrawn from the partition's anomalies before new ones are published;
        None if nothing has to be.
    letters_from
        What was refused before this offset has its dead letter from an earlier run.
    """

    engine: Engine
    run: int
    replay_from: int
    publish_from: int
    skip: dict[str, int] = field(default_factory=dict)
    stale: tuple[bytes, ...] = ()
    retract_until: int | None = None
    letters_from: int = 0


@dataclass
class Detected:
    """What a batch of messages came to; of those before the committed offset nothing."""

    anomalies: list[tuple[Record, Anomaly]] = field(default_factory=list)
    refused: list[tuple[Record, str]] = field(default_factory=list)
    trades: int = 0
    late_trades: int = 0
    replayed: int = 0
    newest_event_time: str = ""


@dataclass
class _Unsaved:
    """A symbol's sessions that changed, or were dropped, since they were saved.

    They are written together: a session's tombstone without the others would not fit their offset.
    """

    since: int
    """No trade before this offset is missing in what was saved."""
    changed: set[SessionKey] = field(default_factory=set)
    dropped: set[SessionKey] = field(default_factory=set)


class WatchedPartition:
    """A partition that this detector works on.

    Parameters
    ----------
    recovered
        What to begin with.
    profile_hash
        Of the engine's profile.
    checkpoint_trades
        A restart shall replay so many messages of the partition at most, and those of a transaction.
    """

    def __init__(self, recovered: Recovered, profile_hash: str, checkpoint_trades: int) -> None:
        self._engine = recovered.engine
        self.run = recovered.run
        """Number of the run that it belongs to."""
        self._profile_hash = profile_hash
        self._checkpoint_trades = checkpoint_trades
        self._stale = recovered.stale
        self._skip = recovered.skip
        self._skip_until = max(recovered.skip.values(), default=0)
        self._unsaved: dict[str, _Unsaved] = {}  # the longest unsaved first
        self._credit = 0.0
        self.position = recovered.replay_from
        """The next offset to read."""
        self.publish_from = recovered.publish_from
        self._letters_from = max(recovered.letters_from, recovered.publish_from)
        self.replay_from = recovered.replay_from
        """Where a restart would begin to replay."""

    @property
    def is_replaying(self) -> bool:
        """Whether it has not come to the committed offset yet."""
        return self.position < self.publish_from

    def detect(self, messages: list[Record]) -> Detected:
        """Run the next messages through the engine."""
        is_new = (message.offset() >= self.publish_from for message in messages)
        replayed = next((at for at, is_one in enumerate(is_new) if is_one), len(messages))
        if replayed:
            self._detect(messages[:replayed])
        found = self._detect(messages[replayed:]) if replayed < len(messages) else Detected()
        found.replayed = replayed
        return found

    def _detect(self, messages: list[Record]) -> Detected:
        """Run messages through the engine that are all to be published, or all replayed."""
        found = Detected()
        trades: list[Trade] = []
        origins: list[Record] = []
        first_offset = messages[0].offset()
        for message in messages:
            try:
                trade = decode_trade(message.value())
            except NotATradeError as error:
                if message.offset() >= self._letters_from:
                    found.refused.append((message, str(error)))
                continue
            if message.offset() < self._skip_until and message.offset() < self._skip.get(trade.symbol, 0):
                continue
            trades.append(trade)
            origins.append(message)
        late_before = self._engine.late_trades
        found.anomalies = [(origins[at], anomaly) for at, anomaly in self._engine.detect(trades)]
        found.late_trades = self._engine.late_trades - late_before
        found.trades = len(trades)
        if trades:
            found.newest_event_time = trades[-1].timestamp
        self.position = messages[-1].offset() + 1
        self._note_changes(first_offset)
        self._credit += len(self._unsaved) * len(messages) / self._checkpoint_trades
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

        In each call a few symbols have their turn, those first that wait the longest, so that each has it
        about every `checkpoint_trades` messages and no transaction carries them all.
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
        """Return the partition's own record, with nothing to be withdrawn."""
        return encode(
            PartitionCheckpoint(
                run=self.run,
                profile=self._profile_hash,
                layout=self._engine.layout,
                replay_from=self.replay_from,
                retract_until=None,
                letters_from=self._letters_from,
            )
        )

    def _encoded(self, session: SessionKey) -> bytes:
        return encode(
            SessionCheckpoint(
                run=self.run,
                profile=self._profile_hash,
                layout=self._engine.layout,
                offset=self.position,
                state=self._engine.save(session),
            )
        )

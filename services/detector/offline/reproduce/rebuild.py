"""Judges a session's trades again up to what is known of one print."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from services.contracts.anomaly import Anomaly
from services.detector.detectors.base import Flags
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine, Flagged
from services.detector.engine.growth import Found, Prints
from services.detector.engine.state import OutOfOrder
from services.detector.offline.decode import DecodedChunk
from services.detector.offline.reproduce.eased import SHARES, eased
from services.detector.offline.reproduce.nearness import Nearness, find_nearness
from services.detector.profiles.profile import Profile


@dataclass
class Rebuilt:
    """What an engine says of one print.

    Parameters
    ----------
    session
        Its session.
    trades
        Trades of the session that came before it.
    out_of_order
        Which of these were late or repeated.
    fate
        What the print itself was: `late` or `repeats` or `too_late` of it is 1 if it did not come in order.
    late_s
        How late it came, in seconds; None for one in order.
    flags
        What each detector says of it, before the profile's `suppress` and `calendar`; without those that say
        nothing.
    held_back
        Lines of the profile that hold detections of it back.
    measures
        What the calibrated detectors measured of it, by name.
    nearness
        How far each running detector was from flagging it, and what would have been flagged in its place;
        empty for profiles whose state cannot be saved.
    eased
        By detector, the greatest of `SHARES` of its thresholds with which it would have flagged the print;
        only where nothing is known of it, and without those that flag it with none.
    anomaly
        What is said of it in the end, None if nothing is.
    origin
        The trade's JSON.
    part_of
        `trade_id` of the anomaly that its flags joined, if they are not its own.
    brought_by
        `trade_id` of the print that brought the anomaly, or its last revision.
    """

    session: SessionKey
    trades: int = 0
    out_of_order: OutOfOrder = field(default_factory=OutOfOrder)
    fate: OutOfOrder = field(default_factory=OutOfOrder)
    late_s: float | None = None
    flags: dict[str, Flags] = field(default_factory=dict)
    held_back: list[str] = field(default_factory=list)
    measures: dict[str, float] = field(default_factory=dict)
    nearness: list[Nearness] = field(default_factory=list)
    eased: dict[str, float] = field(default_factory=dict)
    anomaly: Anomaly | None = None
    origin: bytes = b""
    part_of: str | None = None
    brought_by: str | None = None


def rebuild(
    chunks: Iterable[DecodedChunk],
    profile: Profile,
    session: SessionKey,
    trade_id: str,
    known: Anomaly | None = None,
) -> Rebuilt | None:
    """Judge a session's trades until what is known of a print has been said.

    Parameters
    ----------
    chunks
        The session's trades, in order.
    profile
        What counts as unusual.
    session
        The session.
    trade_id
        The print's.
    known
        What was said of it: the rebuilding ends with the same revision. None to go on to the end, so that no
        later print can say more.

    Returns
    -------
    Rebuilt or None
        None if the print is not among the trades.
    """
    walk = _Walk(profile, session, trade_id, known)
    for chunk in chunks:
        if walk.take(chunk):
            break
    return walk.result()


@dataclass
class _Said:
    """The last that was said of an anomaly, and between which prints of the session, by their numbers."""

    anomaly: Anomaly
    first: int
    last: int


class _Walk:
    def __init__(self, profile: Profile, session: SessionKey, trade_id: str, known: Anomaly | None) -> None:
        self._profile = profile
        self._engine = Engine(profile)
        shares = SHARES if known is None else ()
        self._eased = {share: Engine(eased(profile, session.symbol, share)) for share in shares}
        self._session = session
        self._trade_id = trade_id
        self._known = known
        self._taken = 0
        self._target: int | None = None
        self._rebuilt = Rebuilt(session)
        self._said: dict[str, _Said] = {}

    def take(self, chunk: DecodedChunk) -> bool:
        """Judge the next trades; returns whether all that is known has been said."""
        at = self._find(chunk)
        if at is None:
            return self._judge(chunk, 0, len(chunk.trades))
        self._judge(chunk, 0, at)
        self._target = self._taken
        self._look(chunk, at)
        return self._is_done() or self._judge(chunk, at + 1, len(chunk.trades))

    def result(self) -> Rebuilt | None:
        if self._target is None:
            return None
        found = self._rebuilt
        if found.anomaly is None and found.flags:
            found.part_of = next(
                (
                    own
                    for own, said in reversed(self._said.items())
                    if said.first <= self._target <= said.last
                    and any(one.detector in found.flags for one in said.anomaly.detections)
                ),
                None,
            )
        return found

    def _find(self, chunk: DecodedChunk) -> int | None:
        if self._target is not None:
            return None
        return next((at for at, one in enumerate(chunk.trades) if one.trade_id == self._trade_id), None)

    def _judge(self, chunk: DecodedChunk, start: int, end: int) -> bool:
        if start < end:
            found = self._engine.detect_columns(chunk.columns[start:end], _prints(chunk, start))
            self._note(chunk, start, found)
            if self._target is None:
                for engine in self._eased.values():
                    _flag(engine, chunk.columns[start:end])
            self._taken += end - start
        return self._is_done()

    def _look(self, chunk: DecodedChunk, at: int) -> None:
        """Judge the print itself, and look at what is said of it."""
        engine, found = self._engine, self._rebuilt
        columns = chunk.columns[at : at + 1]
        found.trades = self._taken
        found.out_of_order = engine.out_of_order
        found.origin = chunk.values[at]
        if engine.checkpointable:
            before = Engine(self._profile)
            if self._taken:
                before.restore(engine.save(self._session))
            found.nearness = find_nearness(before, columns, self._profile.for_symbol(self._session.symbol))
        for share, easier in self._eased.items():
            for name in _flag(easier, columns):
                found.eased.setdefault(name, share)
        held_before = engine.held_back
        for flagged in engine.flag(columns):
            self._note_flags(flagged)
            self._note(chunk, at, engine.anomalies(flagged, _prints(chunk, at)))
        found.fate = engine.out_of_order - found.out_of_order
        found.held_back = list((engine.held_back - held_before).elements())
        self._taken += 1

    def _note_flags(self, flagged: Flagged) -> None:
        found, piece = self._rebuilt, flagged.piece
        if piece.late_ns is not None:
            found.late_s = float(piece.late_ns[0]) / 1e9
        found.flags = {name: flags for name, flags in flagged.flags.items() if len(flags.at)}
        if piece.batch.measures is not None:
            found.measures = to_numbers(piece.batch.measures[0])

    def _note(self, chunk: DecodedChunk, start: int, all_found: list[Found]) -> None:
        for at, anomaly, _ in all_found:
            trade_id = chunk.trades[start + at].trade_id
            own = anomaly.first_trade or trade_id
            number = self._taken + at
            first = self._said[own].first if own in self._said else number
            self._said.pop(own, None)
            self._said[own] = _Said(anomaly, first, number)
            if own == self._trade_id and not self._is_done():
                self._rebuilt.anomaly = anomaly
                self._rebuilt.brought_by = trade_id

    def _is_done(self) -> bool:
        """Tell whether the anomaly is the known one, or a later revision of it."""
        made = self._rebuilt.anomaly
        return (
            self._known is not None
            and made is not None
            and (made.revision or 0) >= (self._known.revision or 0)
        )


def _flag(engine: Engine, columns: TradeColumns) -> set[str]:
    """Judge trades; returns the detectors that flag any of them."""
    return {
        name for flagged in engine.flag(columns) for name, flags in flagged.flags.items() if len(flags.at)
    }


def to_numbers(record: np.void) -> dict[str, float]:
    """Return a record's single numbers by name."""
    names = record.dtype.names or ()
    return {name: float(record[name]) for name in names if record[name].ndim == 0}


def _prints(chunk: DecodedChunk, start: int) -> Prints:
    return Prints(
        lambda at: chunk.trades[start + at].trade_id,
        lambda at: chunk.values[start + at],
    )

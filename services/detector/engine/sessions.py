"""Assigns trades to sessions, checks their order, and drops old sessions.

The result depends only on a symbol's own trades in their order, never on batches.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.slots import grown
from services.detector.engine.state import Changes, SessionState

SESSIONS_KEPT = 8
"""Days of a symbol whose state is kept, those seen last: enough to backfill several days side by side."""

ENDLESS_DAY = 0


@dataclass
class _Symbol:
    number: int
    slots: dict[int, int] = field(default_factory=dict)  # by day


@dataclass(frozen=True)
class Piece:
    """Consecutive trades sorted into sessions, n of them.

    Parameters
    ----------
    places
        Their places among the columns that they come from, int64, shape (n,), rising.
    days
        Their trading days, days since 1970, int64, shape (n,).
    batch
        The trades.
    sessions
        The session of each slot in the batch.
    opened
        Slots that are given to sessions from this piece on, whatever session had them before.
    """

    places: np.ndarray
    days: np.ndarray
    batch: Batch
    sessions: Mapping[int, SessionKey]
    opened: list[tuple[int, SessionKey]]


class Sessions:
    """Gives each symbol's session a slot, a small number, and takes it back when the session is dropped.

    Parameters
    ----------
    endless
        One session for each symbol, whatever the day.
    """

    def __init__(self, endless: bool) -> None:
        self._endless = endless
        self._symbols: dict[str, _Symbol] = {}
        self._names: list[str] = []
        self._free: list[int] = []
        self._used = 0
        self._seen = 0
        self._last_seen = np.zeros(0, np.int64)  # by slot, in trades seen by all
        self._last_ns = np.zeros(0, np.int64)
        self._last_sequence = np.zeros(0, np.int64)
        self._touched = np.zeros(0, bool)
        self._dropped: dict[SessionKey, None] = {}
        self._keys: dict[int, SessionKey] = {}
        self.late_trades = 0

    def pieces(self, columns: TradeColumns) -> list[Piece]:
        """Sort trades into sessions; late and repeated trades are counted and left out.

        There is more than one piece only where a symbol has more days than are kept: a slot may then be
        reused between two of them, and the later piece has it in `opened`. Pieces must be processed in
        order.
        """
        symbol_numbers = np.fromiter(map(self._number, columns.symbol), np.int64, len(columns))
        days = np.full(len(columns), ENDLESS_DAY) if self._endless else columns.day
        pieces = []
        start = 0
        while start < len(columns):
            opened: list[int] = []
            slots, stop = self._slots(symbol_numbers[start:], days[start:], opened)
            part = slice(start, start + stop)
            self._last_seen[slots] = self._seen + np.arange(stop)  # of a slot's trades the last one counts
            self._touched[slots] = True
            self._seen += stop
            fresh = np.empty(stop, bool)
            _mark_fresh(
                slots,
                columns.event_ns[part],
                columns.sequence[part],
                self._last_ns,
                self._last_sequence,
                fresh,
            )
            places = np.flatnonzero(fresh) + start
            slots = slots[fresh]
            self.late_trades += stop - len(places)
            if not len(places) and not opened:
                start += stop
                continue
            pieces.append(
                Piece(
                    places=places,
                    days=columns.day[places],
                    batch=Batch(
                        slot=slots,
                        event_ns=columns.event_ns[places],
                        price=columns.price[places],
                        size=columns.size[places],
                        side=columns.side[places],
                    ),
                    sessions={slot: self._keys[slot] for slot in np.unique(slots).tolist()},
                    opened=[(slot, self._keys[slot]) for slot in opened],
                )
            )
            start += stop
        return pieces

    def take_changes(self) -> Changes:
        """Return which sessions were given a trade or dropped since the last call."""
        touched = np.flatnonzero(self._touched)
        self._touched[touched] = False
        changes = Changes([self._keys[slot] for slot in touched.tolist()], list(self._dropped))
        self._dropped.clear()
        return changes

    def slot_of(self, session: SessionKey) -> int:
        """Return an open session's slot; raises KeyError for one that is not open."""
        return self._symbols[session.symbol].slots[self._day_number(session.day)]

    def last_of(self, slot: int) -> tuple[int, int, int]:
        """Return `last_seen`, `last_ns` and `last_sequence` of `SessionState`."""
        return int(self._last_seen[slot]), int(self._last_ns[slot]), int(self._last_sequence[slot])

    def restore(self, state: SessionState) -> int:
        """Open a saved session, before any trade, and return its slot.

        If a symbol has more sessions than are kept, those seen least recently are dropped at once.

        Raises
        ------
        ValueError
            The session is already open, or its day is invalid here.
        """
        symbol, day = state.session.symbol, self._day_number(state.session.day)
        self._number(symbol)
        slots = self._symbols[symbol].slots
        if day in slots:
            raise ValueError(f"the session {symbol}@{state.session.day} is already open")
        slot = slots[day] = self._open(symbol, day)
        self._last_seen[slot] = state.last_seen
        self._last_ns[slot] = state.last_ns
        self._last_sequence[slot] = state.last_sequence
        self._seen = max(self._seen, state.last_seen + 1)
        if len(slots) > SESSIONS_KEPT:
            self._drop(symbol)
        return slot

    def _day_number(self, text: str) -> int:
        """Return the day of a session's key as `pieces` counts it; raises ValueError for no such day."""
        if self._endless and not text:
            return ENDLESS_DAY
        day = dt.date.fromisoformat(text)
        if self._endless or day.isoformat() != text:
            raise ValueError(f"{text!r} is not the day of a session here")
        return (day - dt.date(1970, 1, 1)).days

    def _number(self, symbol: str) -> int:
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = _Symbol(len(self._names))
            self._names.append(symbol)
        return known.number

    def _slots(
        self, symbol_numbers: np.ndarray, days: np.ndarray, opened: list[int]
    ) -> tuple[np.ndarray, int]:
        """Return the slots of as many trades as can be taken before a session in use has to be dropped.

        Those of sessions that are new are added to `opened`.
        """
        first_day = int(days.min())
        span = int(days.max()) - first_day + 1
        keys, firsts, inverse = np.unique(
            symbol_numbers * span + (days - first_day), return_index=True, return_inverse=True
        )
        slot_of_key = np.zeros(len(keys), np.int64)
        stop = len(days)
        for at in np.argsort(firsts):
            if firsts[at] >= stop:
                break
            symbol = self._names[int(keys[at]) // span]
            day = int(keys[at]) % span + first_day
            slots = self._symbols[symbol].slots
            if day not in slots:
                if len(slots) >= SESSIONS_KEPT:
                    if firsts[at] > 0:
                        stop = int(
                            firsts[at]
                        )  # first those before it, as they decide which session is the oldest
                        break
                    self._drop(symbol)
                slots[day] = self._open(symbol, day)
                opened.append(slots[day])
            slot_of_key[at] = slots[day]
        return slot_of_key[inverse[:stop]], stop

    def _open(self, symbol: str, day: int) -> int:
        slot = self._free.pop() if self._free else self._used
        self._used = max(self._used, slot + 1)
        self._last_seen = grown(self._last_seen, slot)
        self._last_ns = grown(self._last_ns, slot)
        self._last_sequence = grown(self._last_sequence, slot)
        self._touched = grown(self._touched, slot)
        self._last_ns[slot] = self._last_sequence[slot] = -1
        text = "" if self._endless else str(np.datetime64(day, "D"))
        self._keys[slot] = SessionKey(symbol, text)
        self._dropped.pop(self._keys[slot], None)
        return slot

    def _drop(self, symbol: str) -> None:
        """Drop the symbol's session that was seen least recently."""
        slots = self._symbols[symbol].slots
        oldest = min(slots, key=lambda day: self._last_seen[slots[day]])
        slot = slots.pop(oldest)
        self._free.append(slot)
        self._touched[slot] = False
        self._dropped[self._keys[slot]] = None


@njit(cache=True)
def _mark_fresh(
    slots: np.ndarray,
    event_ns: np.ndarray,
    sequence: np.ndarray,
    last_ns: np.ndarray,
    last_sequence: np.ndarray,
    fresh: np.ndarray,
) -> None:
    """Mark the trades that come after all before them in their session, by time and then sequence."""
    for i in range(len(slots)):
        slot = slots[i]
        is_fresh = event_ns[i] > last_ns[slot] or (
            event_ns[i] == last_ns[slot] and sequence[i] > last_sequence[slot]
        )
        fresh[i] = is_fresh
        if is_fresh:
            last_ns[slot] = event_ns[i]
            last_sequence[slot] = sequence[i]

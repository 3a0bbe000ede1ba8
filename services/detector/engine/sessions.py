"""Assigns trades to sessions, cuts them where late ones are, and drops old sessions.

The result depends only on a symbol's own trades in their order, never on batches.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.order import IN_ORDER, LATE, REPEAT, TOO_LATE, PrintOrder
from services.detector.engine.slots import grown
from services.detector.engine.state import Changes, OutOfOrder, SessionState

SESSIONS_KEPT = 8
"""Days of a symbol whose state is kept, those seen last: enough to backfill several days side by side."""

ENDLESS_DAY = 0


class _Symbols(dict[str, int]):
    """Numbers symbols from 0, in the order in which they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.slots: list[dict[int, int]] = []
        """Of each symbol by number, its sessions' slots by day."""

    def __missing__(self, symbol: str) -> int:
        self[symbol] = number = len(self.names)
        self.names.append(symbol)
        self.slots.append({})
        return number


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
    late_ns
        How late each trade is, int64, shape (n,), if these are late ones: at most one of each session, which
        must be judged but not learnt from. None for trades in order.
    """

    places: np.ndarray
    days: np.ndarray
    batch: Batch
    sessions: Mapping[int, SessionKey]
    opened: list[tuple[int, SessionKey]]
    late_ns: np.ndarray | None = None


class Sessions:
    """Gives each symbol's session a slot, a small number, and takes it back when the session is dropped.

    Parameters
    ----------
    endless
        One session for each symbol, whatever the day.
    """

    def __init__(self, endless: bool) -> None:
        self._endless = endless
        self._symbols = _Symbols()
        self._free: list[int] = []
        self._used = 0
        self._seen = 0
        self._last_seen = np.zeros(0, np.int64)  # by slot, in trades seen by all
        self._order = PrintOrder()
        self._touched = np.zeros(0, bool)
        self._dropped: dict[SessionKey, None] = {}
        self._keys: dict[int, SessionKey] = {}
        self.out_of_order = OutOfOrder()
        """What has come out of order since the start."""

    def pieces(self, columns: TradeColumns) -> list[Piece]:
        """Sort trades into sessions; repeats and trades that are too late are counted and left out.

        There is more than one piece where late trades stand between others, and where a symbol has more days
        than are kept: a slot may then be reused between two of them, and the later piece has it in `opened`.
        Pieces must be processed in order.
        """
        symbol_numbers = np.fromiter(map(self._symbols.__getitem__, columns.symbol), np.int64, len(columns))
        days = np.full(len(columns), ENDLESS_DAY) if self._endless else columns.day
        pieces: list[Piece] = []
        start = 0
        while start < len(columns):
            opened: list[int] = []
            slots, stop = self._slots(symbol_numbers[start:], days[start:], opened)
            part = slice(start, start + stop)
            self._last_seen[slots] = self._seen + np.arange(stop)  # of a slot's trades the last one counts
            self._touched[slots] = True
            self._seen += stop
            order = self._order.sort(
                slots,
                columns.event_ns[part],
                columns.tape_ns[part],
                columns.sequence[part],
                columns.lane[part],
                columns.identity[part],
            )
            kinds = np.bincount(order.kind, minlength=TOO_LATE + 1)
            self.out_of_order += OutOfOrder(
                int(kinds[LATE]), int(kinds[REPEAT]), int(kinds[TOO_LATE]), order.restarts, order.steps_back
            )
            new = [(slot, self._keys[slot]) for slot in opened]
            for at in _runs(slots, order.kind):
                pieces.append(
                    self._piece(
                        columns,
                        at + start,
                        slots[at],
                        order.clock_ns[at],
                        new,
                        order.late_ns[at] if order.kind[at[:1]] == LATE else None,
                    )
                )
                new = []
            if new:
                nothing = np.zeros(0, np.int64)
                pieces.append(self._piece(columns, nothing, nothing, nothing, new, None))
            start += stop
        return pieces

    def _piece(
        self,
        columns: TradeColumns,
        places: np.ndarray,
        slots: np.ndarray,
        clock_ns: np.ndarray,
        opened: list[tuple[int, SessionKey]],
        late_ns: np.ndarray | None,
    ) -> Piece:
        return Piece(
            places=places,
            days=columns.day[places],
            batch=Batch(
                slot=slots,
                event_ns=clock_ns,
                price=columns.price[places],
                size=columns.size[places],
                side=columns.side[places],
                eligible=columns.eligible[places],
                stamp_ns=columns.event_ns[places],
                recv_ns=columns.recv_ns[places],
                lane=columns.lane[places],
                high=columns.high[places],
                low=columns.low[places],
            ),
            sessions={slot: self._keys[slot] for slot in np.unique(slots).tolist()},
            opened=opened,
            late_ns=late_ns,
        )

    def take_changes(self) -> Changes:
        """Return which sessions were given a trade or dropped since the last call."""
        touched = np.flatnonzero(self._touched)
        self._touched[touched] = False
        changes = Changes([self._keys[slot] for slot in touched.tolist()], list(self._dropped))
        self._dropped.clear()
        return changes

    def slot_of(self, session: SessionKey) -> int:
        """Return an open session's slot; raises KeyError for one that is not open."""
        return self._slots_of(session.symbol)[self._day_number(session.day)]

    def saved(self, slot: int) -> tuple[int, bytes]:
        """Return `last_seen` and `order` of `SessionState`."""
        return int(self._last_seen[slot]), self._order.save(slot)

    def restore(self, state: SessionState) -> int:
        """Open a saved session, before any trade, and return its slot.

        If a symbol has more sessions than are kept, those seen least recently are dropped at once.

        Raises
        ------
        ValueError
            The session is already open, its day is invalid here, or the order of its trades unreadable.
        """
        symbol, day = state.session.symbol, self._day_number(state.session.day)
        slots = self._slots_of(symbol)
        if day in slots:
            raise ValueError(f"the session {symbol}@{state.session.day} is already open")
        slot = slots[day] = self._open(symbol, day)
        self._last_seen[slot] = state.last_seen
        self._order.restore(slot, state.order)
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

    def _slots_of(self, symbol: str) -> dict[int, int]:
        """Return a symbol's slots by day."""
        return self._symbols.slots[self._symbols[symbol]]

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
            number = int(keys[at]) // span
            day = int(keys[at]) % span + first_day
            slots = self._symbols.slots[number]
            if day not in slots:
                if len(slots) >= SESSIONS_KEPT:
                    if firsts[at] > 0:
                        stop = int(
                            firsts[at]
                        )  # first those before it, as they decide which session is the oldest
                        break
                    self._drop(self._symbols.names[number])
                slots[day] = self._open(self._symbols.names[number], day)
                opened.append(slots[day])
            slot_of_key[at] = slots[day]
        return slot_of_key[inverse[:stop]], stop

    def _open(self, symbol: str, day: int) -> int:
        slot = self._free.pop() if self._free else self._used
        self._used = max(self._used, slot + 1)
        self._last_seen = grown(self._last_seen, slot)
        self._touched = grown(self._touched, slot)
        self._order.open(slot)
        text = "" if self._endless else str(np.datetime64(day, "D"))
        self._keys[slot] = SessionKey(symbol, text)
        self._dropped.pop(self._keys[slot], None)
        return slot

    def _drop(self, symbol: str) -> None:
        """Drop the symbol's session that was seen least recently."""
        slots = self._slots_of(symbol)
        oldest = min(slots, key=lambda day: self._last_seen[slots[day]])
        slot = slots.pop(oldest)
        self._free.append(slot)
        self._touched[slot] = False
        self._dropped[self._keys[slot]] = None


def _runs(slots: np.ndarray, kind: np.ndarray) -> list[np.ndarray]:
    """Return the places of the trades to judge, cut where late ones begin and end.

    A run of late ones has at most one of each slot.
    """
    if not (kind != IN_ORDER).any():
        return [np.arange(len(kind))]
    places = np.flatnonzero(kind <= LATE)
    is_late = kind[places] == LATE
    cuts = (np.flatnonzero(np.diff(is_late)) + 1).tolist()
    runs = []
    for run in np.split(places, cuts):
        if not len(run):
            continue
        if kind[run[0]] == IN_ORDER:
            runs.append(run)
            continue
        first = 0
        seen: set[int] = set()
        for at, slot in enumerate(slots[run].tolist()):
            if slot in seen:
                runs.append(run[first:at])
                first, seen = at, set()
            seen.add(slot)
        runs.append(run[first:])
    return runs

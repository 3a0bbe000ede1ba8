"""The order of a session's prints: which are late, which are repeats, and by which clock they are judged.

A session's prints come in lanes, one for each publisher or venue; merged venues need not be in order among
each other. Within a lane the venue's sequence decides where a print has one (above 0), else the tape time;
equal is not late, as packets and coarse clocks have many prints of one number and time.

A print that is far ahead of its lane (`AHEAD_NS`) moves the lane only when the next print agrees, so a single
wrong stamp makes nothing late. A lane whose sequence falls while its time moves on has started again.

A session remembers the identities of its last prints. A late print that is known is a repeat; one that is not
known was never judged. Prints from before the memory cannot be told apart and are left out.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from services.detector.engine.record import Record
from services.detector.engine.slots import grown

AHEAD_NS = 3_000_000_000
"""A longer step needs the next print's consent; a longer step back sets the session's clock back."""

MEMORY_NS = 60_000_000_000
MEMORY_PRINTS = 65_536
PAGE_PRINTS = 64
"""Identities are kept in pages of one pool, 1 kB each, so a session with few prints takes little memory."""

IN_ORDER, LATE, REPEAT, TOO_LATE = range(4)
"""What a print is; the first two are judged, and only the first one is learnt from."""

_NEVER = -1
_NO_PAGE = -1
_FIRST_LANES = 2

ORDER = np.dtype(
    [
        ("clock_ns", "i8"),
        ("settled_ns", "i8"),
        ("prints", "i8"),
        ("cut_ns", "i8"),
        ("lanes", "i8"),
        ("oldest_page", "i8"),
        ("newest_page", "i8"),
        ("pages", "i8"),
        ("rows", "i8"),
    ]
)
"""One session. `clock_ns`: the time that its last print was judged at; `settled_ns`: the one before, which no
single stamp can move; `prints`: remembered in all; `cut_ns`: the newest time that was forgotten; `rows`: of
the newest page, the others are full."""

LANE = np.dtype(
    [
        ("key", "i8"),
        ("sequence", "i8"),
        ("ns", "i8"),
        ("ahead_sequence", "i8"),
        ("ahead_ns", "i8"),
        ("restarts", "i8"),
        ("top_sequence", "i8"),
        ("top_sequence_from", "i8"),
        ("top_ns", "i8"),
        ("top_ns_from", "i8"),
    ]
)
"""One publisher's prints in a session: its last sequence (0 for none) and time, a step ahead that waits for
consent (`ahead_ns` -1 for none), and the highest sequence, and the latest time of those without one, that it
ever had, with the number of the first print that had it: only prints that are not beyond can be repeats."""

_SAVED = ("clock_ns", "settled_ns", "prints", "cut_ns", "lanes")
_HEAD = np.dtype([(name, "i8") for name in (*_SAVED, "identities")])


@dataclass(frozen=True)
class Sorted:
    """What n prints are.

    Parameters
    ----------
    kind
        `IN_ORDER`, `LATE`, `REPEAT` or `TOO_LATE`, int8, shape (n,).
    clock_ns
        The session's clock at each print, ns since 1970, int64, shape (n,). It falls only where a wrong stamp
        had moved it ahead.
    late_ns
        How long before the session's clock a print's own time is, 0 for prints in order, int64, shape (n,).
    restarts
        How many of them show that a lane's sequence has started again.
    steps_back
        How many came before the one before them, which is taken for a wrong stamp.
    """

    kind: np.ndarray
    clock_ns: np.ndarray
    late_ns: np.ndarray
    restarts: int
    steps_back: int


class PrintOrder:
    """The order of every session's prints, by slot."""

    def __init__(self) -> None:
        self._orders = np.zeros(0, ORDER)
        self._lanes = np.zeros((0, _FIRST_LANES), LANE)
        self._identities = np.zeros((0, PAGE_PRINTS), np.int64)
        self._times = np.zeros((0, PAGE_PRINTS), np.int64)
        self._links = np.zeros((0, 2), np.int64)  # the page before and the one after
        self._free = np.zeros(0, np.int64)
        self._free_count = 0

    def open(self, slot: int) -> None:
        """Begin a session under a slot, forgetting whatever was there."""
        if slot < len(self._orders) and self._orders[slot]["pages"]:
            pages = self._pages_of(slot)
            self._free[self._free_count : self._free_count + len(pages)] = pages
            self._free_count += len(pages)
        self._orders = grown(self._orders, slot)
        self._lanes = grown(self._lanes, slot)
        order = self._orders[slot]
        order["clock_ns"] = order["settled_ns"] = order["cut_ns"] = _NEVER
        order["oldest_page"] = order["newest_page"] = _NO_PAGE
        order["prints"] = order["lanes"] = order["pages"] = order["rows"] = 0

    def sort(
        self,
        slots: np.ndarray,
        event_ns: np.ndarray,
        tape_ns: np.ndarray,
        sequence: np.ndarray,
        lane: np.ndarray,
        identity: np.ndarray,
    ) -> Sorted:
        """Tell what the next prints are, and remember them.

        Parameters
        ----------
        slots, event_ns, tape_ns, sequence, lane, identity
            Of each print, int64, shape (n,); see `TradeColumns`.
        """
        count = len(slots)
        kind = np.zeros(count, np.int8)
        clock_ns = np.zeros(count, np.int64)
        late_ns = np.zeros(count, np.int64)
        done = np.zeros(3, np.int64)  # prints sorted, restarts, steps back
        while True:
            free_count = np.array([self._free_count])
            _sort(
                *(slots, event_ns, tape_ns, sequence, lane, identity),
                *(self._orders, self._lanes, self._identities, self._times, self._links),
                *(self._free, free_count, kind, clock_ns, late_ns, done),
            )
            self._free_count = int(free_count[0])
            if done[0] == count:
                return Sorted(kind, clock_ns, late_ns, int(done[1]), int(done[2]))
            self._make_room(int(slots[done[0]]))

    def save(self, slot: int) -> bytes:
        """Return all that is known of a session's order."""
        order = self._orders[slot]
        pages = self._pages_of(slot)
        kept = max(len(pages) - 1, 0) * PAGE_PRINTS + int(order["rows"])
        head = np.zeros(1, _HEAD)
        for name in _SAVED:
            head[name] = order[name]
        head["identities"] = kept
        lanes = self._lanes[slot, : int(order["lanes"])]
        identities, times = (pool[pages].reshape(-1)[:kept] for pool in (self._identities, self._times))
        return head.tobytes() + lanes.tobytes() + identities.tobytes() + times.tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """Resume a session that `open` has just begun.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns.
        """
        if len(saved) < _HEAD.itemsize:
            raise ValueError("the order of its prints is cut off")
        head = np.frombuffer(saved, _HEAD, 1)[0]
        count, kept = int(head["lanes"]), int(head["identities"])
        expected = _HEAD.itemsize + count * LANE.itemsize + 16 * kept
        if count < 0 or not 0 <= kept <= MEMORY_PRINTS + PAGE_PRINTS or len(saved) != expected:
            raise ValueError(f"the order of its prints has {len(saved)} bytes, not {expected}")
        order = self._orders[slot]
        for name in _SAVED:
            order[name] = head[name]
        while count > self._lanes.shape[1]:
            self._widen()
        self._lanes[slot, :count] = np.frombuffer(saved, LANE, count, _HEAD.itemsize)
        start = _HEAD.itemsize + count * LANE.itemsize
        identities = np.frombuffer(saved, np.int64, kept, start)
        times = np.frombuffer(saved, np.int64, kept, start + 8 * kept)
        previous = _NO_PAGE
        for first in range(0, kept, PAGE_PRINTS):
            rows = min(PAGE_PRINTS, kept - first)
            page = self._take_page()
            self._identities[page, :rows] = identities[first : first + rows]
            self._times[page, :rows] = times[first : first + rows]
            self._links[page] = previous, _NO_PAGE
            if previous == _NO_PAGE:
                order["oldest_page"] = page
            else:
                self._links[previous, 1] = page
            order["newest_page"], order["rows"] = page, rows
            order["pages"] += 1
            previous = page

    def _pages_of(self, slot: int) -> list[int]:
        pages = []
        page = int(self._orders[slot]["oldest_page"])
        while page != _NO_PAGE:
            pages.append(page)
            page = int(self._links[page, 1])
        return pages

    def _take_page(self) -> int:
        if not self._free_count:
            self._add_pages()
        self._free_count -= 1
        return int(self._free[self._free_count])

    def _make_room(self, slot: int) -> None:
        """Give what sorting has stopped for."""
        if not self._free_count:
            self._add_pages()
        if self._orders[slot]["lanes"] == self._lanes.shape[1]:
            self._widen()

    def _add_pages(self) -> None:
        have = len(self._identities)
        for pool in ("_identities", "_times", "_links", "_free"):
            setattr(self, pool, grown(getattr(self, pool), max(2 * have, 64) - 1))
        added = np.arange(have, len(self._identities))
        self._free[self._free_count : self._free_count + len(added)] = added
        self._free_count += len(added)

    def _widen(self) -> None:
        slots, lanes = self._lanes.shape
        wider = np.zeros((slots, 2 * lanes), LANE)
        wider[:, :lanes] = self._lanes
        self._lanes = wider


@njit(cache=True)
def identities_of(text: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return 64 bits for each of n texts: FNV-1a, the same on every machine and for ever.

    Parameters
    ----------
    text
        The texts' bytes one after the other, uint8.
    ends
        Where each ends, int64, shape (n,).
    """
    found = np.empty(len(ends), np.int64)
    start = 0
    for i in range(len(ends)):
        value = np.uint64(0xCBF29CE484222325)
        for at in range(start, ends[i]):
            value = (value ^ np.uint64(text[at])) * np.uint64(0x100000001B3)
        found[i] = np.int64(value)
        start = ends[i]
    return found


@njit(cache=True)
def _sort(
    slots: np.ndarray,
    event_ns: np.ndarray,
    tape_ns: np.ndarray,
    sequence: np.ndarray,
    lane_key: np.ndarray,
    identity: np.ndarray,
    orders: np.ndarray,
    lanes: np.ndarray,
    identities: np.ndarray,
    times: np.ndarray,
    links: np.ndarray,
    free: np.ndarray,
    free_count: np.ndarray,
    kind: np.ndarray,
    clock_ns: np.ndarray,
    late_ns: np.ndarray,
    done: np.ndarray,
) -> None:
    """Sort prints from `done[0]` on; returns early where a page or a lane is missing."""
    for i in range(done[0], len(slots)):
        slot = slots[i]
        s = orders[slot]
        number = 0
        while number < s.lanes and lanes[slot, number].key != lane_key[i]:
            number += 1
        if free_count[0] == 0 or number == lanes.shape[1]:
            done[0] = i
            return
        lane = lanes[slot, number]
        if number == s.lanes:
            s.lanes += 1
            lane.key = lane_key[i]
            lane.sequence = lane.ahead_sequence = lane.restarts = lane.top_sequence = 0
            lane.ns = lane.ahead_ns = lane.top_ns = _NEVER
        event = event_ns[i]
        q = max(sequence[i], 0)
        t = event if q > 0 else tape_ns[i]

        # Against what the lane's prints agree on
        is_before = has_restarted = False
        if lane.ns >= 0:
            if q > 0 and lane.sequence > 0:
                is_before = q < lane.sequence
                if is_before and t > lane.ns:
                    is_before = False
                    has_restarted = True
                elif q > lane.sequence and lane.restarts > 0 and t < lane.ns - MEMORY_NS:
                    is_before = True  # from before the restart
            else:
                is_before = t < lane.ns
        # Against a step ahead
        is_waiting = lane.ahead_ns >= 0
        contradicts = False
        if is_waiting and not is_before:
            if has_restarted:
                contradicts = True
            elif q > 0 and lane.ahead_sequence > 0:
                contradicts = q < lane.ahead_sequence
            else:
                contradicts = t < lane.ahead_ns

        clock_ns[i] = s.clock_ns
        if is_before:
            late_ns[i] = max(s.clock_ns - event, 0)
            if s.settled_ns - event > MEMORY_NS or event <= s.cut_ns:
                kind[i] = TOO_LATE
            elif _is_known(s, identity[i], s.prints, identities, links):
                kind[i] = REPEAT
            else:
                kind[i] = LATE
                _raise_top(lane, q, t, s.prints)
                _remember(s, identity[i], s.clock_ns, identities, times, links, free, free_count)
            continue
        if q > 0:
            is_beyond = q > lane.top_sequence
            since = lane.top_sequence_from if q == lane.top_sequence else 0
        else:
            is_beyond = t > lane.top_ns
            since = lane.top_ns_from if t == lane.top_ns else 0
        if not is_beyond and _is_known(s, identity[i], s.prints - since, identities, links):
            kind[i] = REPEAT
            continue

        kind[i] = IN_ORDER
        if contradicts:
            done[2] += 1
        _raise_top(lane, q, t, s.prints)
        if is_waiting and not contradicts:
            if lane.ahead_sequence > 0:
                lane.sequence = lane.ahead_sequence
            if t >= lane.ahead_ns or lane.ns < 0:
                lane.ns = min(lane.ahead_ns, t)
        lane.ahead_ns = _NEVER
        lane.ahead_sequence = 0
        if has_restarted:
            lane.restarts += 1
            if q <= lane.sequence // 2:  # else perhaps one that came late
                done[1] += 1
            lane.sequence = q
            lane.ns = t
        elif lane.ns < 0 or t - lane.ns > AHEAD_NS:
            lane.ahead_sequence = q
            lane.ahead_ns = t
        else:
            if q > 0:
                lane.sequence = q
            lane.ns = max(lane.ns, t)

        before_ns = s.clock_ns
        if before_ns < 0 or event >= before_ns or before_ns - event > AHEAD_NS:
            s.clock_ns = event
        s.settled_ns = s.clock_ns if before_ns < 0 else min(before_ns, s.clock_ns)
        clock_ns[i] = s.clock_ns
        _remember(s, identity[i], s.clock_ns, identities, times, links, free, free_count)
    done[0] = len(slots)


@njit(cache=True)
def _raise_top(lane: Record, sequence: int, ns: int, number: int) -> None:
    """Note a print that is about to be remembered, late or not, if it is beyond all of its lane."""
    if sequence > 0:
        if sequence > lane.top_sequence:
            lane.top_sequence = sequence
            lane.top_sequence_from = number
    elif ns > lane.top_ns:
        lane.top_ns = ns
        lane.top_ns_from = number


@njit(cache=True)
def _is_known(s: Record, identity: int, newest: int, identities: np.ndarray, links: np.ndarray) -> bool:
    """Tell whether one of the `newest` remembered prints has this identity."""
    page = s.newest_page
    rows = s.rows
    while page != _NO_PAGE and newest > 0:
        for row in range(rows - 1, max(rows - newest, 0) - 1, -1):
            if identities[page, row] == identity:
                return True
        newest -= rows
        page = links[page, 0]
        rows = PAGE_PRINTS
    return False


@njit(cache=True)
def _remember(
    s: Record,
    identity: int,
    at_ns: int,
    identities: np.ndarray,
    times: np.ndarray,
    links: np.ndarray,
    free: np.ndarray,
    free_count: np.ndarray,
) -> None:
    """Remember a print; there must be a free page. Pages that are past the memory are given back."""
    if s.pages == 0 or s.rows == PAGE_PRINTS:
        while s.pages > 1:
            oldest = s.oldest_page
            newest_ns = times[oldest, PAGE_PRINTS - 1]
            is_over = newest_ns < s.settled_ns - MEMORY_NS
            if not is_over and s.pages * PAGE_PRINTS < MEMORY_PRINTS:
                break
            s.cut_ns = max(s.cut_ns, newest_ns)
            s.oldest_page = links[oldest, 1]
            links[s.oldest_page, 0] = _NO_PAGE
            s.pages -= 1
            free[free_count[0]] = oldest
            free_count[0] += 1
        free_count[0] -= 1
        page = free[free_count[0]]
        links[page, 0] = s.newest_page
        links[page, 1] = _NO_PAGE
        if s.pages == 0:
            s.oldest_page = page
        else:
            links[s.newest_page, 1] = page
        s.newest_page = page
        s.pages += 1
        s.rows = 0
    identities[s.newest_page, s.rows] = identity
    times[s.newest_page, s.rows] = at_ns
    s.rows += 1
    s.prints += 1

"""A channel's messages that are still to be sent: which one is next, and when.

Revisions of an alert keep their order: a later one waits until the earlier one has left the queue. Others
may pass a message that waits for its next try. After `BREAK_AFTER` failures in a row, of more than one
message, the circuit breaker opens: one message at a time is tried, with growing waits, until one succeeds. A
single message that a receiver never takes does not open it: it would delay all the others.
"""

import heapq
import random
from collections import deque
from itertools import count

from services.alerter.sending.items import Ident, Item
from services.alerter.sending.waits import wait_s

BREAK_AFTER = 5
ASKED_MOST_S = 3_600.0
"""Longest wait that a receiver may ask for: it may have meant something else, or its clock may be wrong."""
PROBE_MOST_S = 30.0
"""Longest wait between two tries while the breaker is open: so long may a recovery go unnoticed."""


class ChannelQueue:
    """The queue of one channel; times are seconds since 1970.

    Parameters
    ----------
    draw
        For the jitter of waits.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._failures = 0
        self._failed: set[Ident] = set()
        """What has failed since the last success."""
        self._paused_until_s = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget the messages, but not how the receiver behaves."""
        self._items: dict[Ident, Item] = {}
        self._threads: dict[str, deque[Item]] = {}
        self._order = count()
        self._ready: list[tuple[float, int, Item]] = []
        """The first messages of all threads but those that are in flight, by the time of their next try."""
        self._deadlines: list[tuple[float, int, Item]] = []

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: Item) -> bool:
        return self._items.get(item.ident) is item

    @property
    def is_failing(self) -> bool:
        """Whether the last `BREAK_AFTER` tries have failed."""
        return self._failures >= BREAK_AFTER

    @property
    def is_broken(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.is_failing and len(self._failed) > 1

    @property
    def oldest_s(self) -> float | None:
        """When the oldest message was written; None without any."""
        return min((item.created_s for item in self._items.values()), default=None)

    def add(self, item: Item) -> None:
        """Add a message, after the earlier ones of its thread."""
        self._items[item.ident] = item
        heapq.heappush(self._deadlines, (item.deadline_s, next(self._order), item))
        thread = self._threads.setdefault(item.thread, deque())
        thread.append(item)
        if len(thread) == 1:
            self._make_ready(item)

    def next(self, now_s: float) -> Item | None:
        """Take the message that is to be tried now, if there is one.

        It stays in the queue: `remove` or `failed` is called of it before it comes again.
        """
        if now_s < self._paused_until_s:
            return None
        while self._ready and self._ready[0][0] <= now_s:
            at_s, _, item = heapq.heappop(self._ready)
            if item in self and at_s == item.not_before_s:  # else it has left the queue, or waits again
                return item
        return None

    def failed(self, item: Item, now_s: float, retry_after_s: float | None) -> float:
        """Put a message back that was not accepted; returns when it is tried again.

        Parameters
        ----------
        item
            With the number of its tries.
        now_s
            When the try failed.
        retry_after_s
            How long the receiver asks to wait, with this message and all others; an hour at most.
        """
        self._failures += 1
        self._failed.add(item.ident)
        asked_s = min(max(retry_after_s or 0.0, 0.0), ASKED_MOST_S)
        pause_s = asked_s
        if self.is_broken:
            pause_s = max(pause_s, wait_s(self._failures - BREAK_AFTER + 1, self._draw, PROBE_MOST_S))
        self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
        item.not_before_s = now_s + max(wait_s(item.attempts, self._draw), asked_s)
        if item in self:
            self._make_ready(item)
        return item.not_before_s

    def accepted(self) -> None:
        """Note that the receiver works: the breaker closes."""
        self._failures = 0
        self._failed.clear()
        self._paused_until_s = 0.0

    def remove(self, item: Item) -> None:
        """Let the next message of its thread follow."""
        del self._items[item.ident]
        thread = self._threads[item.thread]
        was_first = thread[0] is item
        thread.remove(item)
        if not thread:
            del self._threads[item.thread]
        elif was_first:
            self._make_ready(thread[0])

    def take_expired(self, now_s: float, in_flight: Item | None) -> list[Item]:
        """Remove and return the messages whose time is over; not one that is being sent."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            item = heapq.heappop(self._deadlines)[2]
            if item in self and item is not in_flight:
                self.remove(item)
                expired.append(item)
        return expired

    def take_all(self) -> list[Item]:
        """Remove and return all messages, in their order."""
        items = list(self._items.values())
        self.clear()
        return items

    def _make_ready(self, item: Item) -> None:
        heapq.heappush(self._ready, (item.not_before_s, next(self._order), item))

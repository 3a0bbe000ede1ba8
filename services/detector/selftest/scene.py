"""A session at one moment, as a plant sees it, and the prints that are planted after that moment."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from services.contracts.iso_time import iso_ns
from services.contracts.trade import Trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import nanoseconds

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
PLANTED = "selftest"
"""What the trade ids of planted prints begin with."""

LAST_PRICES = 5
AHEAD_NS = 3 * SECOND_NS
"""A stamp so far ahead of a later print's is wrong, as in the engine."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Scene:
    """What a plant knows: a session's newest prints, as the messages have them, and its day.

    Parameters
    ----------
    session
        The session.
    recent
        Its newest prints, in the order in which they came; at least one whose price is eligible.
    opening_ns, closing_ns
        The day's auctions, ns since 1970; 0 if it has none.
    time_zone
        The exchange's.
    """

    session: SessionKey
    recent: tuple[Trade, ...]
    opening_ns: int
    closing_ns: int
    time_zone: str

    @cached_property
    def stamps_ns(self) -> np.ndarray:
        """Event times of the recent prints, ns since 1970, int64, shape (recent,)."""
        return nanoseconds([trade.timestamp for trade in self.recent])

    @cached_property
    def now_ns(self) -> int:
        """The latest event time of the recent prints, but for those that are ahead of the newest one."""
        stamps = self.stamps_ns
        return int(stamps[stamps <= stamps[-1] + AHEAD_NS].max())

    @cached_property
    def day(self) -> str:
        """The day of the newest print in the exchange's zone, `YYYY-MM-DD`."""
        now = _EPOCH + dt.timedelta(microseconds=self.now_ns // 1_000)
        return now.astimezone(ZoneInfo(self.time_zone)).date().isoformat()

    @cached_property
    def end_ns(self) -> int:
        """The end of the day: its zone's next midnight."""
        next_day = dt.date.fromisoformat(self.day) + dt.timedelta(days=1)
        midnight = dt.datetime.combine(next_day, dt.time.min, ZoneInfo(self.time_zone))
        return (midnight - _EPOCH) // dt.timedelta(microseconds=1) * 1_000

    @cached_property
    def price(self) -> float:
        """The market's price: the median of the last eligible ones."""
        return float(median([t.price for t in self.recent if t.price_eligible][-LAST_PRICES:]))

    @cached_property
    def tick(self) -> float:
        """A step of prices: the least one seen, a hundredth of a currency's unit at most for usual prices."""
        prices = np.unique([t.price for t in self.recent if t.price_eligible])
        steps = np.diff(prices)
        steps = steps[steps > 1e-9 * max(abs(self.price), 1e-9)]
        usual = 0.01 if abs(self.price) >= 1 else 0.0001
        return float(min(steps.min(initial=usual), usual))

    @cached_property
    def mean_size(self) -> float:
        """The mean size of the recent prints, none of which counts more than 20 times the median."""
        sizes = [t.size for t in self.recent if t.volume_eligible and t.size > 0] or [1.0]
        most = 20 * median(sizes)
        return float(np.mean([min(size, most) for size in sizes]))

    @cached_property
    def delay_ns(self) -> int | None:
        """The usual time from a print to its receipt; None where receipts are not known."""
        known = [
            (trade.ts_recv, stamp)
            for trade, stamp in zip(self.recent, self.stamps_ns.tolist(), strict=True)
            if trade.ts_recv
        ]
        if len(known) < len(self.recent):
            return None
        received = nanoseconds([at for at, _ in known]).tolist()
        return int(median([at - stamp for at, (_, stamp) in zip(received, known, strict=True)]))

    def on_grid(self, prices: np.ndarray | float) -> np.ndarray:
        """Round prices to the step."""
        # The division by whole steps keeps the shortest decimal: 0.07 and not 0.07000000000000001.
        steps = np.round(np.asarray(prices, np.float64) / self.tick)
        per_unit = round(1 / self.tick)
        exact = steps / per_unit if abs(per_unit * self.tick - 1) < 1e-9 else steps * self.tick
        return np.asarray(exact)

    @cached_property
    def has_whole_sizes(self) -> bool:
        """Whether no recent size has decimals."""
        return all(trade.size == int(trade.size) for trade in self.recent)

    def whole(self, size: float) -> float:
        """Return a size as the market has them: whole, where all recent ones are."""
        return max(1, round(size)) if self.has_whole_sizes else size

    def prints(
        self,
        stamps_ns: np.ndarray | Sequence[int],
        prices: np.ndarray | float,
        sizes: np.ndarray | float | None = None,
        sides: Sequence[str] | str = "B",
        delays_ns: np.ndarray | int | None = None,
        numbers: Sequence[int] | None = None,
    ) -> list[Trade]:
        """Make prints of the session, n of them, from its newest venue; scalars hold for all of them.

        Parameters
        ----------
        stamps_ns
            Event times, ns since 1970, shape (n,).
        prices, sizes, sides
            As in a trade; sizes are the mean by default.
        delays_ns
            Time from each print to its receipt; the usual one by default.
        numbers
            The venue's numbers after the last one, where it counts: 1, 2, … by default.
        """
        count = len(stamps_ns)
        stamps = np.asarray(stamps_ns, np.int64)
        last = self.recent[-1]
        price = np.broadcast_to(self.on_grid(prices), count).tolist()
        size = np.broadcast_to(np.asarray(self.mean_size if sizes is None else sizes, np.float64), count)
        side = [sides] * count if isinstance(sides, str) else sides
        delay = self.delay_ns if delays_ns is None else delays_ns
        received: list[str | None] = [None] * count
        if delay is not None:
            received = [iso_ns(at) for at in (stamps + np.asarray(delay, np.int64)).tolist()]
        first = max(trade.sequence for trade in self.recent)
        after = range(1, count + 1) if numbers is None else numbers
        return [
            Trade(
                timestamp=iso_ns(stamp),
                trade_id=f"{PLANTED}-{self.session.symbol}-{stamp}-{number}",
                symbol=self.session.symbol,
                price=price[number],
                size=self.whole(float(size[number])),
                side=side[number],  # type: ignore[arg-type] # A, B or N
                sequence=first + after[number] if last.sequence > 0 else last.sequence,
                publisher_id=last.publisher_id,
                venue=last.venue,
                ts_recv=received[number],
                tape_time=None if last.tape_time is None else iso_ns(stamp),
            )
            for number, stamp in enumerate(stamps.tolist())
        ]

    def after(self, seconds: np.ndarray | Sequence[float] | float, of_ns: int | None = None) -> np.ndarray:
        """Return times so many seconds after the newest print, or another time, int64."""
        start_ns = self.now_ns if of_ns is None else of_ns
        return start_ns + (np.atleast_1d(np.asarray(seconds, np.float64)) * SECOND_NS).astype(np.int64)

"""A venue's tape: prints that come as time goes by, the same for the same seed."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

OUTLIER_CENTS = 4_000
OUTLIER_SIZE = 50
"""How much dearer an outlier is, and how many times larger, than other prints."""


@dataclass(frozen=True)
class TapePrint:
    """A print of a venue.

    Parameters
    ----------
    symbol
        The symbol.
    number
        Of this symbol's prints, without a gap; from the tape's first number on.
    time_ns
        Its time, in ns since 1970.
    price, size
        Decimal text.
    is_buy
        Whether the buyer was the taker.
    """

    symbol: str
    number: int
    time_ns: int
    price: str
    size: str
    is_buy: bool


@dataclass(frozen=True)
class TapeConfig:
    """What a tape is like.

    Parameters
    ----------
    symbols
        Symbols; each gets its share of the prints at random, the first one the most.
    per_second
        Prints of all symbols in a second of the tape, on average.
    seconds
        Length, in seconds of the tape; 0 for one without an end.
    speed
        Seconds of the tape in a second.
    seed
        Draws everything.
    tie_share
        Share of prints that have the time of the one before.
    first_number
        Number of each symbol's first print.
    hours_ago
        How long ago a tape with an end ends.
    step_cents
        By how much a price differs from the one before, if it does.
    outlier_every
        Every so many prints of all symbols, one is far off the market and large; 0 for none.
    """

    symbols: tuple[str, ...]
    per_second: float = 50.0
    seconds: float = 0.0
    speed: float = 1.0
    seed: int = 1
    tie_share: float = 0.3
    first_number: int = 1_000
    hours_ago: float = 0.0
    step_cents: int = 1
    outlier_every: int = 0


class Tape:
    """Prints up to now.

    Parameters
    ----------
    config
        What it is like.
    """

    def __init__(self, config: TapeConfig) -> None:
        self.config = config
        self._began_s: float | None = None
        # A tape with an end ends now; times are never ahead of the clock.
        self.start_ns = time.time_ns() - int((config.seconds + config.hours_ago * 3600) * 1e9)
        self._coming = self._draw()
        self._next = next(self._coming, None)
        self.prints: list[TapePrint] = []
        self.by_symbol: dict[str, list[TapePrint]] = {symbol: [] for symbol in config.symbols}

    @property
    def now_ns(self) -> int:
        """The tape's time now."""
        if self._began_s is None:
            return self.start_ns
        return self.start_ns + int((time.monotonic() - self._began_s) * self.config.speed * 1e9)

    def begin(self) -> None:
        """Let time go by from now on, if it does not yet."""
        if self._began_s is not None:
            return
        self._began_s = time.monotonic()
        if not self.config.seconds:  # its prints are new, however long nobody listened
            self.start_ns = time.time_ns() - int(self.config.hours_ago * 3600e9)
            self._coming = self._draw()
            self._next = next(self._coming)

    @property
    def is_over(self) -> bool:
        """Whether no more prints will come."""
        return self._next is None

    def advance(self) -> Sequence[TapePrint]:
        """Return the prints that have come since the last call; none before the tape begins."""
        if self._began_s is None:
            return ()
        now_ns = self.now_ns
        fresh: list[TapePrint] = []
        if self._began_s is None:
            return fresh
        while self._next is not None and self._next.time_ns <= now_ns:
            fresh.append(self._next)
            self._next = next(self._coming, None)
        for one in fresh:
            self.prints.append(one)
            self.by_symbol[one.symbol].append(one)
        return fresh

    def _draw(self) -> Iterator[TapePrint]:
        config = self.config
        draw = random.Random(config.seed)  # noqa: S311 - no secret
        numbers = dict.fromkeys(config.symbols, config.first_number)
        cents = {symbol: draw.randrange(2_000, 5_000_000) for symbol in config.symbols}
        weights = [1 / (place + 1) for place in range(len(config.symbols))]
        time_ns = self.start_ns
        drawn = 0
        end_ns = self.start_ns + int(config.seconds * 1e9) if config.seconds else None
        while True:
            if draw.random() >= config.tie_share:
                wait_s = draw.expovariate(config.per_second * (1 - config.tie_share))
                time_ns += max(1_000, int(wait_s * 1e6) * 1_000)
            if end_ns is not None and time_ns > end_ns:
                return
            symbol = draw.choices(config.symbols, weights)[0]
            cents[symbol] = max(1, cents[symbol] + config.step_cents * draw.choice((-1, 0, 0, 1)))
            drawn += 1
            is_outlier = config.outlier_every > 0 and drawn % config.outlier_every == 0
            paid = cents[symbol] + (OUTLIER_CENTS if is_outlier else 0)
            price = f"{paid // 100}.{paid % 100:02d}"
            size = f"{draw.uniform(0.0001, 3) * (OUTLIER_SIZE if is_outlier else 1):.8f}"
            yield TapePrint(symbol, numbers[symbol], time_ns, price, size, draw.random() < 0.5)
            numbers[symbol] += 1

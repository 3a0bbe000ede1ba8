"""Stretches in which the price moves and trading is brisk for a reason: news, the opening, earnings."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Event,
    Prints,
    Scenario,
    either_way,
    moved,
)
from services.detector.offline.evaluation.scenarios.flow import at_market
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape
from services.sources.ticks import on_grid

LEAST_TRADES = 20
EVENT_NS = MINUTE_NS
"""Trades so soon after the move belong to it, too."""


class _Busy(Scenario):
    """A move within `move_s`, with `times` the trades, that fades within `fade_s` (0: never)."""

    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        move_ns, fade_ns = draw.ns("move_s"), draw.ns("fade_s")
        moved_ns = start_ns + move_ns
        stop_ns = moved_ns + fade_ns if fade_ns else tape.last_ns + 1
        places, busy = tape.between(start_ns, stop_ns), tape.between(start_ns, moved_ns)
        if len(busy) < min(LEAST_TRADES, draw.whole("least_trades")) or stop_ns > tape.last_ns + 1:
            return None
        move = draw.number("move") * either_way(rng)
        wiggle = draw.number("wiggle") * move
        phase = rng.uniform(0, 2 * np.pi)

        def factor(at_ns: np.ndarray) -> np.ndarray:
            done = np.clip((at_ns - start_ns) / move_ns, 0, 1)
            left = np.clip((stop_ns - at_ns) / fade_ns, 0, 1) if fade_ns else 1.0
            # It overshoots and comes back on its way, as prices in a hurry do.
            path: np.ndarray = np.sqrt(done) * left * move + wiggle * np.sin(phase + 12 * done) * done * (
                1 - done
            )
            return 1 + path

        count = round(len(busy) * (draw.number("times") - 1))
        plain = at_market(rng, tape, busy, count, moved_ns)
        prints = Prints(
            **{**vars(plain), "price_nanos": on_grid(plain.price_nanos * factor(plain.arrival_ns))}
        )
        event_stop = min(moved_ns + EVENT_NS, stop_ns)
        event = Event(self.name, np.arange(count), tape.between(start_ns, event_stop))
        return Change(start_ns, stop_ns, (event,), prints, moved(tape, places, factor(tape.latest[places])))


class NewsMinute(_Busy):
    """A minute of news in regular hours."""

    name = "news_minute"


class Opening(_Busy):
    """The first minutes after the opening, brisker than this day's."""

    name = "opening"

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.opening_ns + draw.ns("after_s") if tape.opening_ns else None


class EarningsGap(_Busy):
    """The earnings are out after the close: the price goes elsewhere within a minute, and stays there."""

    name = "earnings_gap"
    most_alerts = 3
    lasting = True

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.closing_ns + draw.ns("after_s") if tape.closing_ns else None

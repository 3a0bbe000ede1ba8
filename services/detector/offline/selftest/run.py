"""`tapewatch selftest`: plants an anomaly of each running detector into sessions of past trades."""

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console

from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.contracts.trade import Trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.engine import Engine
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.decode import decode_chunk
from services.detector.offline.selftest.report import Result, selftest_table, summary
from services.detector.profiles.profile import Profile, load_profile
from services.detector.selftest.registry import PLANTS
from services.detector.selftest.scene import MINUTE_NS, Scene
from services.detector.selftest.trial import Outcome, Shadow, Trial, attempt
from services.sources.base import Source
from services.sources.files import open_sources
from services.sources.options import FileOptions
from services.sources.synthetic.day import DayConfig, write_day

PRINTS = 64
"""Newest prints of a symbol that make a scene."""

BUSIEST = 4
"""Symbols of a moment that anomalies are planted into: those with the most prints so far."""

AFTER_OPEN_MINUTES, BEFORE_CLOSE_MINUTES = (-15, 60, 150), (90, 30)
EVERY_NS = 4 * 60 * MINUTE_NS
"""Moments of a day: so long after its opening, and before its close; every four hours without auctions."""

GENERATED_TRADES = 60_000

NOT_PLANTED = "there were too few trades"
NO_PLANT = "no anomaly of it is planted: services/detector/selftest/registry.py has none"


def run_selftest(sources: Sequence[Source], profile_name: str | None) -> int:
    """Plant anomalies at some moments of past days, and show for each detector whether it fired.

    Parameters
    ----------
    sources
        Where the trades come from, in the order of their times; empty for a generated day.
    profile_name
        Name of a built-in profile, or a file; None for the default.

    Returns
    -------
    int
        Exit code: 1 if a detector fired for no symbol at any moment that gave an occasion.

    Raises
    ------
    TapewatchError
        There are no trades, or the profile is invalid.
    """
    profile = load_profile(profile_name)
    if sources:
        results = try_all(sources, profile)
    else:
        with _generated_day() as generated:
            results = try_all(generated, profile)
    console = Console(highlight=False)
    console.print(selftest_table(results))
    console.print(summary(results, profile, is_generated=not sources))
    return int(any(result.trial.outcome.is_failure for result in results))


def try_all(sources: Sequence[Source], profile: Profile) -> list[Result]:
    """Return what became of the anomaly of each running detector, in the registry's order.

    Raises
    ------
    TapewatchError
        There are no trades.
    """
    trials = _Trials(profile)
    with progress_bar(Console(stderr=True)) as bar:
        for source in sources:
            task = bar.add_task(source.name, total=source.size)
            for chunk in source.chunks():
                decoded = decode_chunk(source, chunk, trials.engine.time_zone)
                trials.add(decoded.trades, decoded.columns.event_ns)
                bar.update(task, completed=chunk.position, description=f"{source.name}: {trials.told}")
    if not trials.has_trades:
        raise TapewatchError("There are no trades to plant anomalies into.", "Give a file that has some.")
    trials.plant()
    return [*trials.results.values()]


class _Trials:
    """Judges the trades of days, and plants at each moment what has not fired so far.

    Parameters
    ----------
    profile
        The profile.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.engine = Engine(profile)
        self._calendar = ExchangeCalendar(profile.exchange)
        self._recent: dict[str, deque[Trade]] = {}
        self._counts: dict[str, int] = {}
        self._moments: list[int] = []
        self._day = ""
        self.results = {
            name: Result(Trial(name, Outcome.WAITING, note=NOT_PLANTED if name in PLANTS else NO_PLANT))
            for name in profile.detectors.running
        }

    @property
    def has_trades(self) -> bool:
        """Whether there was any trade."""
        return bool(self._recent)

    @property
    def told(self) -> str:
        """How many detectors have fired, for people."""
        fired = sum(result.trial.outcome is Outcome.FIRED for result in self.results.values())
        return f"{fired} of {len(self.results)} fired"

    def add(self, trades: list[Trade], event_ns: np.ndarray) -> None:
        """Judge trades, and plant anomalies at the moments that they pass."""
        first = 0
        while first < len(trades):
            self._turn_day(trades[first].timestamp)
            moment = next((at for at in self._moments if at > int(event_ns[first])), None)
            if moment is not None:
                self._moments = [at for at in self._moments if at >= moment]
            stop = len(trades)
            if moment is not None and (passed := np.flatnonzero(event_ns[first:] >= moment)).size:
                stop = first + int(passed[0])
            self._judge(trades[first:stop])
            if stop < len(trades):
                self.plant()
            first = stop

    def _turn_day(self, timestamp: str) -> None:
        """Make a day's moments when its first trade comes."""
        day = timestamp[:10]
        if day == self._day:
            return
        self._day = day
        opening_ns, closing_ns = self._calendar.auction_times(day)
        midnight_ns = int(np.datetime64(day, "ns").astype(np.int64))
        self._moments = [midnight_ns + EVERY_NS * number for number in range(1, 6)]
        if opening_ns:
            self._moments = [opening_ns + minutes * MINUTE_NS for minutes in AFTER_OPEN_MINUTES]
            self._moments += [closing_ns - minutes * MINUTE_NS for minutes in BEFORE_CLOSE_MINUTES]

    def _judge(self, trades: list[Trade]) -> None:
        self.engine.detect(trades)
        for trade in trades:
            self._recent.setdefault(trade.symbol, deque(maxlen=PRINTS)).append(trade)
            self._counts[trade.symbol] = self._counts.get(trade.symbol, 0) + 1

    def plant(self) -> None:
        """Plant what has not fired yet, into the busiest symbols."""
        for symbol in sorted(self._counts, key=self._counts.__getitem__, reverse=True)[:BUSIEST]:
            missing = [
                name
                for name in self._profile.for_symbol(symbol).running
                if name in PLANTS
                and name in self.results
                and self.results[name].trial.outcome is not Outcome.FIRED
            ]
            recent = tuple(self._recent[symbol])
            if not missing or not any(trade.price_eligible for trade in recent):
                continue
            shadow = self._shadow(symbol, recent)
            for name in missing:
                self.results[name].take(attempt(PLANTS[name], shadow), symbol, shadow.scene.now_ns)

    def _shadow(self, symbol: str, recent: tuple[Trade, ...]) -> Shadow:
        zone = self.engine.time_zone
        scene = Scene(SessionKey(symbol, ""), recent, 0, 0, zone)
        day = scene.day
        key = SessionKey(symbol, day if self._profile.sessions == "daily" else "")
        scene = Scene(key, recent, *self._calendar.auction_times(day), zone)
        return Shadow(self._profile, scene, self.engine.save(key) if self.engine.checkpointable else None)


@contextmanager
def _generated_day() -> Iterator[Sequence[Source]]:
    """Yield a generated day without anomalies."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated-day.csv"
        config = DayConfig(trades=GENERATED_TRADES, symbols=BUSIEST, anomaly_rate=0.0)
        write_day(config, path, path.with_name("labels.csv"))
        yield open_sources([str(path)], FileOptions(None, None, None))

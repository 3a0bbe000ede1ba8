"""A detector on a generated day with a clock of its own: the real partitions, selftest and watchdog.

The messages of a step of time come into the partitions, are judged, and shown to selftest and watchdog, as
the service does it; a broker is not needed. The wall clock shows the tape's time unless a setup shifts it.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np

from services.common.kafka.records import Record
from services.contracts.trade import Trade, decode_trade
from services.detector.engine.columns import nanoseconds
from services.detector.live.partition import Detected, WatchedPartition
from services.detector.live.recovery import recover
from services.detector.live.selftest.rounds import LiveSelftest
from services.detector.live.watchdog import LiveWatchdog
from services.detector.profiles.profile import Profile, load_profile
from services.sources.files import open_sources
from services.sources.options import FileOptions
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import kafka_record

PERIOD_S = 300.0
IN_TIME_S = 3 * PERIOD_S
"""What is wrong is red after three rounds at the latest."""

CHECKPOINT_TRADES = 5_000
DAY = "2026-03-02"


@dataclass(frozen=True)
class Setup:
    """What a run is like; what differs from it is either a mutant or has to be harmless."""

    profile: Profile = field(default_factory=load_profile)
    meant: Profile | None = None
    """The profile that is meant to run, if that was told."""
    start: str = "15:20:00"
    """When the clock begins, UTC; what came before was judged already."""
    minutes: float = IN_TIME_S / 60
    step_s: float = 10.0
    partitions: int = 2
    symbols: int = 2
    """Symbols of a round."""
    keep: Callable[[Trade, int], bool] = lambda _trade, _number: True
    """Which trades of the day there are, by their place in it."""
    change: Callable[[list[Trade]], list[Trade]] = lambda trades: trades
    """What the tape is instead, from the start on."""
    unread: int | None = None
    """A partition that nobody reads from the start on."""
    breaks_s: float = 0.0
    """When the tape breaks, in seconds from the start on; a run goes on for so much longer."""
    restarts: int = 0
    """How often the process dies and comes back, evenly over the time."""
    wall_ahead_s: float = 0.0
    """How far the wall clock is ahead of the tape."""


@dataclass(frozen=True)
class Red:
    """That something is wrong was noticed."""

    after_s: float
    check: str
    reason: str


@dataclass
class Run:
    """What a run brought."""

    red: Red | None = None
    fired: set[str] = field(default_factory=set)
    """Detectors of which a planted anomaly fired."""
    published: list[Detected] = field(default_factory=list)


def run(
    setup: Setup,
    patch: Callable[[], AbstractContextManager[object]] = nullcontext,
    has_selftest: bool = True,
    awaited: str = "",
) -> Run:
    """Run a detector for some minutes, with a patch of its code from the start on, until something is red.

    With `awaited`, it is this check that has to be red.
    """
    start_ns = int(nanoseconds([f"{DAY}T{setup.start}Z"])[0])
    before, after = _split([t for n, t in enumerate(day()) if setup.keep(t, n)], start_ns)
    broker = _Broker(setup)
    for trade in before:
        broker.append(trade)
    result = Run()
    detector = _Detector(setup, broker, start_ns / 1e9, has_selftest)
    detector.read(result, None)
    steps = int((setup.breaks_s + setup.minutes * 60) / setup.step_s)
    restarts = {steps * (number + 1) // (setup.restarts + 1) for number in range(setup.restarts)}
    coming = _by_step(setup.change(after), start_ns, setup.step_s, steps)
    with patch():
        for step, trades in enumerate(coming):
            detector.now_s = start_ns / 1e9 + (step + 1) * setup.step_s
            if step in restarts:
                detector = _Detector(setup, broker, detector.now_s, has_selftest)
            for trade in trades:
                broker.append(trade)
            detector.read(result, setup.unread)
            if red := detector.red(start_ns / 1e9 + setup.breaks_s, awaited):
                result.red = red
                break
    if detector.selftest:
        board = detector.selftest.board
        result.fired = {name for name in setup.profile.detectors.running if board.fired(name)}
    return result


class _Broker:
    """The messages of each partition, and the checkpoints with the committed offset."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.messages: list[list[Record]] = [[] for _ in range(setup.partitions)]
        self.checkpoints: list[dict[bytes, bytes]] = [{} for _ in range(setup.partitions)]
        self.committed = [0] * setup.partitions

    def append(self, trade: Trade) -> None:
        number = crc32(trade.symbol.encode()) % self.setup.partitions
        own = self.messages[number]
        value = msgspec.json.encode(trade)
        own.append(kafka_record("trades", number, len(own), key=trade.symbol.encode(), value=value))

    def offsets(self) -> tuple[dict[int, int], dict[int, int]]:
        ends = {number: len(own) for number, own in enumerate(self.messages)}
        return dict(enumerate(self.committed)), ends


class _Detector:
    """What the service does with messages, for all partitions."""

    def __init__(self, setup: Setup, broker: _Broker, now_s: float, has_selftest: bool) -> None:
        self.setup = setup
        self.broker = broker
        self.now_s = now_s
        meant = setup.meant.hash if setup.meant else None

        def clock() -> float:
            return self.now_s + setup.wall_ahead_s

        self.selftest = (
            LiveSelftest(setup.profile, meant, PERIOD_S, setup.symbols, clock) if has_selftest else None
        )
        self.watchdog = LiveWatchdog(setup.profile.exchange, broker.offsets, clock)
        self.partitions = {
            number: WatchedPartition(
                recover(stored, number, broker.committed[number], 0, setup.profile),
                setup.profile.hash,
                CHECKPOINT_TRADES,
            )
            for number, stored in enumerate(broker.checkpoints)
        }
        self.silent: list[str] = []

    def read(self, result: Run, unread: int | None) -> None:
        """Read what is new in the broker, but for a partition, and look after it."""
        for number, partition in self.partitions.items():
            messages = self.broker.messages[number][partition.position :]
            if not messages or number == unread:
                continue
            found = partition.detect(messages)
            if self.selftest:
                self.selftest.observe(number, partition, messages)
            self.watchdog.observe(found.judged)
            result.published.append(found)
            for key, value in partition.checkpoints():
                if value is None:
                    self.broker.checkpoints[number].pop(key, None)
                else:
                    self.broker.checkpoints[number][key] = value
            self.broker.committed[number] = partition.position
        for _ in range(3):
            if self.selftest:
                self.selftest.turn(self.partitions)
        self.silent += [event.reason or "" for event in self.watchdog.look(True)]

    def red(self, start_s: float, awaited: str) -> Red | None:
        """Return what is wrong, since the start: the awaited check if one is, else the first."""
        problems = self.selftest.problems() if self.selftest else {}
        if self.watchdog.stalled:
            problems["partitions"] = f"nobody works off {self.watchdog.stalled}"
        if self.silent:
            problems["prints"] = self.silent[0]
        check = awaited or next(iter(problems), "")
        return Red(self.now_s - start_s, check, problems[check]) if check in problems else None


@lru_cache(maxsize=1)
def day() -> list[Trade]:
    """Return a generated day of four stocks, as decoded messages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.csv"
        write_day(DayConfig(trades=50_000, symbols=4, anomaly_rate=0.0), path, path.with_name("labels.csv"))
        (source,) = open_sources([str(path)], FileOptions(None, None, None))
        return [decode_trade(value) for chunk in source.chunks() for value in source.to_json(chunk.trades)]


def _split(trades: Sequence[Trade], start_ns: int) -> tuple[list[Trade], list[Trade]]:
    stamps = nanoseconds([trade.timestamp for trade in trades]).tolist()
    before = [trade for trade, at in zip(trades, stamps, strict=True) if at < start_ns]
    return before, list(trades[len(before) :])


def _by_step(trades: list[Trade], start_ns: int, step_s: float, steps: int) -> Iterator[list[Trade]]:
    """Yield the trades that come in each step of time, by the tape's order."""
    stamps = nanoseconds([trade.timestamp for trade in trades]) if trades else np.zeros(0, np.int64)
    # One whose stamp is ahead comes before those after it all the same.
    stamps = np.minimum.accumulate(stamps[::-1])[::-1]
    place = 0
    for step in range(steps):
        end_ns = start_ns + int((step + 1) * step_s * 1e9)
        first = place
        while place < len(trades) and stamps[place] < end_ns:
            place += 1
        yield trades[first:place]

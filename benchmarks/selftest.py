"""What the live selftest and the watchdog take of a detector's time.

A market of 500 symbols comes as fast as 50,000 trades a second, by a clock of its own, with the default
settings; all else is the detector's code. What a round takes is set against its period.
"""

import time
from itertools import count

import msgspec
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from benchmarks.detector import SYMBOLS, dealt
from benchmarks.rows import Row
from benchmarks.surroundings import generated_day
from services.contracts.trade import Trade, decode_trade
from services.detector.engine.columns import nanoseconds
from services.detector.live.partition import WatchedPartition
from services.detector.live.recovery import recover
from services.detector.live.selftest.rounds import LiveSelftest
from services.detector.live.settings import DetectorSettings
from services.detector.live.watchdog import LiveWatchdog
from services.detector.profiles.profile import load_profile
from services.sources.files import open_sources
from services.sources.options import FileOptions
from services.sources.synthetic.day import DayConfig

TRADES_PER_S = 50_000
BATCH = 5_000
"""Trades of a read: those of a tenth of a second."""

READS = 20
"""Half of them before the round begins, and half while it goes on."""


def measure() -> list[Row]:
    """Measure the shares of the detector's time that selftest and watchdog take."""
    profile = load_profile()
    settings = DetectorSettings()
    trades = _trades()
    start_s = int(nanoseconds([trades[-1].timestamp])[0]) / 1e9
    now = [start_s]
    partition = WatchedPartition(recover({}, 0, 0, 0, profile), profile.hash, settings.checkpoint_trades)
    period_s = settings.selftest_minutes * 60
    selftest = LiveSelftest(profile, None, period_s, settings.selftest_symbols, lambda: now[0])
    watchdog = LiveWatchdog(profile.exchange, lambda: ({}, {}), lambda: now[0])
    offsets = count()
    judged_s = read_s = round_s = 0.0
    for read in range(READS):
        batch = trades[read * BATCH :][:BATCH]
        messages = [_message(next(offsets), trade) for trade in batch]
        # The first half comes before the round begins, the second while it goes on.
        now[0] = start_s + period_s * (read >= READS // 2) + read * BATCH / TRADES_PER_S
        began_s = time.process_time()
        found = partition.detect(messages)  # type: ignore[arg-type] # these are records
        judged_s += time.process_time() - began_s
        began_s = time.process_time()
        selftest.observe(0, partition, messages)  # type: ignore[arg-type]
        watchdog.observe(found.judged)
        watchdog.look(True)
        selftest.turn({0: partition})
        took_s = time.process_time() - began_s
        if read < READS // 2:
            read_s += took_s
        else:
            round_s += took_s
    now[0] += period_s / 2  # so that what trades too little for a whole scene is taken as it is
    began_s = time.process_time()
    while selftest.is_in_round:
        selftest.turn({0: partition})
    round_s += time.process_time() - began_s
    return [
        Row(f"selftest: of a read of {BATCH:,} trades", 100 * read_s / (judged_s / 2), "% of processor"),
        Row(
            f"selftest: a round of {settings.selftest_symbols} symbols",
            100 * (round_s - read_s) / period_s,
            f"% of its {settings.selftest_minutes:g} minutes",
        ),
    ]


def _trades() -> list[Trade]:
    """Return a generated day's trades, dealt out to the symbols."""
    path = generated_day(DayConfig(trades=READS * BATCH, symbols=1, anomaly_rate=0.0))
    (source,) = open_sources([str(path)], FileOptions(None, None, None))
    trades = [decode_trade(value) for chunk in source.chunks() for value in source.to_json(chunk.trades)]
    symbols = dealt(len(trades), SYMBOLS).tolist()
    return [
        msgspec.structs.replace(trade, symbol=f"S{symbol}")
        for trade, symbol in zip(trades, symbols, strict=True)
    ]


def _message(offset: int, trade: Trade) -> Message:
    return Message(
        topic="trades",
        partition=0,
        offset=offset,
        key=trade.symbol.encode(),
        value=msgspec.json.encode(trade),
        timestamp=(TIMESTAMP_LOG_APPEND_TIME, 0),
    )

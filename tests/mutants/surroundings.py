"""Mutants of what is around the detector: messages that do not reach it, and clocks that are wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import msgspec

from services.common.kafka.records import Record
from services.contracts.iso_time import iso_ns
from services.contracts.trade import Trade
from services.detector.engine.columns import nanoseconds
from services.detector.live.partition import Detected, WatchedPartition
from tests.mutants.base import Mutant
from tests.mutants.rig import DAY, Setup


def partition_is_not_read(usual: Setup) -> Setup:
    return replace(usual, unread=1)


@contextmanager
def symbol_is_skipped() -> Iterator[None]:
    detect = WatchedPartition.detect

    def without(self: WatchedPartition, messages: list[Record]) -> Detected:
        kept = [message for message in messages if message.key() != b"ACME"]
        found = detect(self, kept) if kept else Detected()
        self.position = messages[-1].offset() + 1
        return found

    with patch.object(WatchedPartition, "detect", without):
        yield


def stops(usual: Setup, is_gone: Callable[[Trade], bool]) -> Setup:
    """Return the setup in which some trades come no more, once what is usual is known."""
    time = f"{DAY}T15:32:00"
    return replace(
        usual,
        breaks_s=720.0,
        change=lambda trades: [t for t in trades if t.timestamp < time or not is_gone(t)],
    )


def symbol_stops(usual: Setup) -> Setup:
    return stops(usual, lambda trade: trade.symbol == "ACME")


def feed_stops(usual: Setup) -> Setup:
    return stops(usual, lambda _: True)


def clock_runs_ahead(usual: Setup) -> Setup:
    """Two stamps that are hours ahead agree, so that the tape's clock believes them."""

    def ahead(trades: list[Trade]) -> list[Trade]:
        by_symbol: dict[str, int] = {}
        changed = []
        for trade in trades:
            seen = by_symbol[trade.symbol] = by_symbol.get(trade.symbol, 0) + 1
            changed.append(trade)
            if seen in (5, 6):
                at_ns = int(nanoseconds([trade.timestamp])[0]) + 3 * 3_600 * 10**9
                changed[-1] = msgspec.structs.replace(
                    trade, timestamp=iso_ns(at_ns), sequence=trade.sequence + 10**9
                )
        return changed

    return replace(usual, change=ahead)


MUTANTS = (
    Mutant("partition_is_not_read", "one partition is not worked off", "partitions", partition_is_not_read),
    Mutant(
        "symbol_is_skipped", "a symbol's messages are read and not judged", "state", patch=symbol_is_skipped
    ),
    Mutant(
        "clock_runs_ahead",
        "two stamps hours ahead are believed, and all after them are late",
        "off_market_price",
        clock_runs_ahead,
    ),
    Mutant("symbol_stops", "one symbol prints no more", "prints", symbol_stops),
    Mutant("feed_stops", "nothing prints any more", "prints", feed_stops),
)

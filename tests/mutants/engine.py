"""Mutants of the engine: it does not judge or learn, or is given something else than the messages have."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np

from services.contracts.anomaly import Severity
from services.contracts.trade import Trade
from services.detector.detectors.base import Flags
from services.detector.detectors.data_quality.stuck_clock import StuckClock
from services.detector.detectors.detector_set import DetectorSet
from services.detector.engine import build_anomaly, engine, growth
from services.detector.engine.batch import SIDE_CODES, Batch
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.growth import Growth
from services.detector.engine.order import REPEAT, PrintOrder, Sorted
from services.detector.live import partition
from services.detector.live.partition import WatchedPartition
from services.detector.selftest import trial
from tests.mutants.base import Mutant

Change = Callable[[TradeColumns], TradeColumns]


@contextmanager
def flags_are_dropped() -> Iterator[None]:
    flag = DetectorSet.flag

    def without(self: DetectorSet, batch: Batch, only_stored: bool = False) -> dict[str, Flags]:
        flags = flag(self, batch, only_stored)
        flags.pop("matched_pairs", None)
        return flags

    with patch.object(DetectorSet, "flag", without):
        yield


@contextmanager
def walk_is_skipped() -> Iterator[None]:
    with patch.object(StuckClock, "walk", lambda *_: None):
        yield


@contextmanager
def state_is_frozen() -> Iterator[None]:
    """The running engine judges, and puts all states back: shadows of it learn."""
    detect = WatchedPartition.detect

    def without_learning(self: WatchedPartition, messages: list[Any]) -> Any:  # noqa: ANN401
        stores = self._engine._stores.values()
        sessions = [*self._engine._sessions._keys]
        saved = [(store, slot, store.save(slot)) for store in stores for slot in sessions]
        found = detect(self, messages)
        for store, slot, state in saved:
            store.restore(slot, state)
        return found

    with patch.object(WatchedPartition, "detect", without_learning):
        yield


@contextmanager
def a_detector_forgets() -> Iterator[None]:
    """The record of one detector starts again with every batch that the running engine judges."""
    detect = WatchedPartition.detect

    def forgets(self: WatchedPartition, messages: list[Any]) -> Any:  # noqa: ANN401
        found = detect(self, messages)
        for detector in self._engine._set.detectors:
            if detector.name == "volume_surge":
                for slot, session in self._engine._sessions._keys.items():
                    detector.open(slot, session)
        return found

    with patch.object(WatchedPartition, "detect", forgets):
        yield


def read_as(change: Change, *modules: Any) -> Callable[[], Any]:
    """Return the patch with which trades are read otherwise in some modules."""

    @contextmanager
    def patched() -> Iterator[None]:
        def changed(trades: list[Trade], time_zone: str) -> TradeColumns:
            return change(to_columns(trades, time_zone))

        patches = [patch.object(module, "to_columns", changed) for module in modules]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()

    return patched


EVERYWHERE = (partition, engine, trial)


def prices_times_100(columns: TradeColumns) -> TradeColumns:
    return replace(columns, price=columns.price * 100)


def sizes_of_one(columns: TradeColumns) -> TradeColumns:
    return replace(columns, size=np.ones(len(columns)))


def no_sides(columns: TradeColumns) -> TradeColumns:
    return replace(columns, side=np.full(len(columns), SIDE_CODES["N"]))


def not_eligible(columns: TradeColumns) -> TradeColumns:
    return replace(columns, eligible=np.zeros(len(columns), np.int64))


def whole_seconds(columns: TradeColumns) -> TradeColumns:
    return replace(columns, event_ns=columns.event_ns // 1_000_000_000 * 1_000_000_000)


@contextmanager
def all_are_repeats() -> Iterator[None]:
    sort = PrintOrder.sort

    def known(self: PrintOrder, *columns: np.ndarray) -> Sorted:
        order = sort(self, *columns)
        return replace(order, kind=np.full(len(order.kind), REPEAT, np.int8))

    with patch.object(PrintOrder, "sort", known):
        yield


@contextmanager
def nothing_is_told() -> Iterator[None]:
    with patch.object(Growth, "combine", lambda *_: []):
        yield


@contextmanager
def all_is_info() -> Iterator[None]:
    build = build_anomaly.build_anomaly

    def lowered(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        return msgspec.structs.replace(build(*given, **named), severity=Severity.INFO)

    with patch.object(growth, "build_anomaly", lowered):
        yield


MUTANTS = (
    Mutant(
        "flags_are_dropped", "what Matched Pairs flags is dropped", "matched_pairs", patch=flags_are_dropped
    ),
    Mutant("walk_is_skipped", "Stuck Clock's walk does not run", "stuck_clock", patch=walk_is_skipped),
    Mutant("state_is_frozen", "the running engine does not learn any more", "state", patch=state_is_frozen),
    Mutant(
        "a_detector_forgets",
        "the running Volume Surge starts again with every batch",
        "state",
        patch=a_detector_forgets,
    ),
    Mutant(
        "prices_scaled_live",
        "the running engine reads prices times 100",
        "state",
        patch=read_as(prices_times_100, partition),
    ),
    Mutant(
        "prices_scaled",
        "prices are read times 100 wherever a trade is read",
        "off_market_price",
        patch=read_as(prices_times_100, *EVERYWHERE),
    ),
    Mutant(
        "sizes_dropped", "every size is read as 1", "unusual_size", patch=read_as(sizes_of_one, *EVERYWHERE)
    ),
    Mutant("sides_dropped", "no trade has a side", "one_sided_flow", patch=read_as(no_sides, *EVERYWHERE)),
    Mutant(
        "not_eligible",
        "no price and no size is eligible",
        "off_market_price",
        patch=read_as(not_eligible, *EVERYWHERE),
    ),
    Mutant(
        "whole_seconds", "times are cut to whole seconds", "burst", patch=read_as(whole_seconds, *EVERYWHERE)
    ),
    Mutant("all_are_repeats", "every print is taken for a repeat", "off_market_price", patch=all_are_repeats),
    Mutant("nothing_is_told", "flags do not become anomalies", "off_market_price", patch=nothing_is_told),
    Mutant("all_is_info", "every anomaly has severity `info`", "off_market_price", patch=all_is_info),
)

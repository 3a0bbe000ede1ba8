"""The tutorials' rules: the `classic` profile's detectors against the plain program that defines them.

Both programs get the same trades of one day. The plain one is timed over the first trades after its first fit
only, as a whole day would take hours; the time of a fit, which it would need after each 1000 trades, is not
counted, which favours it. The detectors are timed over whole thousands of trades in batches of 1000, all fits
included. Where both have scored a trade, their labels are compared, and again over more trades with smaller
forests.
"""

import itertools
import statistics
import time
from typing import Literal

import numpy as np
import polars as pl

from benchmarks.plain_tutorial import PlainTutorial, plain_labels
from benchmarks.rows import Row
from benchmarks.surroundings import note, real_day
from services.contracts.detectors import DETECTORS
from services.detector.detectors.base import Detector
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.price.price_history_forest import (
    PriceHistoryForest,
    PriceHistoryForestParameters,
    seed_of,
)
from services.detector.detectors.price.rapid_price_change import RapidPriceChange
from services.detector.detectors.size.high_volume import HighVolume
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch, SessionKey
from services.sources.synthetic.day import DayConfig, generate_day

Library = Literal["scikit-learn", "coniferest"]

BATCH_TRADES = 1_000
PLAIN_TRADES = 300
"""After the first fit."""

TRADES_OF: dict[Library, int] = {"scikit-learn": 5_000, "coniferest": 20_000}
ASKED: dict[Library, int] = {"scikit-learn": 50, "coniferest": 1_000}

EQUAL_TRADES = 10_000
EQUAL_TREES = 50
"""With 1000 the plain program would take minutes."""

AGREEMENT_TRADES = 20_000
AGREEMENT_TREES = 100
AGREEMENT_SEEDS = 5


def measure() -> list[Row]:
    """Measure the plain program and both libraries' trees on the same trades, then how well they agree."""
    trades, kind = _day()
    note(f"classic: the plain tutorial, {PLAIN_TRADES} trades after the first fit of a {kind} day")
    plain_rate, plain = _plain(trades)
    rows = [Row(f"tutorial rules, plain program, {kind} day", plain_rate, "trades/s")]
    for library in TRADES_OF:
        note(f"classic: {TRADES_OF[library]:,} trades with the trees of {library}")
        rate, found = _classic(trades[: TRADES_OF[library]], library)
        rows.append(
            Row(
                f"tutorial rules, classic, trees of {library}",
                rate,
                "trades/s",
                f"plain program: {plain_rate:,.1f}",
                rate / plain_rate,
                f"{ASKED[library]:,}x",
            )
        )
        if library == "scikit-learn":
            same = sum(found[at] == labels for at, labels in plain.items()) / len(plain)
            rows.append(
                Row("  labels equal to the plain program's", 100 * same, "% of trades", target="100 %")
            )
    note(f"classic: the plain tutorial with {EQUAL_TREES} trees, {EQUAL_TRADES:,} trades")
    same, flagged = _equality(trades[:EQUAL_TRADES])
    rows.append(
        Row(
            f"  labels equal, {EQUAL_TREES} trees, {EQUAL_TRADES:,} trades, {flagged:,} of them flagged",
            100 * same,
            "% of trades",
            target="100 %",
        )
    )
    note("classic: agreement of the forests' flags under other seeds")
    among, between = _agreement(trades[:AGREEMENT_TRADES])
    rows.append(
        Row(
            "  mean F1 of the flags with coniferest's trees against scikit-learn's",
            between,
            "F1",
            f"scikit-learn's under another seed: {among:.3f}",
            between / among,
        )
    )
    return rows


def _day() -> tuple[Batch, str]:
    day = real_day()
    most = max(AGREEMENT_TRADES, *TRADES_OF.values())
    if day is not None:
        frame = pl.read_csv(day, columns=["price", "size"], n_rows=most)
        price = frame["price"].to_numpy()
    else:
        frame, _ = generate_day(DayConfig(trades=most, symbols=1))
        price = frame["price"].to_numpy() / 1e9
    count = len(frame)
    # The rules look at prices and sizes only.
    batch = Batch(
        slot=np.zeros(count, np.int64),
        event_ns=np.arange(count),
        price=price,
        size=frame["size"].to_numpy().astype(np.float64),
        side=np.full(count, SIDE_CODES["N"]),
        eligible=np.full(count, FULLY_ELIGIBLE),
    )
    return batch, "generated" if day is None else "real"


def _session(seed: str = "") -> SessionKey:
    return SessionKey(f"CLASSIC{seed}", "")


def _plain(trades: Batch) -> tuple[float, dict[int, list[str]]]:
    """Return trades a second after the first fit, and the labels by place."""
    tutorial = PlainTutorial(lambda count: seed_of(_session(), count))
    until = PlainTutorial.REFIT_TRADES + PLAIN_TRADES
    labels = {}
    began_s = 0.0
    for at, (price, size) in enumerate(
        zip(trades.price[:until].tolist(), trades.size[:until].tolist(), strict=True)
    ):
        if at == PlainTutorial.REFIT_TRADES:
            began_s = time.perf_counter()
        labels[at] = tutorial.labels_of(price, size)
    return PLAIN_TRADES / (time.perf_counter() - began_s), labels


def _classic(trades: Batch, library: Library) -> tuple[float, list[list[str]]]:
    """Return trades a second, fits included, and the labels of each trade."""
    parameters = PriceHistoryForestParameters(trees_from=library)
    few = PriceHistoryForestParameters(trees_from=library, trees=1, refit_trades=10)
    _labels(trades[:20], few)  # compiles
    began_s = time.perf_counter()
    labels = _labels(trades, parameters)
    return len(trades) / (time.perf_counter() - began_s), labels


def _labels(trades: Batch, forest: PriceHistoryForestParameters) -> list[list[str]]:
    """Return the labels of each trade."""
    detectors: list[Detector] = [
        kind(_context(forest)) for kind in (HighVolume, RapidPriceChange, PriceHistoryForest)
    ]
    labels: list[list[str]] = [[] for _ in range(len(trades))]
    for detector in detectors:
        detector.open(0, _session())
    for start in range(0, len(trades), BATCH_TRADES):
        batch = trades[start : start + BATCH_TRADES]
        for detector in detectors:
            for at in detector.flag(batch).at.tolist():
                labels[start + at].append(DETECTORS[detector.name].label)
    return labels


def _equality(trades: Batch) -> tuple[float, int]:
    """Return the share of trades with the plain program's labels, and how many trades it flags."""
    plain = plain_labels(
        trades.price.tolist(), trades.size.tolist(), lambda count: seed_of(_session(), count), EQUAL_TREES
    )
    found = _labels(trades, PriceHistoryForestParameters(trees_from="scikit-learn", trees=EQUAL_TREES))
    same = sum(one == other for one, other in zip(plain, found, strict=True))
    return same / len(plain), sum(map(bool, plain))


def _agreement(trades: Batch) -> tuple[float, float]:
    """Return the mean F1 of flags among scikit-learn's forests, and between them and coniferest's."""

    def flagged(library: Library) -> list[set[int]]:
        parameters = PriceHistoryForestParameters(trees_from=library, trees=AGREEMENT_TREES)
        found = []
        for seed in range(AGREEMENT_SEEDS):
            forest = PriceHistoryForest(_context(parameters))
            forest.open(0, _session(str(seed)))
            found.append(set(forest.flag(trades).at.tolist()))
        return found

    reference, other = flagged("scikit-learn"), flagged("coniferest")
    among = statistics.mean(_f1(one, two) for one, two in itertools.combinations(reference, 2))
    between = statistics.mean(_f1(one, two) for one, two in itertools.product(reference, other))
    return among, between


def _context(forest: PriceHistoryForestParameters) -> DetectorContext:
    return DetectorContext(lambda _symbol: {PriceHistoryForest.name: forest}, lambda _day: (0, 0))


def _f1(one: set[int], two: set[int]) -> float:
    return 2 * len(one & two) / (len(one) + len(two)) if one or two else 1.0

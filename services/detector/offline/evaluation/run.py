"""`tapewatch evaluate`: injects anomalies into real days and reports which ones the detector finds."""

import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.engine.columns import trading_days
from services.detector.offline.evaluation.detection import Finding, alert_scores, detect_in_frame
from services.detector.offline.evaluation.injection import EVENTS_PER_TRADE, inject
from services.detector.offline.evaluation.metrics import BUDGETS, NATURAL, Judged, figures, flagged_per_1000
from services.detector.offline.evaluation.report import Evaluation, print_evaluation, write_evaluation
from services.detector.offline.evaluation.reshape import STOCK_KINDS, StockKind
from services.detector.profiles.profile import Profile, load_profile
from services.sources.base import Source
from services.sources.columns import COLUMNS, PRICE_SCALE


def run_evaluate(
    sources: Sequence[Source],
    profile_path: str | Path | None,
    seed: int,
    runs: int,
    reshape: bool,
    output: Path | None,
) -> int:
    """Evaluate a profile on past days with injected anomalies; the report is printed to stdout.

    Parameters
    ----------
    sources
        The days; each is evaluated separately, whatever it contains.
    profile_path
        A profile's file, or the name of a built-in profile; None for the default.
    seed
        Seed of the anomalies. The same seed, days and profile give the same figures.
    runs
        Number of runs per day, each with different anomalies.
    reshape
        Whether to evaluate three other kinds of stock, made from the same days, as well.
    output
        JSON file for the figures of every day and run and the result for every anomaly.

    Raises
    ------
    TapewatchError
        If a source has no trades, the profile is invalid, or the output cannot be written.
    """
    profile = load_profile(profile_path)
    stocks = STOCK_KINDS if reshape else STOCK_KINDS[:1]
    days: list[dict[str, Any]] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        detections = sum(stock.days_per_run * (runs + 1) for stock in stocks)
        task = bar.add_task("", total=len(sources) * detections)
        for source in sources:
            chunks = [chunk.trades.select(*COLUMNS) for chunk in source.chunks()]
            if any(chunk.schema != pl.Schema(COLUMNS) for chunk in chunks):
                raise TapewatchError(
                    f"{source.name} has sizes or prices with more decimals than anomalies are injected with.",
                    "Evaluate days of whole sizes and prices of nine decimals at most, as those of stocks.",
                )
            trades = pl.concat([pl.DataFrame(schema=COLUMNS), *chunks]).drop("trade_id")
            if trades.is_empty():
                raise TapewatchError(f"{source.name} has no trades.", "Remove it from the arguments.")
            for stock in stocks:
                bar.update(task, description=f"{source.name}, {stock.name}")
                for day in evaluate_day(trades, stock, profile, seed, runs):
                    days.append({"file": source.name, **day})
                    bar.advance(task)
    evaluation = Evaluation(profile.name, profile.hash, seed, runs, EVENTS_PER_TRADE, days)
    print_evaluation(evaluation, Console())
    if output is not None:
        write_evaluation(evaluation, output)
    return 0


def evaluate_day(
    trades: pl.DataFrame, stock: StockKind, profile: Profile, seed: int, runs: int
) -> Iterator[dict[str, Any]]:
    """Evaluate a profile on one day.

    Parameters
    ----------
    trades
        The day's trades as the sources yield them.
    stock
        Kind of stock to transform the day into.
    profile
        The profile.
    seed, runs
        As in `run_evaluate`.

    Yields
    ------
    dict
        For each day without and with anomalies: `stock`, `run` (0 without anomalies), `day_of_run`, `trades`,
        `figures`, and `events` as `describe_events` returns them (empty without anomalies).
    """
    # Seeds depend on a file's content, so that its name and other files do not change its figures.
    content = [int(trades["ts_event"][0]), len(trades), zlib.crc32(stock.name.encode())]
    for day_of_run in range(stock.days_per_run):
        natural = stock.reshape(trades, [seed, day_of_run, *content])
        about = {"stock": stock.name, "day_of_run": day_of_run}
        clean = flagged_per_1000(alert_scores(detect_in_frame(natural, profile)))
        yield {
            **about,
            "run": 0,
            "trades": len(natural),
            "figures": {"flagged_per_1000": clean},
            "events": [],
        }
        for run in range(1, runs + 1):
            injected = inject(natural, [seed, run, day_of_run, *content])
            findings = detect_in_frame(injected.trades, profile)
            judged = judge(alert_scores(findings), injected.labels)
            yield {
                **about,
                "run": run,
                "trades": len(injected.trades),
                "figures": figures(judged),
                "events": describe_events(injected.trades, injected.labels, findings, judged, profile),
            }


def judge(score: np.ndarray, labels: pl.DataFrame) -> Judged:
    """Combine scores, shape (trades,), with the labels of `injection.Injected`."""
    event = np.full(len(score), NATURAL)
    event[labels["row"].to_numpy()] = labels["event"].to_numpy()
    kinds = labels.unique("event").sort("event")["kind"]
    return Judged(score, event, kinds.to_numpy().astype(str))


def describe_events(
    trades: pl.DataFrame,
    labels: pl.DataFrame,
    findings: Sequence[Finding | None],
    judged: Judged,
    profile: Profile,
) -> list[dict[str, Any]]:
    """Describe the result for each anomaly, by its trade with the highest score (the first if all missed).

    Returns
    -------
    list
        `kind`, `symbol`, `ts_event` (ns), `regular_hours`, `price`, `expected_price` (dollars), `size`,
        `expected_size` (shares), `score` (0 if missed), `in_0.1_percent` (whether in the top 0.1 %),
        `label` and `top_contribution` (of the detection; empty if missed).
    """
    scored = labels.with_columns(score=pl.Series(judged.score)[labels["row"]])
    best = scored.sort("event", -pl.col("score"), "row").unique("event", keep="first", maintain_order=True)
    at = trades[best["row"]]
    is_regular = _in_regular_hours(at["ts_event"].to_numpy(), profile)
    within = judged.events_within(BUDGETS["recall_in_0.1_percent"])
    events = []
    for number, (label, trade) in enumerate(
        zip(best.iter_rows(named=True), at.iter_rows(named=True), strict=True)
    ):
        found = findings[label["row"]] if label["score"] > 0 else None
        events.append(
            {
                "kind": label["kind"],
                "symbol": trade["symbol"],
                "ts_event": trade["ts_event"],
                "regular_hours": bool(is_regular[number]),
                "price": trade["price"] / PRICE_SCALE,
                "expected_price": label["expected_price_nanos"] / PRICE_SCALE,
                "size": trade["size"],
                "expected_size": label["expected_size_shares"],
                "score": label["score"],
                "in_0.1_percent": bool(within[number]),
                "label": found.label if found else "",
                "top_contribution": found.top_contribution if found else "",
            }
        )
    return events


def _in_regular_hours(ts_event_ns: np.ndarray, profile: Profile) -> np.ndarray:
    calendar = ExchangeCalendar(profile.exchange)
    is_regular = np.zeros(len(ts_event_ns), np.bool_)
    days = trading_days(ts_event_ns, calendar.time_zone)
    for day in np.unique(days):
        opening_ns, closing_ns = calendar.auction_times(str(np.datetime64(int(day), "D")))
        is_regular |= (days == day) & (ts_event_ns >= opening_ns) & (ts_event_ns < closing_ns)
    return is_regular

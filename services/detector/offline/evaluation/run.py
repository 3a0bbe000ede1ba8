"""`tapewatch evaluate`: injects anomalies into real days and reports which ones the detector finds."""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.engine.columns import trading_days
from services.detector.offline.evaluation.detection import (
    Finding,
    alert_scores,
    credit_stretches,
    detect_in_frame,
)
from services.detector.offline.evaluation.injection import EVENTS_PER_TRADE, Injected, inject
from services.detector.offline.evaluation.metrics import BUDGETS, NATURAL, Judged, figures, flagged_per_1000
from services.detector.offline.evaluation.mixed import inject_mixed
from services.detector.offline.evaluation.report import (
    Evaluation,
    print_beside,
    print_evaluation,
    write_evaluation,
)
from services.detector.offline.evaluation.reshape import STOCK_KINDS, StockKind
from services.detector.offline.evaluation.scenario_day import ScenarioDay, style_of
from services.detector.offline.evaluation.scenarios.merge import tapes_of
from services.detector.offline.evaluation.scenarios.styles import style_named
from services.detector.offline.evaluation.selection import CLASSIC, Selection, select
from services.detector.profiles.profile import Profile, load_profile
from services.sources.base import Source
from services.sources.columns import COLUMNS, PRICE_SCALE

Injector = Callable[[pl.DataFrame, Sequence[int], int], Injected]


def run_evaluate(
    sources: Sequence[Source],
    profile_path: str | Path | None,
    seed: int,
    runs: int,
    reshape: bool,
    output: Path | None,
    kinds: str = CLASSIC,
    style: str | None = None,
    beside: str | Path | None = None,
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
    kinds
        What is injected, as `selection.select` reads it.
    style
        The style of the second injector's events; None for each in turn over days and runs.
    beside
        Another profile, which is evaluated on the same anomalies and shown beside it; None for none.

    Raises
    ------
    TapewatchError
        If a source has no trades, the profile is invalid, a kind or the style is unknown, or the output
        cannot be written.
    """
    selection = select(kinds)
    if style is not None:
        style_named(style)
    profile = load_profile(profile_path)
    other = None if beside is None else load_profile(beside)
    evaluation = _evaluated(sources, profile, selection, seed, runs, reshape, kinds, style)
    second = (
        None if other is None else _evaluated(sources, other, selection, seed, runs, reshape, kinds, style)
    )
    print_evaluation(evaluation, Console())
    if second is not None:
        print_beside(evaluation, second, Console())
    if output is not None:
        write_evaluation(evaluation, output, second)
    return 0


def _evaluated(
    sources: Sequence[Source],
    profile: Profile,
    selection: Selection,
    seed: int,
    runs: int,
    reshape: bool,
    kinds: str,
    style: str | None,
) -> Evaluation:
    """Evaluate one profile; arguments and errors as of `run_evaluate`."""
    auctions = auctions_of(profile)
    stocks = (STOCK_KINDS if reshape else STOCK_KINDS[:1]) if selection.ranked else ()
    days: list[dict[str, Any]] = []
    scenario_days: list[dict[str, Any]] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        detections = sum(stock.days_per_run * (runs + 1) for stock in stocks)
        task = bar.add_task("", total=len(sources) * detections)
        for source in sources:
            chunks = [_columns(chunk.trades) for chunk in source.chunks()]
            if any(chunk.select(*COLUMNS).schema != pl.Schema(COLUMNS) for chunk in chunks):
                raise TapewatchError(
                    f"{source.name} has sizes or prices with more decimals than anomalies are injected with.",
                    "Evaluate days of whole sizes and prices of nine decimals at most, as those of stocks.",
                )
            trades = (pl.concat(chunks) if chunks else pl.DataFrame(schema=COLUMNS)).drop("trade_id")
            if trades.is_empty():
                raise TapewatchError(f"{source.name} has no trades.", "Remove it from the arguments.")
            plain = trades.drop("ts_recv", strict=False)
            for stock in stocks:
                bar.update(task, description=f"{source.name}, {stock.name}")
                injector = mixed_injector(auctions, style) if selection.ranked == "mixed" else inject_classic
                for day in evaluate_day(plain, stock, profile, seed, runs, injector):
                    days.append({"file": source.name, **day})
                    bar.advance(task)
            for run in range(1, runs + 1) if selection.scenarios else ():
                bar.update(task, description=f"{source.name}, run {run}")
                of_run = style_of(trades, run, style)
                content = [seed, run, *_content(trades)]
                day_run = ScenarioDay(trades, auctions, of_run, content, selection.scenarios)
                bar.update(task, total=(bar.tasks[task].total or 0) + day_run.detections)
                for result in day_run.evaluate(profile):
                    if result:
                        scenario_days.append({"file": source.name, "run": run, **result})
                    else:
                        bar.advance(task)
    return Evaluation(profile.name, profile.hash, seed, runs, EVENTS_PER_TRADE, days, kinds, scenario_days)


def auctions_of(profile: Profile) -> Callable[[int], tuple[int, int]]:
    """Return the function from a time in ns since 1970 to that day's auctions on the profile's exchange."""
    calendar = ExchangeCalendar(profile.exchange)

    def auctions(ts_ns: int) -> tuple[int, int]:
        day = int(trading_days(np.array([ts_ns]), calendar.time_zone)[0])
        return calendar.auction_times(str(np.datetime64(day, "D")))

    return auctions


def inject_classic(natural: pl.DataFrame, seed: Sequence[int], run: int) -> Injected:  # noqa: ARG001
    """Inject the six kinds with the first injector."""
    return inject(natural, seed)


def mixed_injector(auctions: Callable[[int], tuple[int, int]], style: str | None) -> Injector:
    """Return the injector of the six kinds with bursts of a style; None for each in turn."""

    def injector(natural: pl.DataFrame, seed: Sequence[int], run: int) -> Injected:
        of_run = style_of(natural, run, style, at_natural_price=True)
        return inject_mixed(natural, tapes_of(natural, auctions), seed, of_run)

    return injector


def _columns(trades: pl.DataFrame) -> pl.DataFrame:
    return trades.select(*COLUMNS, *(name for name in ("ts_recv",) if name in trades.columns))


def _content(trades: pl.DataFrame) -> list[int]:
    """Seeds depend on a file's content, so that its name and other files do not change its figures."""
    return [int(trades["ts_event"][0]), len(trades)]


def evaluate_day(
    trades: pl.DataFrame,
    stock: StockKind,
    profile: Profile,
    seed: int,
    runs: int,
    injector: Injector = inject_classic,
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
    injector
        Function from the natural day, a seed and the number of the run to the day with anomalies.

    Yields
    ------
    dict
        For each day without and with anomalies: `stock`, `run` (0 without anomalies), `day_of_run`, `trades`,
        `figures`, and `events` as `describe_events` returns them (empty without anomalies).
    """
    content = [*_content(trades), zlib.crc32(stock.name.encode())]
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
            injected = injector(natural, [seed, run, day_of_run, *content], run)
            event_of = dict(zip(injected.labels["row"], injected.labels["event"], strict=True))
            findings = credit_stretches(detect_in_frame(injected.trades, profile), event_of)
            judged = judge(alert_scores(findings), injected.labels)
            events = describe_events(injected.trades, injected.labels, findings, judged, profile)
            yield {
                **about,
                "run": run,
                "trades": len(injected.trades),
                "figures": {
                    **figures(judged),
                    "bursts_flagged_before_opening": _bursts_flagged_before_opening(events),
                },
                "events": events,
            }


def _bursts_flagged_before_opening(events: Sequence[dict[str, Any]]) -> float:
    found = [event["score"] > 0 for event in events if event["kind"] == "burst" and event["hours"] == "pre"]
    return float(np.mean(found)) if found else np.nan


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
        `kind`, `symbol`, `ts_event` (ns), `hours` (`pre`, `regular` or `after`), `regular_hours`, `price`,
        `expected_price` (dollars), `size`, `expected_size` (shares), `score` (0 if missed),
        `in_0.1_percent` (whether in the top 0.1 %), `label` and `top_contribution` (of the detection; empty
        if missed).
    """
    scored = labels.with_columns(score=pl.Series(judged.score)[labels["row"]])
    best = scored.sort("event", -pl.col("score"), "row").unique("event", keep="first", maintain_order=True)
    at = trades[best["row"]]
    hours = _hours(at["ts_event"].to_numpy(), profile)
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
                "hours": hours[number],
                "regular_hours": hours[number] == "regular",
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


def _hours(ts_event_ns: np.ndarray, profile: Profile) -> list[str]:
    """Tell whether each time is before the opening, in regular hours, or after the close."""
    auctions = auctions_of(profile)
    hours = []
    for ts in ts_event_ns.tolist():
        opening_ns, closing_ns = auctions(ts)
        hours.append("pre" if ts < opening_ns else "regular" if ts < closing_ns else "after")
    return hours

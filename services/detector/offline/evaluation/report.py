"""The report of an evaluation: tables for the terminal, and JSON for other programs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from services.common.process.atomic_file import replaced_when_done
from services.detector.offline.evaluation.reshape import STOCK_KINDS
from services.sources.synthetic.kinds import KINDS

Days = list[dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A figure and its limits.

    Parameters
    ----------
    name
        Name, as in `metrics.figures`.
    title
        Title for display.
    required, target
        Limits that the mean must reach and should reach; upper limits if `less_is_better`.
    required_each_day
        Limit that the worst day must reach; None if only the mean counts.
    less_is_better
        Whether lower values are better, as for false alarms.
    """

    name: str
    title: str
    required: float
    target: float
    required_each_day: float | None = None
    less_is_better: bool = False

    def reaches(self, value: float, limit: float) -> bool:
        """Tell whether a value reaches a limit."""
        return value <= limit if self.less_is_better else value >= limit


FIGURES = (
    Figure("ap", "AP, all kinds", 0.80, 0.85, required_each_day=0.75),
    Figure("ap_price", "AP, price kinds", 0.99, 0.999),
    Figure("ap_off_market_small", "AP, errors of 0.1-0.4 %", 0.85, 0.92),
    Figure("recall_in_0.05_percent", "found in 0.05 % of trades", 0.76, 0.80),
    Figure("recall_in_0.1_percent", "found in 0.1 % of trades", 0.82, 0.87),
    Figure("bursts_flagged", "bursts flagged", 0.90, 0.95),
    Figure("fat_fingers_in_0.1_percent", "fat fingers in 0.1 %", 0.33, 0.45),
    Figure("false_alarms_per_1000", "false alarms per 1000", 0.8, 0.4, less_is_better=True),
    Figure("flagged_per_1000", "flagged per 1000, clean day", 0.9, 0.5, less_is_better=True),
)

_ALARMS = Figure("false_alarms_per_1000", "false alarms", 1.5, 0.8, less_is_better=True)
STOCK_KIND_FIGURES = {
    stock.name: (Figure("ap", "AP", required, target), _ALARMS)
    for stock, required, target in zip(STOCK_KINDS[1:], (0.65, 0.70, 0.85), (0.80, 0.80, 0.88), strict=True)
}
"""Limits for other kinds of stock."""


@dataclass(frozen=True)
class Evaluation:
    """All results of an evaluation.

    Parameters
    ----------
    profile, profile_hash
        The evaluated profile.
    seed, runs
        As given to `run_evaluate`.
    events_per_trade
        Rate of the injected anomalies.
    days
        Results as `run.evaluate_day` yields them, with `file`.
    """

    profile: str
    profile_hash: str
    seed: int
    runs: int
    events_per_trade: float
    days: Days


@dataclass(frozen=True)
class Result:
    """A measured figure: its `mean` over days and runs, the `worst` day's mean; None if not measured."""

    title: str
    mean: float | None
    worst: float | None
    required: float
    target: float
    meets_required: bool
    meets_target: bool


def results_of(days: Days, figures: tuple[Figure, ...]) -> dict[str, Result]:
    """Aggregate the figures of several days, by name."""
    results = {}
    for figure in figures:
        by_file: dict[object, list[float]] = {}
        for day in days:
            value = day["figures"].get(figure.name, np.nan)
            if not np.isnan(value):
                by_file.setdefault(day["file"], []).append(value)
        means = [float(np.mean(values)) for values in by_file.values()]
        if not means:
            results[figure.name] = Result(
                figure.title, None, None, figure.required, figure.target, False, False
            )
            continue
        mean = float(np.mean(means))
        worst = max(means) if figure.less_is_better else min(means)
        of_each = figure.required_each_day
        results[figure.name] = Result(
            figure.title,
            mean,
            worst,
            figure.required,
            figure.target,
            figure.reaches(mean, figure.required) and (of_each is None or figure.reaches(worst, of_each)),
            figure.reaches(mean, figure.target) and (of_each is None or figure.reaches(worst, of_each)),
        )
    return results


def kinds_of(days: Days) -> dict[str, dict[str, Any]]:
    """Aggregate the found and missed anomalies by kind: counts, shares, labels and top contributions."""
    all_events = [event for day in days for event in day["events"]]
    kinds: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        events = [event for event in all_events if event["kind"] == kind]
        flagged = [event for event in events if event["score"] > 0]
        kinds[kind] = {
            "events": len(events),
            "flagged": _share(events, lambda event: event["score"] > 0),
            "in_0.1_percent": _share(events, lambda event: event["in_0.1_percent"]),
            "flagged_in_regular_hours": _share(
                [event for event in events if event["regular_hours"]], lambda event: event["score"] > 0
            ),
            "flagged_in_extended_hours": _share(
                [event for event in events if not event["regular_hours"]], lambda event: event["score"] > 0
            ),
            "labels": dict(Counter(event["label"] for event in flagged).most_common()),
            "top_contributions": dict(Counter(event["top_contribution"] for event in flagged).most_common()),
        }
    return kinds


def write_evaluation(evaluation: Evaluation, output: Path) -> None:
    """Write all figures as JSON; an existing file is replaced only when the new one is complete."""
    plain, *others = _by_stock(evaluation.days).items()
    document = {
        **asdict(evaluation),
        "figures": {name: asdict(result) for name, result in results_of(plain[1], FIGURES).items()},
        "kinds": kinds_of(plain[1]),
        "stocks": {
            stock: {
                "figures": {
                    name: asdict(result) for name, result in results_of(days, _all_figures(stock)).items()
                },
                "kinds": kinds_of(days),
            }
            for stock, days in others
        },
    }
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    with replaced_when_done(output) as unfinished:
        unfinished.write_bytes(text)


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the tables of figures and kinds."""
    stocks = _by_stock(evaluation.days)
    plain, *others = stocks.items()
    files = len({day["file"] for day in evaluation.days})
    about = (
        f"profile {evaluation.profile} ({evaluation.profile_hash}), "
        f"days {files}, runs {evaluation.runs}, seed {evaluation.seed}"
    )
    results = results_of(plain[1], FIGURES)
    rows = [(figure.title, figure, results[figure.name]) for figure in FIGURES]
    console.print(_figures_table(f"Evaluation: {about}", rows))
    console.print(_kinds_table(kinds_of(plain[1])))
    if others:
        rows = []
        for stock, days in others:
            results = results_of(days, STOCK_KIND_FIGURES[stock])
            rows += [
                (f"{stock}: {figure.title}", figure, results[figure.name])
                for figure in STOCK_KIND_FIGURES[stock]
            ]
        console.print(_figures_table("Other kinds of stock, made from the same days", rows))


def _by_stock(days: Days) -> dict[str, Days]:
    stocks: dict[str, Days] = {}
    for day in days:
        stocks.setdefault(str(day["stock"]), []).append(day)
    return stocks


def _all_figures(stock: str) -> tuple[Figure, ...]:
    """Return all figures, with the limits for this kind of stock where they differ."""
    own = {figure.name: figure for figure in STOCK_KIND_FIGURES[stock]}
    return tuple(own.get(figure.name, figure) for figure in FIGURES)


def _figures_table(title: str, rows: list[tuple[str, Figure, Result]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure", no_wrap=True)
    for heading in ("mean", "worst day", "required", "target"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row_title, figure, result in rows:
        required = f"{'≤' if figure.less_is_better else '≥'} {figure.required:g}"
        if figure.required_each_day is not None:
            table.caption = "in parentheses: required on the worst day"
            required += f" ({figure.required_each_day:g})"
        table.add_row(
            row_title,
            _number(result.mean),
            _number(result.worst),
            required,
            f"{figure.target:g}",
            _mark(result),
        )
    return table


def _kinds_table(kinds: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Share of anomalies found; in regular and extended hours", title_justify="left")
    table.add_column("kind")
    for title in ("events", "flagged", "in 0.1 %", "regular", "extended"):
        table.add_column(title, justify="right")
    table.add_column("mostly as")
    for kind, sums in kinds.items():
        table.add_row(
            kind.replace("_", " "),
            str(sums["events"]),
            *(
                _percent(sums[name])
                for name in (
                    "flagged",
                    "in_0.1_percent",
                    "flagged_in_regular_hours",
                    "flagged_in_extended_hours",
                )
            ),
            next(iter(sums["labels"]), ""),
        )
    return table


def _mark(result: Result) -> str:
    if result.mean is None:
        return ""
    if not result.meets_required:
        return "[red]✗[/red]"
    return "[green]✓✓[/green]" if result.meets_target else "[green]✓[/green]"


def _share(events: Days, is_so: Callable[[dict[str, Any]], bool]) -> float | None:
    return sum(map(is_so, events)) / len(events) if events else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: object) -> str:
    return "-" if share is None else f"{share:.0%}"

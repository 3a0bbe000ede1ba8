"""The report of an evaluation: tables for the terminal, and JSON for other programs."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from services.common.process.atomic_file import replaced_when_done
from services.detector.offline.evaluation.limits import (
    FIGURES,
    MIXED_FIGURES,
    MIXED_STOCK_FIGURES,
    SCENARIO_FIGURES,
    STOCK_KIND_FIGURES,
    Days,
    Figure,
    Result,
    results_of,
)
from services.detector.offline.evaluation.reshape import STOCK_KINDS
from services.detector.offline.evaluation.scenario_report import natural_table, scenario_table, scenarios_of
from services.detector.offline.evaluation.selection import CLASSIC
from services.sources.synthetic.kinds import KINDS

PLAIN = STOCK_KINDS[0].name


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
    selection
        The kinds that were injected, as given to `run_evaluate`.
    scenario_days
        Results of the second injector's kinds as `ScenarioDay.evaluate` yields them, with `file` and `run`.
    """

    profile: str
    profile_hash: str
    seed: int
    runs: int
    events_per_trade: float
    days: Days
    selection: str = CLASSIC
    scenario_days: Days = field(default_factory=list)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the ranking, with their limits."""
        return FIGURES if self.selection == CLASSIC else MIXED_FIGURES

    @property
    def stock_figures(self) -> Mapping[str, tuple[Figure, ...]]:
        """The figures with other limits for other kinds of stock."""
        return STOCK_KIND_FIGURES if self.selection == CLASSIC else MIXED_STOCK_FIGURES


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


def write_evaluation(evaluation: Evaluation, output: Path, beside: Evaluation | None = None) -> None:
    """Write all figures as JSON, with those of another profile in the field `beside`.

    An existing file is replaced only when the new one is complete.
    """
    document = _document(evaluation)
    if beside is not None:
        document["beside"] = _document(beside)
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    with replaced_when_done(output) as unfinished:
        unfinished.write_bytes(text)


def _document(evaluation: Evaluation) -> dict[str, Any]:
    stocks = _by_stock(evaluation.days)
    document = {
        **asdict(evaluation),
        "figures": {},
        "kinds": {},
        "stocks": {
            stock: {
                "figures": _as_json(results_of(days, _all_figures(evaluation, stock))),
                "kinds": kinds_of(days),
            }
            for stock, days in stocks.items()
        },
        "scenario_figures": _as_json(results_of(evaluation.scenario_days, SCENARIO_FIGURES)),
        "scenarios": scenarios_of(evaluation.scenario_days),
    }
    if PLAIN in stocks:
        document |= document["stocks"].pop(PLAIN)
    return document


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the tables of figures and kinds."""
    stocks = _by_stock(evaluation.days)
    files = len({day["file"] for day in (*evaluation.days, *evaluation.scenario_days)})
    console.print(
        f"Evaluation: profile {evaluation.profile} ({evaluation.profile_hash}), "
        f"days {files}, runs {evaluation.runs}, seed {evaluation.seed}"
    )
    if plain := stocks.pop(PLAIN, None):
        results = results_of(plain, evaluation.figures)
        rows = [(figure.title, figure, results[figure.name]) for figure in evaluation.figures]
        console.print(_figures_table("Six kinds, ranked", rows))
        console.print(_kinds_table(kinds_of(plain)))
    rows = []
    for stock, days in stocks.items():
        figures = evaluation.stock_figures[stock]
        results = results_of(days, figures)
        rows += [(f"{stock}: {figure.title}", figure, results[figure.name]) for figure in figures]
    if rows:
        console.print(_figures_table("Other kinds of stock, made from the same days", rows))
    if evaluation.scenario_days:
        results = results_of(evaluation.scenario_days, SCENARIO_FIGURES)
        rows = [(figure.title, figure, results[figure.name]) for figure in SCENARIO_FIGURES]
        console.print(_figures_table("All kinds of the second injector", rows))
        scenarios = scenarios_of(evaluation.scenario_days)
        console.print(scenario_table(scenarios))
        console.print(natural_table(scenarios))


def print_beside(evaluation: Evaluation, other: Evaluation, console: Console) -> None:
    """Print the figures of two profiles on the same days and anomalies side by side."""
    table = Table(title="Two profiles, the same anomalies", title_justify="left")
    table.add_column("figure", no_wrap=True)
    for one in (evaluation, other):
        table.add_column(one.profile, justify="right")
    stocks, others = _by_stock(evaluation.days), _by_stock(other.days)
    compared = [
        (
            figure.title if stock == PLAIN else f"{stock}: {figure.title}",
            results_of(days, (figure,))[figure.name],
            results_of(others[stock], (figure,))[figure.name],
        )
        for stock, days in stocks.items()
        for figure in (evaluation.figures if stock == PLAIN else evaluation.stock_figures[stock])
    ]
    if evaluation.scenario_days:
        first, second = (results_of(one.scenario_days, SCENARIO_FIGURES) for one in (evaluation, other))
        compared += [(figure.title, first[figure.name], second[figure.name]) for figure in SCENARIO_FIGURES]
    for title, ours, theirs in compared:
        table.add_row(title, _number(ours.mean), _number(theirs.mean))
    console.print(table)


def _as_json(results: dict[str, Result]) -> dict[str, Any]:
    return {name: asdict(result) for name, result in results.items()}


def _by_stock(days: Days) -> dict[str, Days]:
    stocks: dict[str, Days] = {}
    for day in days:
        stocks.setdefault(str(day["stock"]), []).append(day)
    return stocks


def _all_figures(evaluation: Evaluation, stock: str) -> tuple[Figure, ...]:
    """Return all figures, with the limits for this kind of stock where they differ."""
    own = {figure.name: figure for figure in evaluation.stock_figures.get(stock, ())}
    return tuple(own.get(figure.name, figure) for figure in evaluation.figures)


def _figures_table(title: str, rows: list[tuple[str, Figure, Result]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure", no_wrap=True)
    for heading in ("mean", "95 % interval", "worst day", "required", "target"):
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
            "-" if result.interval is None else " to ".join(map(_number, result.interval)),
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

"""`tapewatch inspect`, `backtest`, `evaluate`, `tune`, `generate`: past trades, without a broker."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    ElasticsearchUrl,
    FilesOrRange,
    From,
    MapSpec,
    OfSymbol,
    Prices,
    ProfileName,
    Symbology,
    To,
    file_options,
    settings_from,
)
from services.common.config.settings import Settings
from services.sources.options import PriceForm

if TYPE_CHECKING:
    from services.sources.base import Source

commands = typer.Typer()


@commands.command()
def inspect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of any layout.")],
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    prices: Prices = None,
) -> None:
    """Say what a file is, show three of its rows as trades, and print the command that publishes it."""
    from services.sources.inspection import inspect_file

    lines, is_readable = inspect_file(file, map_spec, symbology, prices)
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if is_readable else 1)


@commands.command()
def backtest(
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="OUT.ndjson", help="One JSON anomaly a line.")
    ] = None,
    profile: ProfileName = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="REPORT.html", help="A report with plots.")
    ] = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Run the detector over files or indexed trades, without a broker; the report goes to stderr."""
    from services.detector.offline.backtest.run import run_backtest

    sources = _sources(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_backtest(sources, output, profile, html))


@commands.command()
def evaluate(
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    profile: ProfileName = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed injects the same anomalies.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Injections for each day.")] = 1,
    reshape: Annotated[
        bool, typer.Option("--reshape", help="Also as a 4-dollar, a thin and a 3,500-dollar stock.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="REPORT.json", help="Every figure of every run.")
    ] = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Inject known anomalies into real days, run the detector, and report what it finds and misses.

    Each file is a day; so is a range of indexed trades.
    """
    from services.detector.offline.evaluation.run import run_evaluate

    sources = _sources(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_evaluate(sources, profile, seed, runs, reshape, output))


@commands.command()
def tune(
    output: Annotated[Path, typer.Option("--output", metavar="PROFILE.yaml", help="The profile to write.")],
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    budget: Annotated[
        float, typer.Option(min=0.01, help="Alerts per 1,000 trades that each symbol may raise.")
    ] = 0.6,
    profile: ProfileName = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Propose thresholds and priors for each symbol of past days that meet an alert budget."""
    from services.detector.offline.tuning.run import run_tune

    sources = _sources(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_tune(sources, budget, profile, output))


def _sources(
    files: list[str] | None,
    map_spec: str | None,
    symbology: Path | None,
    start: dt.datetime | None,
    end: dt.datetime | None,
    symbol: str | None,
    elasticsearch: str | None,
    prices: PriceForm | None,
) -> "Sequence[Source]":
    """Open the files, or the range of indexed trades, that a command was given."""
    from services.sources.files import open_sources
    from services.sources.registry import load

    if bool(files) == (start is not None or end is not None):
        raise typer.BadParameter("give files, or --from and --to", param_hint="FILE")
    if files:
        return open_sources(files, file_options(map_spec, symbology, prices))
    for flag, given in (("--map", map_spec), ("--symbology", symbology), ("--prices", prices)):
        if given is not None:
            raise typer.BadParameter("is for files", param_hint=flag)
    if start is None or end is None or start >= end:
        raise typer.BadParameter("give both, the earlier one first", param_hint="--from, --to")
    new_client = load("services.common.elastic.client:new_client", "The index", "indexer")
    index_range = load("services.sources.elasticsearch:IndexRange", "The index", "indexer")
    url = settings_from(Settings, elasticsearch=elasticsearch).elasticsearch
    return [index_range(new_client(url), start, end, symbol)]


@commands.command()
def generate(
    output: Annotated[
        Path, typer.Option("--output", metavar="FILE.csv.zst", help="The trades; plain if it ends in .csv.")
    ],
    labels: Annotated[
        Path, typer.Option("--labels", metavar="LABELS.csv", help="Which of them are anomalies.")
    ],
    trades: Annotated[int, typer.Option(metavar="N", min=1, help="How many trades.")] = 150_000,
    symbols: Annotated[int, typer.Option(metavar="N", min=1, help="How many symbols.")] = 5,
    date: Annotated[
        dt.datetime,
        typer.Option(formats=["%Y-%m-%d"], show_default="2026-03-02", help="The trading day."),
    ] = dt.datetime(2026, 3, 2),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same day, byte for byte.")] = 7,
    anomaly_rate: Annotated[
        float, typer.Option(min=0.0, max=0.2, help="Injected anomalies, as a share of trades.")
    ] = 0.0005,
    integers: Annotated[
        bool, typer.Option("--integers", help="Integer times (ns) and prices (1e-9).")
    ] = False,
) -> None:
    """Write a synthetic day in Databento's CSV format, with labelled anomalies."""
    from services.sources.synthetic.day import DayConfig, write_day

    config = DayConfig(date=date.date(), seed=seed, trades=trades, symbols=symbols, anomaly_rate=anomaly_rate)
    count = write_day(config, output, labels, integers=integers)
    typer.echo(f"{count:,} trades in {output}, labels in {labels}", err=True)

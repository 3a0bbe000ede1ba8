"""What works on past trades, from files or the index: no broker is needed."""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
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
    from services.common.elastic.client import Elasticsearch
    from services.sources.base import Source

commands = typer.Typer()


class Truth(StrEnum):
    """What `evaluate` knows to be anomalies."""

    INJECTED = "injected"
    CANCELS = "cancels"


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

    sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_backtest(sources, output, profile, html))


@commands.command()
def evaluate(
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    truth: Annotated[
        Truth,
        typer.Option(
            help="What is known to be wrong: anomalies injected into the days, or the indexed prints that "
            "their venues cancelled."
        ),
    ] = Truth.INJECTED,
    profile: ProfileName = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed injects the same anomalies.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Injections for each day.")] = 1,
    reshape: Annotated[
        bool, typer.Option("--reshape", help="Also as a 4-dollar, a thin and a 3,500-dollar stock.")
    ] = False,
    kinds: Annotated[
        str,
        typer.Option(
            metavar="classic|all|NAME,…",
            help="Six kinds, all that detection knows, or some of these by name.",
        ),
    ] = "classic",
    style: Annotated[
        str | None, typer.Option(metavar="STYLE", help="Style of the second injector's events; each in turn.")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Another profile, to show beside it on the same anomalies."),
    ] = None,
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

    Each file is a day; so is a range of indexed trades. With `--truth cancels` nothing is injected: the
    prints that venues cancelled are what has to be found.
    """
    if truth is Truth.CANCELS:
        if files:
            raise typer.BadParameter("cancels are of indexed trades: give --from and --to", param_hint="FILE")
        if reshape or seed != 1 or runs != 1 or beside is not None:
            raise typer.BadParameter(
                "is for injected anomalies", param_hint="--reshape, --seed, --runs, --beside"
            )
        begin, before = _range(start, end, map_spec, symbology, prices)
        client = client_of(elasticsearch)
        from services.detector.offline.evaluation.cancels_run import run_evaluate_cancels

        raise typer.Exit(run_evaluate_cancels(client, begin, before, symbol, profile, output))
    from services.detector.offline.evaluation.run import run_evaluate

    sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_evaluate(sources, profile, seed, runs, reshape, output, kinds, style, beside))


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
    evidence_dir: Annotated[
        Path | None,
        typer.Option(
            "--evidence", metavar="DIR", help="Draw prints above and below each threshold, to be reviewed."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=4, max=1000, help="Prints to draw of each threshold.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same prints.")] = 1,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Propose thresholds and priors for each symbol of past days that meet an alert budget."""
    from services.detector.offline.tuning.run import Samples, run_tune

    sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    drawn = None if evidence_dir is None else Samples(evidence_dir, seed, samples)
    raise typer.Exit(run_tune(sources, budget, profile, output, drawn))


@commands.command()
def evidence(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of `tune --evidence`.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Say what the reviews of a threshold's samples say: the share of true ones, and what may be missed."""
    from services.detector.offline.tuning.evidence.run import run_evidence

    raise typer.Exit(run_evidence(folder, client_of(elasticsearch), as_json))


@commands.command()
def reproduce(
    trade_id: Annotated[str, typer.Argument(metavar="TRADE_ID", help="The print, flagged or not.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]", help="Files with its day; by default the indexed trades; globs."),
    ] = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="ANOMALIES.ndjson",
            help="Compare with what `backtest --output` wrote, not with the index.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME|FILE", help="Judge by this profile, not by the anomaly's own one."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="ANOMALY.json", help="The anomaly's document, byte for byte."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is found as JSON, on standard output.")
    ] = False,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Judge one print again as the detector did, and say why it was flagged, or how far it was from that.

    Exits with code 3 if the indexed anomaly is another one. With files, the index is asked only if
    `--elasticsearch` is given.
    """
    from services.detector.offline.reproduce.run import run_reproduce
    from services.sources.files import open_sources

    if not files:
        _refuse_file_options(map_spec, symbology, prices)
    sources = open_sources(files, file_options(map_spec, symbology, prices)) if files else []
    client = None if files and elasticsearch is None else client_of(elasticsearch)
    raise typer.Exit(run_reproduce(trade_id, sources, client, against, profile, output, as_json))


@commands.command()
def selftest(
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    profile: ProfileName = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Plant an anomaly of each label into copies of sessions, and say whether its detector fires.

    The sessions are those of files or indexed trades; of a generated day if none are given. Exits with code 1
    if a label did not fire. Nothing is published.
    """
    from services.detector.offline.selftest.run import run_selftest

    sources: Sequence[Source] = []
    if files or start or end:
        sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_selftest(sources, profile))


@commands.command()
def features(
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="A folder: a Parquet file for each input.")
    ],
    files: FilesOrRange = None,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    profile: ProfileName = None,
    start: From = None,
    end: To = None,
    symbol: OfSymbol = None,
    elasticsearch: ElasticsearchUrl = None,
    prices: Prices = None,
) -> None:
    """Write the features of each trade as Parquet, as a trained detector would compute them live."""
    from services.detector.offline.features.run import run_features

    sources = sources_of(files, map_spec, symbology, start, end, symbol, elasticsearch, prices)
    raise typer.Exit(run_features(sources, output, profile))


def sources_of(
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
    begin, before = _range(start, end, map_spec, symbology, prices)
    client = client_of(elasticsearch)
    index_range = load("services.sources.elasticsearch:IndexRange", "The index", "indexer")
    return [index_range(client, begin, before, symbol)]


def _range(
    start: dt.datetime | None,
    end: dt.datetime | None,
    map_spec: str | None,
    symbology: Path | None,
    prices: PriceForm | None,
) -> tuple[dt.datetime, dt.datetime]:
    """Return the range of indexed trades that a command was given, without the flags of files."""
    _refuse_file_options(map_spec, symbology, prices)
    if start is None or end is None or start >= end:
        raise typer.BadParameter("give both, the earlier one first", param_hint="--from, --to")
    return start, end


def _refuse_file_options(map_spec: str | None, symbology: Path | None, prices: PriceForm | None) -> None:
    for flag, given in (("--map", map_spec), ("--symbology", symbology), ("--prices", prices)):
        if given is not None:
            raise typer.BadParameter("is for files", param_hint=flag)


def client_of(elasticsearch: str | None) -> "Elasticsearch":
    """Return a client of the cluster that a flag or the environment names."""
    from services.sources.registry import load

    new_client = load("services.common.elastic.client:new_client", "The index", "indexer")
    client: Elasticsearch = new_client(settings_from(Settings, elasticsearch=elasticsearch).elasticsearch)
    return client


@commands.command()
def export(
    folder: Annotated[
        Path,
        typer.Option("--parquet", metavar="DIR", help="Folder for the files; another run updates it."),
    ],
    start: Annotated[
        dt.datetime | None,
        typer.Option("--from", metavar="DAY", formats=["%Y-%m-%d"], help="First day (UTC); default: all."),
    ] = None,
    end: Annotated[
        dt.datetime | None,
        typer.Option("--to", metavar="DAY", formats=["%Y-%m-%d"], help="Only days (UTC) before this one."),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these symbols' trades; default: all.")
    ] = None,
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Write indexed trades as Parquet files, one for each day (UTC) and symbol, for DuckDB and polars.

    A run that was stopped is resumed by the same command. Files whose trades are unchanged in the index are
    not read again.
    """
    from services.sources.registry import load

    if start is not None and end is not None and start >= end:
        raise typer.BadParameter("the first day must be before the other", param_hint="--from, --to")
    chosen = () if symbols is None else tuple(dict.fromkeys(symbols.split(",")))
    if "" in chosen:
        raise typer.BadParameter("a symbol is empty", param_hint="--symbols")
    run_export = load("services.export.run:run_export", "The index", "indexer")
    wanted = load("services.export.index:Range", "The index", "indexer")(
        start and start.date(), end and end.date(), chosen
    )
    url = settings_from(Settings, elasticsearch=elasticsearch).elasticsearch
    raise typer.Exit(run_export(url, folder, wanted))

"""`tapewatch feed`: a live market."""

import datetime as dt
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from cli.options import FeedDuration, FeedRestUrl, FeedUrl, Kafka, MapSpec, settings_from
from services.common.config.settings import Settings

commands = typer.Typer()
SHOWN_IDS = 10


@commands.command()
def feed(
    venue: Annotated[
        str | None,
        typer.Argument(
            metavar="[VENUE]",
            help="coinbase, binance, kraken, alpaca:iex, alpaca:sip, massive, massive:delayed, "
            "massive:minute, massive:delayed-minute, massive:daily, databento:DATASET",
        ),
    ] = None,
    symbols: Annotated[
        str, typer.Option(metavar="A,B", help="Symbols as the venue writes them, such as BTC-USD,ETH-USD.")
    ] = "",
    start: Annotated[
        dt.datetime | None,
        typer.Option(
            metavar="DAY",
            formats=["%Y-%m-%d"],
            help="Begin with the venue's history from this day on, of symbols that were not published yet "
            "(Alpaca and Massive).",
        ),
    ] = None,
    url: FeedUrl = None,
    rest_url: FeedRestUrl = None,
    duration: FeedDuration = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what the venue sends, with the times, to run it again later."
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run again what --record has kept.")
    ] = None,
    map_spec: MapSpec = None,
    kafka: Kafka = None,
) -> None:
    """Publish a venue's live trades to the topic `trades`, each once; gaps are filled from its history."""
    from services.common.process.logs import configure_logs
    from services.producer.feed_replay import run_replay
    from services.producer.feed_service import run_feed
    from services.sources.feeds.beginning import beginning
    from services.sources.feeds.recording import NO_RECORDING, FileRecording
    from services.sources.feeds.registry import open_venue

    configure_logs("feed")
    settings = settings_from(Settings, kafka)
    if (venue is None) == (replay is None):
        raise typer.BadParameter("give a VENUE, or --replay FILE")
    if replay is not None:
        raise typer.Exit(run_replay(replay, settings))
    if venue == "stdin":
        raise typer.Exit(_publish_standard_input(map_spec, settings))
    opened = open_venue(venue or "", _listed(symbols), url, rest_url)
    first_places = {} if start is None else beginning(opened, start.date())
    with nullcontext(NO_RECORDING) if record is None else FileRecording(record) as recording:
        raise typer.Exit(run_feed(opened, settings, duration, recording, first_places))


@commands.command()
def reconcile(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="As in `tapewatch feed`.")],
    day: Annotated[
        dt.datetime, typer.Option(metavar="DAY", formats=["%Y-%m-%d"], help="Such as 2026-01-02.")
    ],
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Symbols as the venue writes them.")],
    rest_url: FeedRestUrl = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The venue's file of that day, instead of its history."),
    ] = None,
    kafka: Kafka = None,
) -> None:
    """Compare a day with the venue's own record of it, and publish what is missing.

    Exit code 3 if something was missing, 4 if something differs.
    """
    from services.common.process.logs import configure_logs
    from services.producer.reconcile import run_reconcile
    from services.sources.feeds.registry import open_venue
    from services.sources.files import open_source

    configure_logs("reconcile")
    opened = open_venue(venue, _listed(symbols), None, rest_url)
    source = None if file is None else open_source(file)
    code, reports = run_reconcile(opened, settings_from(Settings, kafka), day.date(), source)
    for report in reports:
        typer.echo(
            f"{report.symbol}: {report.of_venue:,} prints at {venue}, {report.published:,} published; "
            f"{report.missing:,} were missing and are published now, {len(report.different):,} differ, "
            f"{len(report.unknown):,} are not in its record, {report.corrections:,} corrections"
        )
        if report.unread:
            typer.echo(f"  {report.unread:,} rows of its record cannot be read")
        if report.problem:
            typer.echo(f"  its record cannot be had: {report.problem}")
        for trade_id in [*report.different, *report.unknown][:SHOWN_IDS]:
            typer.echo(f"  {trade_id}")
    raise typer.Exit(code)


def _listed(symbols: str) -> list[str]:
    return [one.strip() for one in symbols.split(",") if one.strip()]


def _publish_standard_input(map_spec: str | None, settings: Settings) -> int:
    """Publish the lines of JSON that another program writes."""
    from services.common.errors import TapewatchError
    from services.producer.service import run_produce
    from services.sources.mapped.json_lines import JsonLines
    from services.sources.mapped.mapping import EXAMPLE, read_mapping

    if map_spec is None:
        raise TapewatchError(
            "Lines of JSON need a mapping: which field is what of a trade.", f"Say it, as in {EXAMPLE}."
        )
    return run_produce([JsonLines(read_mapping(map_spec))], settings, None, None, False)

"""`tapewatch feed`: a live market."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import FeedDuration, FeedRestUrl, FeedUrl, Kafka, settings_from
from services.common.config.settings import Settings

commands = typer.Typer()


@commands.command()
def feed(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="coinbase")],
    symbols: Annotated[
        str, typer.Option(metavar="A,B", help="Symbols as the venue writes them, such as BTC-USD,ETH-USD.")
    ] = "",
    url: FeedUrl = None,
    rest_url: FeedRestUrl = None,
    duration: FeedDuration = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what the venue sends, with the times, to run it again later."
        ),
    ] = None,
    kafka: Kafka = None,
) -> None:
    """Publish a venue's live trades to the topic `trades`, each once; gaps are filled from its history."""
    from services.common.process.logs import configure_logs
    from services.producer.feed_service import run_feed
    from services.sources.feeds.recording import FileRecording
    from services.sources.feeds.registry import open_venue

    configure_logs("feed")
    settings = settings_from(Settings, kafka)
    opened = open_venue(venue, [one.strip() for one in symbols.split(",") if one.strip()], url, rest_url)
    if record is None:
        raise typer.Exit(run_feed(opened, settings, duration))
    with FileRecording(record, opened.name, opened.symbols) as recording:
        raise typer.Exit(run_feed(opened, settings, duration, recording))

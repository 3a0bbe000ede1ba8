"""`tapewatch dashboard`, `demo`: commands that show results."""

from typing import Annotated

import typer

from cli.options import (
    ElasticsearchPort,
    ElasticsearchUrl,
    FeedDuration,
    FeedRestUrl,
    FeedUrl,
    KafkaPort,
    settings_from,
)

commands = typer.Typer()


@commands.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port to listen on.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Serve the dashboard."""
    from dashboard.server.run import run_dashboard
    from dashboard.settings import DashboardSettings

    raise typer.Exit(run_dashboard(settings_from(DashboardSettings, elasticsearch=elasticsearch), host, port))


@commands.command()
def demo(
    data: Annotated[
        str,
        typer.Option(metavar="FILE[,FILE…]", help="Databento files to replay; by default a generated day."),
    ] = "",
    live: Annotated[
        str,
        typer.Option(
            metavar="VENUE:A[,B…]", help="A live feed instead of files, such as coinbase:BTC-USD,ETH-USD."
        ),
    ] = "",
    url: FeedUrl = None,
    rest_url: FeedRestUrl = None,
    duration: FeedDuration = None,
    once: Annotated[bool, typer.Option("--once", help="Exit when all is indexed; no dashboard.")] = False,
    kafka_port: KafkaPort = 19092,
    elasticsearch_port: ElasticsearchPort = 9200,
    dashboard_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The dashboard, on 127.0.0.1.")
    ] = 8501,
    storage: Annotated[
        bool, typer.Option("--storage", help="Store everything in an embedded Postgres, too.")
    ] = False,
    postgres_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Postgres, on 127.0.0.1, with --storage.")
    ] = 5432,
) -> None:
    """Run the whole pipeline on this machine, from trades to anomalies on the screen."""
    from infra.demo.live import parse_live
    from infra.demo.run import DemoConfig, run_demo

    files = [name for name in data.split(",") if name]
    feed = parse_live(live, url, rest_url, duration) if live else None
    config = DemoConfig(
        data=files,
        live=feed,
        once=once,
        kafka_port=kafka_port,
        elasticsearch_port=elasticsearch_port,
        dashboard_port=dashboard_port,
        postgres_port=postgres_port if storage else None,
    )
    raise typer.Exit(run_demo(config))

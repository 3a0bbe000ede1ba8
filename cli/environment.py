"""`tapewatch setup`, `stack`, `doctor`: the environment of the services."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import (
    ElasticsearchPort,
    ElasticsearchUrl,
    FeedRestUrl,
    FeedUrl,
    Kafka,
    KafkaPort,
    settings_from,
)
from services.common.config.settings import Settings

commands = typer.Typer()


@commands.command()
def setup(
    kafka: Kafka = None,
    elasticsearch: ElasticsearchUrl = None,
    kibana_only: Annotated[
        bool, typer.Option("--kibana-only", help="Import Kibana's objects, and leave all else alone.")
    ] = False,
    postgres_only: Annotated[
        bool, typer.Option("--postgres-only", help="Set up Postgres, and leave all else alone.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace Kibana's objects, also what people changed in them."),
    ] = False,
) -> None:
    """Create topics, index templates, lifecycle, users and Kibana's objects; a second run changes nothing."""
    from infra.setup.run import run_setup
    from infra.setup.settings import SetupSettings
    from services.common.process.logs import configure_logs
    from services.common.process.shutdown import Stop

    configure_logs("setup")
    settings = settings_from(SetupSettings, kafka, elasticsearch)
    raise typer.Exit(
        run_setup(
            settings,
            typer.echo,
            Stop(),
            kibana_only=kibana_only,
            postgres_only=postgres_only,
            overwrite=overwrite,
        )
    )


@commands.command()
def stack(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep the servers' data there; by default it is removed when they stop."
        ),
    ] = None,
    kafka_port: KafkaPort = 19092,
    elasticsearch_port: ElasticsearchPort = 9200,
    brokers: Annotated[
        int, typer.Option(min=1, max=9, help="Servers of Kafka; each has the port after the one before.")
    ] = 1,
    nodes: Annotated[
        int,
        typer.Option(min=1, max=9, help="Servers of Elasticsearch; each has the port after the one before."),
    ] = 1,
) -> None:
    """Run a real Kafka and Elasticsearch in the foreground, until Ctrl-C."""
    from infra.embedded.foreground import run_stack

    raise typer.Exit(run_stack(data_dir, kafka_port, elasticsearch_port, brokers, nodes))


@commands.command()
def doctor(
    feed: Annotated[
        str, typer.Option(metavar="VENUE", help="Only check this venue's key, and whether it answers.")
    ] = "",
    url: FeedUrl = None,
    rest_url: FeedRestUrl = None,
    kafka: Kafka = None,
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Check the environment, and say what is wrong and how to fix it."""
    from infra.doctor.run import run_doctor, run_feed_doctor

    if feed:
        raise typer.Exit(run_feed_doctor(feed, url, rest_url))
    raise typer.Exit(run_doctor(settings_from(Settings, kafka, elasticsearch)))

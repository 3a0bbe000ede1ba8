"""`tapewatch produce`, `detect`, `index`: the services."""

from typing import Annotated

import typer

from cli.options import (
    ElasticsearchUrl,
    Files,
    Kafka,
    MapSpec,
    Prices,
    ProfileName,
    Symbology,
    UntilIdle,
    file_options,
    settings_from,
)
from services.common.config.settings import Settings
from services.contracts.components import DEFAULT_SINK

commands = typer.Typer()


@commands.command()
def produce(
    files: Files,
    map_spec: MapSpec = None,
    symbology: Symbology = None,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="1 is real time, 60 is sixty times faster; by default as fast as possible."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Publish at most N trades.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Publish from the first row, even if it was published before.")
    ] = False,
    prices: Prices = None,
    kafka: Kafka = None,
) -> None:
    """Publish the trades of files to the topic `trades`, each once: a restart resumes at the next row."""
    from services.common.process.logs import configure_logs
    from services.producer.service import run_produce
    from services.sources.files import open_sources
    from services.sources.spool import refuse_pipes

    if speed is not None and speed <= 0:
        raise typer.BadParameter("must be above 0", param_hint="--speed")
    configure_logs("producer")
    settings = settings_from(Settings, kafka)
    refuse_pipes(files)
    sources = open_sources(files, file_options(map_spec, symbology, prices))
    raise typer.Exit(run_produce(sources, settings, speed, limit, again))


@commands.command()
def detect(
    profile: ProfileName = None,
    until_idle: UntilIdle = None,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset",
            help="Score the topic's trades again with this profile; anomalies no longer flagged are removed.",
        ),
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Score the trades of the topic and publish the anomalous ones with the reasons."""
    from services.common.process.logs import configure_logs
    from services.detector.live.service import run_detect
    from services.detector.live.settings import DetectorSettings

    configure_logs("detector")
    raise typer.Exit(run_detect(settings_from(DetectorSettings, kafka), profile, until_idle, reset))


@commands.command()
def index(
    sink: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Target, elasticsearch or postgres; each sink reads the topics on its own."
        ),
    ] = DEFAULT_SINK,
    until_idle: UntilIdle = None,
    kafka: Kafka = None,
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Index trades and anomalies into Elasticsearch, or store them as rows of Postgres."""
    from services.common.process.logs import configure_logs
    from services.indexer.service import run_index
    from services.indexer.sinks.loading import find_sink

    configure_logs(find_sink(sink).component.service)
    raise typer.Exit(run_index(settings_from(Settings, kafka, elasticsearch), sink, until_idle))

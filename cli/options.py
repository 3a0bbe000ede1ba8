"""Options that several commands have, and the settings that they make."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from services.common.config.settings import Settings
from services.sources.options import FileOptions, PriceForm

AnySettings = TypeVar("AnySettings", bound=Settings)

Kafka = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Bootstrap servers; default: TAPEWATCH_KAFKA.", show_default=False
    ),
]
ElasticsearchUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Elasticsearch; default: TAPEWATCH_ELASTICSEARCH.", show_default=False),
]
Files = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Databento trades: CSV or DBN, compressed or not; globs.")
]
FilesOrRange = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]",
        help="Databento trades; globs; a folder of `tapewatch export`. Or give --from and --to.",
    ),
]
Prices = Annotated[
    PriceForm | None,
    typer.Option(
        help="How prices in CSV are written, where the column does not show it: as they are (137.97), or as "
        "whole numbers of 1e-9 (137970000000)."
    ),
]
From = Annotated[dt.datetime | None, typer.Option("--from", help="Indexed trades from this time (UTC).")]
To = Annotated[dt.datetime | None, typer.Option("--to", help="Indexed trades before this time (UTC).")]
OfSymbol = Annotated[str | None, typer.Option("--symbol", help="Only this symbol's indexed trades.")]
MapSpec = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="SPEC|FILE",
        help="What the columns of another layout are: 'time=ts,symbol=ticker,price=px,size=qty,side=-',"
        " or a YAML file.",
    ),
]
Symbology = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Databento's symbology.json for DBN files that map no symbols; by default the one beside each.",
    ),
]
UntilIdle = Annotated[
    float | None,
    typer.Option(
        metavar="S", min=0.0, help="Exit once everything is read and nothing new has come for S seconds."
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME|FILE", help="What counts as unusual: default, classic, or a YAML file."
    ),
]


FeedUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Scheme, host and port of another server for the live feed; for databento HOST:PORT.",
    ),
]
FeedRestUrl = Annotated[
    str | None,
    typer.Option(
        "--rest-url", metavar="URL", help="Scheme, host and port of another server for its history."
    ),
]
FeedDuration = Annotated[
    float | None,
    typer.Option("--duration", metavar="S", min=0.0, help="End the feed after S seconds; by default never."),
]

KafkaPort = Annotated[int, typer.Option(min=1, max=65535, help="Kafka, on 127.0.0.1.")]
ElasticsearchPort = Annotated[int, typer.Option(min=1, max=65535, help="Elasticsearch, on 127.0.0.1.")]


def file_options(map_spec: str | None, symbology: Path | None, prices: PriceForm | None) -> FileOptions:
    """Return what was said about files; raises TapewatchError for a mapping that cannot be read."""
    if map_spec is None:
        return FileOptions(None, symbology, prices)
    from services.sources.mapped.mapping import read_mapping

    return FileOptions(read_mapping(map_spec), symbology, prices)


def settings_from(
    kind: type[AnySettings], kafka: str | None = None, elasticsearch: str | None = None
) -> AnySettings:
    """Return a part's settings from the environment, with those that were given as flags."""
    given: dict[str, Any] = {"kafka": kafka, "elasticsearch": elasticsearch}
    return kind(**{name: value for name, value in given.items() if value is not None})

"""`tapewatch generate`: synthetic trades with labelled anomalies, as a file or as a running stream."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cli.options import FeedDuration, Kafka, settings_from
from services.common.config.settings import Settings

commands = typer.Typer()
TRADES, DAY = 150_000, dt.datetime(2026, 3, 2)
PER_S = 20.0


@commands.command()
def generate(
    labels: Annotated[
        Path, typer.Option("--labels", metavar="LABELS.csv", help="Which of the trades are anomalies.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE.csv.zst", help="The trades; plain if it ends in .csv."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Publish a running stream to the topic `trades`, until Ctrl-C.")
    ] = False,
    trades: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, show_default=f"{TRADES}", help="How many trades the day has."),
    ] = None,
    symbols: Annotated[int, typer.Option(metavar="N", min=1, help="How many symbols.")] = 5,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], show_default=f"{DAY:%Y-%m-%d}", help="The trading day."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same day, byte for byte.")] = 7,
    anomaly_rate: Annotated[
        float, typer.Option(min=0.0, max=0.2, help="Injected anomalies, as a share of trades.")
    ] = 0.0005,
    integers: Annotated[
        bool, typer.Option("--integers", help="Integer times (ns) and prices (1e-9).")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0.01,
            max=2000.0,
            show_default=f"{PER_S:g}",
            help="Trades a second of the stream, on average.",
        ),
    ] = None,
    duration: FeedDuration = None,
    kafka: Kafka = None,
) -> None:
    """Write a synthetic day in Databento's CSV format, or publish a running stream, with labelled anomalies.

    With --live, labels are appended. Run again with the same file, the stream continues at its prices.
    """
    of_day = {"--output": output, "--trades": trades, "--date": date, "--integers": integers or None}
    of_stream = {"--rate": rate, "--duration": duration, "--kafka": kafka}
    for flag, given in (of_day if live else of_stream).items():
        if given is not None:
            raise typer.BadParameter(f"is for {'a day' if live else '--live'}", param_hint=flag)
    if live:
        from services.common.process.logs import configure_logs
        from services.producer.stream_service import run_stream
        from services.sources.synthetic.label_file import LabelFile
        from services.sources.synthetic.stream import StreamConfig, SyntheticStream

        configure_logs("producer")
        stream = StreamConfig(seed, PER_S if rate is None else rate, symbols, anomaly_rate)
        source = SyntheticStream(stream, LabelFile(labels))
        raise typer.Exit(run_stream(source, settings_from(Settings, kafka), duration))
    if output is None:
        raise typer.BadParameter("name the file, or give --live", param_hint="--output")
    from services.sources.synthetic.day import DayConfig, write_day

    config = DayConfig(
        date=(date or DAY).date(),
        seed=seed,
        trades=trades or TRADES,
        symbols=symbols,
        anomaly_rate=anomaly_rate,
    )
    count = write_day(config, output, labels, integers=integers)
    typer.echo(f"{count:,} trades in {output}, labels in {labels}", err=True)

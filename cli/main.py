"""The command line: `tapewatch COMMAND`. Each command imports its service only when it runs."""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.dead_letters import app as dead_letters_app
from services.common.config.settings import Settings
from services.common.errors import TapewatchError

app = typer.Typer(
    name="tapewatch",
    help="Watch a trade tape: anomalies found, explained and searchable within seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dead_letters_app, name="dead-letters")

Kafka = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Bootstrap servers; else TAPEWATCH_KAFKA.", show_default=False),
]
ElasticsearchUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Elasticsearch; else TAPEWATCH_ELASTICSEARCH.", show_default=False),
]
Files = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Databento trades: CSV or DBN, zstd or not; globs.")
]
UntilIdle = Annotated[
    float | None,
    typer.Option(metavar="S", min=0.0, help="Exit once all was read and nothing came for S seconds."),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME|FILE", help="What counts as unusual: default, classic, or a YAML file."
    ),
]


KafkaPort = Annotated[int, typer.Option(min=1, max=65535, help="Kafka, on 127.0.0.1.")]
ElasticsearchPort = Annotated[int, typer.Option(min=1, max=65535, help="Elasticsearch, on 127.0.0.1.")]


def main() -> None:
    """Run the command line; an expected failure is shown as cause and mend, with exit code 1."""
    try:
        sys.exit(app(standalone_mode=True))
    except TapewatchError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(Text.assemble(("Error: ", "bold red"), error.cause))
        console.print(Text.assemble(("Mend:  ", "bold"), error.mend))
        sys.exit(1)


def _settings(kafka: str | None = None, elasticsearch: str | None = None) -> Settings:
    given = {"kafka": kafka, "elasticsearch": elasticsearch}
    return Settings(**{name: value for name, value in given.items() if value is not None})


@app.command()
def produce(
    files: Files,
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="1 is real time, 60 sixty times faster; else as fast as possible."),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Publish N trades at most.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Publish from the first row, whatever was published before.")
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Publish the trades of files to the topic `trades`, each once: a restart goes on at the next row."""
    from services.common.process.logs import configure_logs
    from services.producer.service import run_produce

    if speed is not None and speed <= 0:
        raise typer.BadParameter("must be above 0", param_hint="--speed")
    configure_logs("producer")
    raise typer.Exit(run_produce(files, _settings(kafka), speed, limit, again))


@app.command()
def detect(
    profile: ProfileName = None,
    until_idle: UntilIdle = None,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset",
            help="Score all trades of the topic anew, with this profile; what it flags no more is removed.",
        ),
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Score the trades of the topic and publish the anomalous ones with the reasons."""
    from services.common.process.logs import configure_logs
    from services.detector.live.service import run_detect

    configure_logs("detector")
    raise typer.Exit(run_detect(_settings(kafka), profile, until_idle, reset))


@app.command()
def index(until_idle: UntilIdle = None, kafka: Kafka = None, elasticsearch: ElasticsearchUrl = None) -> None:
    """Index trades and anomalies into Elasticsearch."""
    from services.common.process.logs import configure_logs
    from services.indexer.service import run_index

    configure_logs("indexer")
    raise typer.Exit(run_index(_settings(kafka, elasticsearch), until_idle))


@app.command()
def setup(kafka: Kafka = None, elasticsearch: ElasticsearchUrl = None) -> None:
    """Create topics, index templates, lifecycle, users and Kibana's objects; a second run changes nothing."""
    from infra.setup.run import run_setup
    from services.common.process.logs import configure_logs
    from services.common.process.shutdown import Stop

    configure_logs("setup")
    raise typer.Exit(run_setup(_settings(kafka, elasticsearch), typer.echo, Stop()))


@app.command()
def backtest(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]", help="Databento trades; globs. Or give --from and --to."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="OUT.ndjson", help="One JSON anomaly a line.")
    ] = None,
    profile: ProfileName = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="REPORT.html", help="A report with plots.")
    ] = None,
    start: Annotated[
        dt.datetime | None, typer.Option("--from", help="Indexed trades from this time on (UTC).")
    ] = None,
    end: Annotated[dt.datetime | None, typer.Option("--to", help="And before this one (UTC).")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of the indexed trades, this symbol's alone.")] = None,
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Run the detector over files or indexed trades, without a broker; the report goes to stderr."""
    from services.detector.offline.backtest.run import file_inputs, run_backtest

    if bool(files) == (start is not None or end is not None):
        raise typer.BadParameter("give files, or --from and --to", param_hint="FILE")
    if files:
        inputs = file_inputs(files)
    elif start is None or end is None or start >= end:
        raise typer.BadParameter("give both, the earlier one first", param_hint="--from, --to")
    else:
        from services.common.elastic.client import new_client
        from services.sources.elasticsearch import IndexRange

        url = _settings(elasticsearch=elasticsearch).elasticsearch
        inputs = [IndexRange(new_client(url), start, end, symbol)]
    raise typer.Exit(run_backtest(inputs, output, profile, html))


@app.command()
def evaluate(
    files: Files,
    profile: ProfileName = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed injects the same anomalies.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Injections for each day.")] = 1,
    reshape: Annotated[
        bool, typer.Option("--reshape", help="Also as a 4-dollar, a thin and a 3,500-dollar stock.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="REPORT.json", help="Every figure of every run.")
    ] = None,
) -> None:
    """Inject known anomalies into real days, run the detector, and report what it finds and misses."""
    from services.detector.offline.evaluation.run import run_evaluate

    raise typer.Exit(run_evaluate(files, profile, seed, runs, reshape, output))


@app.command()
def tune(
    files: Files,
    output: Annotated[Path, typer.Option("--output", metavar="PROFILE.yaml", help="The profile to write.")],
    budget: Annotated[
        float, typer.Option(min=0.01, help="Alerts in 1,000 trades that each symbol may raise.")
    ] = 0.6,
    profile: ProfileName = None,
) -> None:
    """Propose thresholds and priors for each symbol of past days that meet an alert budget."""
    from services.detector.offline.tuning.run import run_tune

    raise typer.Exit(run_tune(files, budget, profile, output))


@app.command()
def generate(
    output: Annotated[
        Path, typer.Option("--output", metavar="FILE.csv.zst", help="The trades; plain if it ends in .csv.")
    ],
    labels: Annotated[
        Path, typer.Option("--labels", metavar="LABELS.csv", help="Which of them are anomalies.")
    ],
    trades: Annotated[int, typer.Option(metavar="N", min=1, help="How many trades.")] = 150_000,
    symbols: Annotated[int, typer.Option(metavar="N", min=1, help="How many symbols.")] = 5,
    date: Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="The trading day.")] = "2026-03-02",
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


@app.command()
def stack(
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the servers' data there; else it goes with them.")
    ] = None,
    kafka_port: KafkaPort = 19092,
    elasticsearch_port: ElasticsearchPort = 9200,
) -> None:
    """Run a real Kafka and Elasticsearch in the foreground, until Ctrl-C."""
    from infra.embedded.foreground import run_stack

    raise typer.Exit(run_stack(data_dir, kafka_port, elasticsearch_port))


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    elasticsearch: ElasticsearchUrl = None,
) -> None:
    """Serve the dashboard."""
    from dashboard.server.run import run_dashboard

    raise typer.Exit(run_dashboard(_settings(elasticsearch=elasticsearch), host, port))


@app.command()
def demo(
    data: Annotated[
        str, typer.Option(metavar="FILE[,FILE…]", help="Databento files to replay; else a generated day.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Exit when all is indexed; no dashboard.")] = False,
    kafka_port: KafkaPort = 19092,
    elasticsearch_port: ElasticsearchPort = 9200,
    dashboard_port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
) -> None:
    """Run the whole pipeline on this machine, from trades to anomalies on the screen."""
    from infra.demo.run import DemoConfig, run_demo

    files = [name for name in data.split(",") if name]
    raise typer.Exit(run_demo(DemoConfig(files, once, kafka_port, elasticsearch_port, dashboard_port)))


@app.command()
def doctor(kafka: Kafka = None, elasticsearch: ElasticsearchUrl = None) -> None:
    """Check the surroundings and say what is wrong and how to mend it."""
    from infra.doctor import run_doctor

    raise typer.Exit(run_doctor(_settings(kafka, elasticsearch)))


if __name__ == "__main__":
    main()

"""The parts that run as separate processes: what other parts need to know of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Component:
    """One kind of process.

    Parameters
    ----------
    service
        Its name in metrics, logs and dead letters.
    metrics_port
        The usual one of its first instance on a host; the next ones are `PORT_STEP` higher each.
    unit
        Unit that it counts.
    rate_metric, total_metric
        Names of the metrics: units per second recently, and units since the start.
    start_hint
        What to tell a person when it is not running.
    group
        Its consumer group; empty if it consumes nothing.
    is_required
        Whether Tapewatch is incomplete while it does not run.
    runs_always
        False if it ends by itself when its work is done.
    """

    service: str
    metrics_port: int
    unit: str
    rate_metric: str
    total_metric: str
    start_hint: str
    group: str = ""
    is_required: bool = True
    runs_always: bool = True


PORT_STEP = 10
PORTS_TRIED = 10
"""Instances of one component on a host."""

PRODUCER = Component(
    service="producer",
    metrics_port=9101,
    unit="trades",
    rate_metric="tapewatch_published_trades_per_second",
    total_metric="tapewatch_published_trades_total",
    start_hint="It ends when its files are published. To publish more: `tapewatch produce FILE…`.",
    runs_always=False,
)
DETECTOR = Component(
    service="detector",
    metrics_port=9102,
    unit="trades",
    rate_metric="tapewatch_scored_trades_per_second",
    total_metric="tapewatch_scored_trades_total",
    start_hint="Start it: `tapewatch detect`.",
    group="tapewatch-detector",
)
FEED = Component(
    service="feed",
    metrics_port=9104,
    unit="trades",
    rate_metric="tapewatch_published_trades_per_second",
    total_metric="tapewatch_published_trades_total",
    start_hint="To watch a market live: `tapewatch feed coinbase --symbols BTC-USD`.",
    is_required=False,
)

ALERTER = Component(
    service="alerter",
    metrics_port=9105,
    unit="anomalies",
    rate_metric="tapewatch_anomalies_per_second",
    total_metric="tapewatch_alerted_anomalies_total",
    start_hint="To be told of anomalies: `tapewatch alert --rules FILE`.",
    group="tapewatch-alerter",
    is_required=False,
)
SENDER_GROUP = "tapewatch-alert-sender"
"""Consumer group of the alerter's senders, one of which reads `alerts` at a time."""


DEFAULT_SINK = "elasticsearch"


def indexer(sink: str, metrics_port: int) -> Component:
    """Return the indexer with one of its sinks, each of which reads the topics for itself.

    Parameters
    ----------
    sink
        Its name, as in `tapewatch index --sink NAME`.
    metrics_port
        One that no other component has, nor a further instance of it: the last digit is its own.
    """
    is_default = sink == DEFAULT_SINK
    suffix = "" if is_default else f"-{sink}"
    return Component(
        service=f"indexer{suffix}",
        metrics_port=metrics_port,
        unit="documents",
        rate_metric="tapewatch_documents_per_second",
        total_metric="tapewatch_indexed_documents_total",
        start_hint=f"Start it: `tapewatch index{'' if is_default else f' --sink {sink}'}`.",
        group=f"tapewatch-indexer{suffix}",
        is_required=is_default,
    )


INDEXER = indexer(DEFAULT_SINK, 9103)

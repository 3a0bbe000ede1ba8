"""The registered sinks, one line each. A sink's code is loaded only when it is chosen."""

from dataclasses import dataclass

from services.contracts import components


@dataclass(frozen=True)
class SinkSpec:
    """One sink.

    Parameters
    ----------
    component
        The indexer with this sink, as others see it.
    code
        Its class, as `module:class`.
    extra
        The optional dependency of Tapewatch that it needs; empty for none.
    """

    component: components.Component
    code: str
    extra: str = ""


SINKS = {
    "elasticsearch": SinkSpec(
        components.INDEXER, "services.indexer.sinks.elasticsearch.sink:ElasticsearchSink", extra="indexer"
    ),
    "postgres": SinkSpec(
        components.indexer("postgres", 9106),
        "services.indexer.sinks.postgres.sink:PostgresSink",
        extra="postgres",
    ),
}
"""By the name that `tapewatch index --sink NAME` takes."""

COMPONENTS = {
    component.service: component
    for component in (
        components.PRODUCER,
        components.FEED,
        components.DETECTOR,
        components.ALERTER,
        *(spec.component for spec in SINKS.values()),
    )
}
"""Components that may run, by service name, in the order in which trades pass."""

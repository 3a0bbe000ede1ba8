"""`tapewatch index`: the topics that a sink reads, `trades` and `anomalies` among them, into it."""

from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.memory import tune_memory
from services.common.process.shutdown import Stop
from services.contracts.topics import DEAD_LETTERS_TOPIC
from services.indexer.runner import Runner
from services.indexer.sinks.loading import find_sink, load_sink


def run_index(settings: Settings, sink_name: str, until_idle_s: float | None) -> int:
    """Index until stopped, or until the end has been reached and nothing came for a while.

    Parameters
    ----------
    settings
        Where everything is.
    sink_name
        One of the registry's.
    until_idle_s
        Seconds without anything new at the end, after which it ends by itself; None: never.

    Returns
    -------
    int
        Exit code; a stop is a success.

    Raises
    ------
    TapewatchError
        If the sink is unknown or its package is missing, a topic or the sink's store is not set up or has
        unsafe settings, or the sink rejects everything permanently.
    """
    spec = find_sink(sink_name)
    component = spec.component
    kind = load_sink(spec)
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    health = Health()
    sink = kind(settings, stop)
    with serve_metrics(component, settings, health):
        topics = [*sink.topics, DEAD_LETTERS_TOPIC]
        if not wait_for_safe_topics(kafka, topics, stop, health):
            return 0
        if not sink.wait_until_ready(health):
            return 0
        runner = Runner(settings, component, sink, stop, health)
        try:
            runner.run(until_idle_s)
        finally:
            runner.close()
    return 0

"""The dashboard *Pipeline*: how Tapewatch itself does, by what Prometheus has of it."""

from infra.grafana.content.looks import BLUE, PIPELINE, RED
from infra.grafana.objects.dashboard import Place, dashboard
from infra.grafana.objects.panels import chart, numbers
from infra.grafana.objects.queries import Json, promql
from services.contracts.sinks import COMPONENTS

_JOBS = "|".join(COMPONENTS)
_RATE = "[$__rate_interval]"


def _quantile(metric: str, labels: str) -> str:
    return f"histogram_quantile(0.95, sum by (le, {labels}) (rate({metric}_bucket{_RATE})))"


RATES = {
    "published": f"sum(rate(tapewatch_published_trades_total{_RATE}))",
    "judged": f"sum(rate(tapewatch_scored_trades_total{_RATE}))",
    "stored by {{job}}": f"sum by (job) (rate(tapewatch_indexed_documents_total{_RATE}))",
}
"""Legend and expression of each query."""


def pipeline() -> Json:
    """Return the dashboard."""
    ready = promql("count(tapewatch_ready == 1) or vector(0)", "Ready", is_instant=True)
    waiting = promql("count(tapewatch_ready == 0) or vector(0)", "Not ready", "B", is_instant=True)
    state = numbers("Services", ready, {"Ready": BLUE, "Not ready": RED})
    state["targets"].append(waiting)
    rates = [promql(text, name, ref_id) for ref_id, (name, text) in zip("ABC", RATES.items(), strict=True)]
    lag = promql("sum by (service, topic) (tapewatch_lag_messages)", "{{service}}: {{topic}}")
    late = promql("max by (service) (tapewatch_event_time_lag_seconds)", "{{service}}")
    behind = chart(
        "Behind the clock",
        [late],
        unit="s",
        description="Now minus the newest event time; while an old day is replayed, that is the day's age.",
    )
    commits = promql(_quantile("tapewatch_commit_seconds", "service"), "{{service}}")
    stores = [
        promql(_quantile("tapewatch_bulk_seconds", "job"), "{{job}}: bulk request"),
        promql(_quantile("tapewatch_postgres_transaction_seconds", "job"), "{{job}}: transaction", "B"),
    ]
    dead = promql(f"sum by (service) (increase(tapewatch_dead_letters_total{_RATE}))", "{{service}}")
    again = [
        promql(
            f"sum by (service) (increase(tapewatch_aborted_transactions_total{_RATE}))",
            "{{service}}: aborted",
        ),
        promql(f"sum by (job) (increase(tapewatch_bulk_retries_total{_RATE}))", "{{job}}: bulk again", "B"),
        promql(f"sum by (job) (increase(tapewatch_postgres_retries_total{_RATE}))", "{{job}}: again", "C"),
    ]
    replay = promql("max by (partition) (tapewatch_checkpoint_age_messages)", "partition {{partition}}")
    memory = promql(
        f'sum by (job, instance) (process_resident_memory_bytes{{job=~"{_JOBS}"}})', "{{job}} {{instance}}"
    )
    return dashboard(
        PIPELINE,
        "Pipeline",
        "How Tapewatch itself does. docs/metrics.md says what each metric means.",
        [],
        [
            Place(state, 0, 0, 4, 9),
            Place(chart("Messages a second", rates, unit="locale"), 4, 0, 20, 9),
            Place(chart("Lag", [lag], unit="locale"), 0, 9, 12, 9),
            Place(behind, 12, 9, 12, 9),
            Place(chart("Commits: 95 % within", [commits], unit="s"), 0, 18, 12, 9),
            Place(chart("Writes to the stores: 95 % within", stores, unit="s"), 12, 18, 12, 9),
            Place(chart("Dead letters", [dead], unit="locale", is_stacked=True), 0, 27, 12, 9),
            Place(chart("Aborted and tried again", again, unit="locale", is_stacked=True), 12, 27, 12, 9),
            Place(chart("Messages that a restart would read again", [replay], unit="locale"), 0, 36, 12, 9),
            Place(chart("Memory", [memory], unit="bytes"), 12, 36, 12, 9),
        ],
    )

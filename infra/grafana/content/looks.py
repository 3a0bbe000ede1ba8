"""Colors, words, variables, SQL and panels that several of Grafana's dashboards share."""

from infra.grafana.objects import variables
from infra.grafana.objects.panels import Link, bars, chart
from infra.grafana.objects.queries import IN_DAYS, IN_RANGE, Json, over_time, sql
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import by_label
from services.contracts.postgres import TRADES_TABLE

SEVERITIES = {str(severity): color for severity, color in SEVERITY_COLORS.items()}
LABELS = {label: spec.color for label, spec in by_label().items()}
BLUE, RED = SEVERITY_COLORS[Severity.LOW], SEVERITY_COLORS[Severity.CRITICAL]

MARKET, ANOMALIES, ALERTS, PIPELINE = (
    f"tapewatch-{name}" for name in ("market", "anomalies", "alerts", "pipeline")
)
"""The dashboards' ids, which are part of their addresses."""

SYMBOLS_SHOWN = 25
ROWS_SHOWN = 100
SYMBOLS_OFFERED = 10_000

# Before the first trade there is nothing to choose: an array may be empty, what follows IN may not.
CHOSEN_SYMBOLS = "symbol = ANY (ARRAY[${symbol:sqlstring}]::text[])"
CHOSEN_SEVERITIES = "severity = ANY (ARRAY[${severity:sqlstring}]::text[])"
CHOSEN_LABELS = "labels && ARRAY[${label:sqlstring}]::text[]"

COUNT_BY_SEVERITY = ",\n       ".join(
    f"count(*) FILTER (WHERE severity = '{severity}') AS \"{severity}\"" for severity in SEVERITIES
)

INTERVAL = variables.interval(["1s", "10s", "1m", "5m", "10m", "30m", "1h", "6h", "1d"])

TAPEWATCH = variables.text_box(
    "tapewatch",
    "Tapewatch",
    "http://127.0.0.1:8501",
    "Address of Tapewatch's own dashboard, which links lead to",
)

# One look into an index for each symbol, however many trades it has.
_TRADED = f"""
WITH RECURSIVE traded AS (
  (SELECT symbol FROM {TRADES_TABLE} WHERE {IN_DAYS} ORDER BY symbol LIMIT 1)
  UNION ALL
  SELECT (SELECT t.symbol FROM {TRADES_TABLE} t WHERE {IN_DAYS} AND t.symbol > traded.symbol
          ORDER BY 1 LIMIT 1)
  FROM traded WHERE symbol IS NOT NULL
)
SELECT symbol FROM traded WHERE symbol IS NOT NULL LIMIT {SYMBOLS_OFFERED}
""".strip()

TRADED_SYMBOLS = variables.from_query("symbol", "Symbol", _TRADED)


def symbols_of(table: str) -> Json:
    """Return the choice among the symbols of a table of which there are few rows."""
    text = f"SELECT DISTINCT symbol FROM {table} WHERE {IN_RANGE} ORDER BY 1 LIMIT {SYMBOLS_OFFERED}"
    return variables.from_query("symbol", "Symbol", text, all_of="symbol")


def labels(first: str) -> Json:
    """Return the choice of a label; `first` is the SQL for a label that a row surely has."""
    return variables.from_list("label", "Label", list(LABELS), all_of=first)


SEVERITY = variables.from_list("severity", "Severity", list(SEVERITIES), all_of="severity")


def by_severity(rows: str) -> str:
    """Return the SQL that counts rows over time, by severity; `rows` is its FROM and WHERE."""
    return f"""
SELECT $__timeGroupAlias(time, $interval),
       {COUNT_BY_SEVERITY}
{rows}
GROUP BY 1
"""


def by_symbol(rows: str) -> str:
    """Return the SQL that counts rows by symbol and severity; `rows` as in `by_severity`."""
    return f"""
SELECT symbol,
       {COUNT_BY_SEVERITY}
{rows}
GROUP BY 1
ORDER BY count(*) DESC, 1 LIMIT {SYMBOLS_SHOWN}
""".strip()


def severities_chart(title: str, query: str) -> Json:
    """Return the chart of a `by_severity`."""
    return chart(title, [over_time(query)], unit="locale", colors=SEVERITIES, is_stacked=True)


def symbols_bars(what: str, query: str, link: Link) -> Json:
    """Return the bars of a `by_symbol`; a bar is a link."""
    title = f"{what} by symbol, the {SYMBOLS_SHOWN} with the most"
    return bars(title, sql(query), rows="symbol", colors=SEVERITIES, links=[link])


def to_market(value: str) -> Link:
    """Return the link to a symbol's trades; `value` is what Grafana replaces by the symbol."""
    return "Trades of this symbol", _with_symbol(MARKET, value)


def to_anomalies(value: str) -> Link:
    """Return the link to a symbol's anomalies; `value` as in `to_market`."""
    return "Anomalies of this symbol", _with_symbol(ANOMALIES, value)


def to_page(path: str, what: str) -> Link:
    """Return the link from an id to Tapewatch's page of it."""
    return f"Tapewatch's page of this {what}", f"${{tapewatch}}/{path}?id=${{__value.raw:percentencode}}"


def _with_symbol(uid: str, value: str) -> str:
    return f"/d/{uid}?${{__url_time_range}}&var-symbol=${{{value}:percentencode}}"

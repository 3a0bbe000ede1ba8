"""The dashboard *Market*: prices, volume and rate of the trades, with the anomalies marked on them."""

from textwrap import indent

from infra.grafana.content.looks import (
    BLUE,
    CHOSEN_SYMBOLS,
    INTERVAL,
    MARKET,
    SEVERITIES,
    SYMBOLS_SHOWN,
    TRADED_SYMBOLS,
    to_anomalies,
)
from infra.grafana.objects.dashboard import Place, dashboard
from infra.grafana.objects.panels import as_dashes, as_points, chart, numbers, table
from infra.grafana.objects.queries import (
    IN_DAYS,
    IN_RANGE,
    MOST_POINTS,
    OF_INTERVAL,
    Format,
    Json,
    over_time,
    sql,
)
from services.contracts.anomaly import Severity
from services.contracts.postgres import ANOMALIES_TABLE, TRADES_TABLE
from services.contracts.trade import SIDE_COLORS, SIDE_WORDS

LARGE = 100_000
"""Prints of so many shares are left to the table: beside a cross, nothing else of the day would be seen."""

_LARGEST_SHOWN = 20
_MARKED = tuple(str(one) for one in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL))

_TRADES = f"""
FROM {TRADES_TABLE}
WHERE {IN_RANGE}
  AND {CHOSEN_SYMBOLS}
""".strip()
_PRICED = "price_eligible IS NOT FALSE"
_COUNTED = "volume_eligible IS NOT FALSE"
_SIDES = " ".join(f"WHEN '{side}' THEN '{word}'" for side, word in SIDE_WORDS.items())

TOTALS = f"""
SELECT count(*) AS "Trades",
       coalesce(sum(size) FILTER (WHERE {_COUNTED}), 0) AS "Volume"
{_TRADES}
""".strip()

# The last print is looked up by its time: to sort all prints of each interval would take longer.
PRICES = f"""
WITH intervals AS (
  SELECT {OF_INTERVAL} AS start,
         symbol,
         max(time) AS last_time,
         sum(price * size) FILTER (WHERE {_COUNTED}) AS worth,
         sum(size) FILTER (WHERE {_COUNTED}) AS volume
  {indent(_TRADES, "  ").lstrip()}
    AND {_PRICED}
  GROUP BY 1, 2
  ORDER BY 1 DESC LIMIT {MOST_POINTS}
)
SELECT start AS time,
       intervals.symbol AS series,
       price,
       sum(worth) OVER so_far / nullif(sum(volume) OVER so_far, 0) AS "VWAP"
FROM intervals, LATERAL (
  SELECT price
  FROM {TRADES_TABLE}
  WHERE {IN_DAYS}
    AND time = last_time
    AND symbol = intervals.symbol
    AND {_PRICED}
  ORDER BY ts_ns DESC, sequence DESC NULLS LAST, trade_id DESC LIMIT 1
) AS last
WINDOW so_far AS (PARTITION BY intervals.symbol ORDER BY start)
ORDER BY 1
""".strip()

MARKS = f"""
SELECT time,
       severity AS series,
       price AS anomaly
FROM {ANOMALIES_TABLE}
WHERE {IN_RANGE}
  AND {CHOSEN_SYMBOLS}
  AND severity IN ({", ".join(f"'{one}'" for one in _MARKED)})
"""

VOLUME = f"""
SELECT {OF_INTERVAL} AS time,
       CASE side {_SIDES} END AS side,
       sum(size) AS volume
{_TRADES}
  AND {_COUNTED}
  AND size < {LARGE}
GROUP BY 1, 2
"""

PACE = f"""
SELECT {OF_INTERVAL} AS time,
       count(*) / (extract(epoch FROM interval '$interval') / 60) AS "Trades a minute"
{_TRADES}
GROUP BY 1
"""

LARGEST = f"""
SELECT time, symbol, size, price, CASE side {_SIDES} END AS side,
       array_to_string(conditions, ', ') AS conditions, trade_id
{_TRADES}
ORDER BY size DESC, time, trade_id LIMIT {_LARGEST_SHOWN}
""".strip()

SYMBOLS = f"""
SELECT symbol,
       count(*) AS trades,
       sum(size) FILTER (WHERE {_COUNTED}) AS volume,
       min(price) AS low,
       max(price) AS high,
       max(size) AS largest
FROM {TRADES_TABLE}
WHERE {IN_RANGE}
GROUP BY 1
ORDER BY 2 DESC, 1 LIMIT {SYMBOLS_SHOWN}
""".strip()


def market() -> Json:
    """Return the dashboard."""
    words = {SIDE_WORDS[side]: color for side, color in SIDE_COLORS.items()}
    marks = {name: as_points(color) for name, color in SEVERITIES.items() if name in _MARKED}
    prices = chart(
        "Price and VWAP, with anomalies from medium on",
        [sql(PRICES, Format.OVER_TIME), over_time(MARKS, "B")],
        unit="none",
        series="${__field.labels.series} ${__field.name}",
        overrides={"/ VWAP$/": as_dashes()}
        | {f"{name} anomaly": properties for name, properties in marks.items()},
        description="Price: the last print of each interval. VWAP: from the left edge on; choose a session "
        "as the time range for that of the session. Prints that do not count for prices are left out.",
    )
    volume = chart(
        f"Volume by side of the aggressor, prints below {LARGE:,}",
        [over_time(VOLUME)],
        unit="locale",
        series="${__field.labels.side}",
        colors=words,
        is_stacked=True,
    )
    pace = chart(
        "Trades a minute",
        [over_time(PACE)],
        unit="locale",
        colors={"Trades a minute": BLUE},
        is_stacked=True,
        description="The mean of each interval.",
    )
    largest = table(
        "Largest trades of the chosen symbols",
        sql(LARGEST),
        columns={
            "time": 180,
            "symbol": 90,
            "size": 110,
            "price": 100,
            "side": 80,
            "conditions": 140,
            "trade_id": 0,
        },
        colors={"side": words},
        links={"symbol": to_anomalies("__value.raw")},
    )
    symbols = table(
        f"The {SYMBOLS_SHOWN} symbols with the most trades",
        sql(SYMBOLS),
        columns={"symbol": 90, "trades": 90, "volume": 120, "low": 100, "high": 100, "largest": 110},
        links={
            "symbol": (
                "Choose this symbol",
                f"/d/{MARKET}?${{__url_time_range}}&var-symbol=${{__value.raw:percentencode}}",
            )
        },
        description="Of all symbols, not only the chosen ones. A bad print shows in low or high.",
    )
    return dashboard(
        MARKET,
        "Market",
        "Price, volume and rate of trades of the chosen symbols.",
        [TRADED_SYMBOLS, INTERVAL],
        [
            Place(numbers("Total", sql(TOTALS), {"Trades": BLUE, "Volume": BLUE}), 0, 0, 4, 11),
            Place(prices, 4, 0, 20, 11),
            Place(volume, 0, 11, 12, 9),
            Place(pace, 12, 11, 12, 9),
            Place(symbols, 0, 20, 10, 11),
            Place(largest, 10, 20, 14, 11),
        ],
    )

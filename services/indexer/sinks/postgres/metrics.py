"""What the sink for Postgres counts and measures."""

from prometheus_client import Counter, Histogram

TRANSACTION_SECONDS = Histogram(
    "tapewatch_postgres_transaction_seconds", "Time of a transaction of rows and offsets, in seconds"
)
RETRIES = Counter("tapewatch_postgres_retries_total", "Transactions that had to be tried again")
KNOWN_TRADES = Counter(
    "tapewatch_postgres_known_trades_total", "Trades that were read again and were in the table already"
)
DROPPED_DAYS = Counter("tapewatch_postgres_dropped_days_total", "Days dropped because their time was over")

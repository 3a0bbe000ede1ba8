"""What the sink for Elasticsearch counts and measures."""

from prometheus_client import Counter, Histogram

BULK_RETRIES = Counter(
    "tapewatch_bulk_retries_total", "Bulk requests that had to be sent again, in part or as a whole"
)
BULK_SECONDS = Histogram("tapewatch_bulk_seconds", "Time of a bulk request, in seconds")

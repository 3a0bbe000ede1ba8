"""The measured figures that a plan rests on; tests compare them with the pages that have them."""

DETECTOR_TRADES_PER_S = 268_108
"""One detector on Kafka, exactly once (docs/performance.md)."""

PRODUCER_TRADES_PER_S = 350_282
"""One producer that publishes to Kafka (docs/performance.md)."""

INDEXER_TRADES_PER_S = 120_088
"""One indexer with four connections (docs/performance.md)."""

BROKER_TRADES_PER_S = 369_133
"""A producer, exactly once, on a broker that shares two cores with it (docs/performance.md): so a broker with
two cores takes at least as many. None was measured alone."""

BROKER_CORES = 2

ELASTICSEARCH_US_PER_TRADE = 30
"""Elasticsearch's processor time for a trade, the upper end of what was measured (docs/elasticsearch.md)."""

SYMBOL_KB = 56.7
"""A detector's memory for one session of a symbol, kB (docs/performance.md)."""

INDEXED_BYTES_PER_TRADE = 130
"""Of an index without compressed documents, the upper end of what was measured (docs/elasticsearch.md)."""

MERGING = 1.5
"""What an index takes while its segments merge, over its size (docs/elasticsearch.md)."""

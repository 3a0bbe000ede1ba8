"""The services, by what others see of them."""

DETECTOR_GROUP = "tapewatch-detector"
INDEXER_GROUP = "tapewatch-indexer"

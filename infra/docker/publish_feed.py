"""Publishes the live market that `FEED` names, such as `coinbase:BTC-USD,ETH-USD`: becomes `tapewatch feed`.

It ends with what is wrong if `FEED` cannot be used, or if the topic has the generated day: real prints beside
it would mislead. Further arguments are those of `tapewatch feed`.
"""

import os
import sys
from collections.abc import Mapping, Sequence

from infra.docker.publish_days import GENERATED, told
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.common.process.logs import configure_logs
from services.common.process.shutdown import Stop
from services.producer.progress import published_sources
from services.sources.feeds.registry import open_venue, parse_feed


def main(environment: Mapping[str, str], options: Sequence[str]) -> int:
    """Become `tapewatch feed`; return the exit code if that must not be."""
    configure_logs("feed")
    stop = Stop()
    try:
        venue, symbols = named(environment.get("FEED", ""))
        check_no_generated_day(stop)
    except TapewatchError as error:
        return told(f"{error.cause} {error.hint}")
    if not stop.requested:
        tapewatch = [sys.executable, "-m", "cli.main", "feed", venue, "--symbols", ",".join(symbols)]
        os.execv(sys.executable, [*tapewatch, *options])  # noqa: S606 - it gets the container's signals itself
    return 0


def named(feed: str) -> tuple[str, tuple[str, ...]]:
    """Return the venue and its symbols; raises TapewatchError if it is no feed, or its key is missing."""
    if not feed:
        raise TapewatchError("FEED is not set.", "Name a live market, such as FEED=coinbase:BTC-USD,ETH-USD.")
    venue, symbols = parse_feed(feed)
    open_venue(venue, symbols, None, None)
    return venue, symbols


def check_no_generated_day(stop: Stop) -> None:
    """Raise TapewatchError if the generated day was published; waits for Kafka."""
    sources = published_sources(kafka_connection(Settings()), stop)
    if GENERATED.name in [source.file for source in sources]:
        raise TapewatchError(
            "The topic trades has the generated day, and real prints beside it would mislead.",
            "Start from scratch: docker compose down --volumes",
        )


if __name__ == "__main__":
    sys.exit(main(os.environ, sys.argv[1:]))

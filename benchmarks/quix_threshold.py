"""The peer of the service benchmark: Quix Streams applying one threshold to each trade, exactly once.

It runs in the peers' own environment, so it imports nothing of Tapewatch. All settings are Quix Streams' own
defaults, except for what the command line names.

Usage: quix_threshold.py BOOTSTRAP GROUP INPUT OUTPUT COMMIT_EVERY STATE_DIR
"""

import sys

from quixstreams import Application

THRESHOLD_SHARES = 20_000


def main(bootstrap: str, group: str, source: str, sink: str, commit_every: str, state_dir: str) -> None:
    """Publish the trades above the threshold until SIGTERM."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=int(commit_every),
        state_dir=state_dir,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    trades = app.dataframe(app.topic(source, value_deserializer="json"))
    large = trades[trades["size"] > THRESHOLD_SHARES]
    large.to_topic(app.topic(sink, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The job in Quix Streams: a threshold on each trade, exactly once.

It runs in Quix Streams' own environment, so it imports nothing of Tapewatch. All settings are Quix Streams'
own defaults, except for those that the command line names.

Usage: threshold.py BOOTSTRAP GROUP INPUT OUTPUT THRESHOLD STATE_DIR SETTINGS

SETTINGS is a JSON object: further arguments of `Application`.
"""

import json
import sys

from quixstreams import Application


def main(
    bootstrap: str, group: str, source: str, sink: str, threshold: str, state_dir: str, settings: str
) -> None:
    """Publish the trades above the threshold until SIGTERM."""
    least = int(threshold)
    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=state_dir,
        auto_create_topics=False,
        loglevel="WARNING",
        **json.loads(settings),
    )
    trades = app.dataframe(app.topic(source, value_deserializer="json"))
    large = trades[trades["size"] > least]
    large.to_topic(app.topic(sink, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The peer of the indexer's benchmark: Quix Streams' own sink for Elasticsearch.

It runs in Quix Streams' own environment, so it imports nothing of Tapewatch. The sink writes into only one
index, which exists already with Tapewatch's mapping. It sends when Quix Streams commits, which here is after
as many messages as one bulk request takes.

Usage: sink.py BOOTSTRAP GROUP TOPIC URL INDEX TRADES DOCUMENTS_A_REQUEST STATE_DIR
"""

import sys

from quixstreams import Application
from quixstreams.sinks.base.item import SinkItem
from quixstreams.sinks.community.elasticsearch import ElasticsearchSink


def main(
    bootstrap: str, group: str, topic: str, url: str, index: str, trades: str, documents: str, state_dir: str
) -> None:
    """Index the given number of trades under their ids."""

    def trade_id(item: SinkItem) -> str:
        return str(item.value["trade_id"])

    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_every=int(documents),
        state_dir=state_dir,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    sink = ElasticsearchSink(url, index, document_id_setter=trade_id, batch_size=int(documents))
    app.dataframe(app.topic(topic, value_deserializer="json")).sink(sink)
    app.run(count=int(trades), collect=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

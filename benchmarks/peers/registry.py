"""The peers, in the order of the table's rows."""

from benchmarks.peers.base import Peer
from benchmarks.peers.flink.peer import Flink
from benchmarks.peers.kafka_streams.peer import KafkaStreams
from benchmarks.peers.quix.peer import QuixStreams
from benchmarks.peers.tapewatch import Tapewatch

PEERS: tuple[Peer, ...] = (Tapewatch(), QuixStreams(), KafkaStreams(), Flink())

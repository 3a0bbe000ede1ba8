"""How many of everything a tape needs: arithmetic alone."""

import math
from dataclasses import dataclass

from infra.scaling import measured

MOST_PARTITIONS = 512
"""`TAPEWATCH_PARTITIONS` allows no more."""


@dataclass(frozen=True)
class Tape:
    """What is to be watched.

    Attributes
    ----------
    name
        For people.
    trades_per_day
        Prints on a busy day.
    peak_per_s
        Prints a second in the busiest minutes.
    symbols
        How many print on a day.
    """

    name: str
    trades_per_day: int
    peak_per_s: int
    symbols: int


@dataclass(frozen=True)
class Assumptions:
    """What is not measured but chosen or assumed.

    Attributes
    ----------
    headroom
        Everything is made for so many times the peak, so that one may be away, and what was missed is caught
        up.
    busiest_share
        Share of the trades that the busiest symbol has; all of them are in one partition.
    partitions_per_detector
        Room to grow, because the number of partitions is chosen once.
    replication, replicas
        Copies of a partition, and of a shard besides the primary.
    kafka_days, index_days
        How long `trades` and indices of trades are kept.
    server_cores
        Of a machine with a broker or a node.
    kafka_bytes_per_trade
        In the topic: 42 to 51 compressed as the producer does it, by the size of the batches, and what
        transactions and the other topics add.
    sessions_kept
        Of each symbol, in a detector's memory.
    shard_gb
        Largest shard, GB.
    """

    headroom: float = 2.0
    busiest_share: float = 0.05
    partitions_per_detector: int = 4
    replication: int = 3
    replicas: int = 1
    kafka_days: int = 7
    index_days: int = 30
    server_cores: int = 8
    kafka_bytes_per_trade: int = 60
    sessions_kept: int = 8
    shard_gb: int = 50


@dataclass(frozen=True)
class Plan:
    """What a tape needs.

    Attributes
    ----------
    partitions
        For `TAPEWATCH_PARTITIONS`.
    producers, detectors, indexers
        Processes.
    brokers, nodes
        Machines.
    shards
        Primary shards of a day of trades, for `TAPEWATCH_SHARDS`.
    kafka_gb, index_gb
        Disk of all brokers and of all nodes together, GB (10^9 bytes).
    detector_gb
        Memory of one detector for its symbols, GB.
    busiest_symbol_load
        Share of one detector's measured rate that the busiest symbol takes at the peak; above 1 no number of
        detectors is enough.
    """

    partitions: int
    producers: int
    detectors: int
    indexers: int
    brokers: int
    nodes: int
    shards: int
    kafka_gb: float
    index_gb: float
    detector_gb: float
    busiest_symbol_load: float

    @property
    def is_possible(self) -> bool:
        """Whether the pipeline can be so large: a symbol is one detector's, and partitions have a limit."""
        return self.busiest_symbol_load <= 1 and self.detectors <= self.partitions


def plan(tape: Tape, chosen: Assumptions | None = None) -> Plan:
    """Return what a tape needs by the measured figures.

    Parameters
    ----------
    tape
        What is to be watched.
    chosen
        What is assumed; None for the usual.
    """
    chosen = chosen or Assumptions()
    wanted_per_s = tape.peak_per_s * chosen.headroom
    detectors = math.ceil(wanted_per_s / measured.DETECTOR_TRADES_PER_S)
    broker_per_s = measured.BROKER_TRADES_PER_S * chosen.server_cores / measured.BROKER_CORES
    node_per_s = chosen.server_cores * 1e6 / measured.ELASTICSEARCH_US_PER_TRADE
    copies = 1 + chosen.replicas
    brokers = max(chosen.replication, math.ceil(wanted_per_s * chosen.replication / broker_per_s))
    nodes = max(3, math.ceil(wanted_per_s * copies / node_per_s))
    day_gb = tape.trades_per_day * measured.INDEXED_BYTES_PER_TRADE / 1e9
    sessions = tape.symbols * chosen.sessions_kept / detectors
    return Plan(
        partitions=_partitions(detectors * chosen.partitions_per_detector),
        producers=math.ceil(wanted_per_s / measured.PRODUCER_TRADES_PER_S),
        detectors=detectors,
        indexers=math.ceil(wanted_per_s / measured.INDEXER_TRADES_PER_S),
        brokers=brokers,
        nodes=nodes,
        shards=1 if detectors == 1 else max(nodes, math.ceil(day_gb / chosen.shard_gb)),
        kafka_gb=(
            tape.trades_per_day * chosen.kafka_bytes_per_trade * chosen.kafka_days * chosen.replication / 1e9
        ),
        index_gb=day_gb * chosen.index_days * copies * measured.MERGING,
        detector_gb=sessions * measured.SYMBOL_KB / 1e6,
        busiest_symbol_load=tape.peak_per_s * chosen.busiest_share / measured.DETECTOR_TRADES_PER_S,
    )


def _partitions(least: int) -> int:
    """Return a number that two, three, four and six share out evenly, if it may be so large."""
    return min(MOST_PARTITIONS, max(6, math.ceil(least / 12) * 12 if least > 6 else 6))

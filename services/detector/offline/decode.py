"""Decodes a source's chunk for the detector."""

from dataclasses import dataclass

from services.contracts.trade import Trade
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.decode import decode_trades
from services.detector.engine.growth import Prints
from services.sources.base import Chunk, Source


@dataclass(frozen=True)
class DecodedChunk:
    """Consecutive trades as the live detector would receive them; n of each.

    Parameters
    ----------
    values
        Their JSON.
    trades
        The same, decoded.
    columns
        The same, as columns.
    rejected
        How many rows among them are not trades.
    """

    values: list[bytes]
    trades: list[Trade]
    columns: TradeColumns
    rejected: int

    @property
    def prints(self) -> Prints:
        """What identifies the trades; an anomaly's origin is its trade's JSON."""
        return Prints(lambda at: self.trades[at].trade_id, self.values.__getitem__)


def decode_chunk(source: Source, chunk: Chunk, time_zone: str) -> DecodedChunk:
    """Write a chunk as JSON and decode it, as it passes through the topic on its way to the live detector.

    Rows that the live detector would reject are dropped and counted; `time_zone` is the exchange's.
    """
    values = source.to_json(chunk.trades)
    decoded = decode_trades(values)
    columns = to_columns(decoded.trades, time_zone)
    rejected = len(chunk.rejected) + len(decoded.rejected)
    return DecodedChunk(decoded.kept(values), decoded.trades, columns, rejected)

"""Binance's public dumps of trades and aggregate trades, of its spot and futures markets.

The files name no symbol: it is the beginning of their own name, `BTCUSDT-trades-2026-01-02.csv`.
"""

import re
from pathlib import Path

from services.common.errors import TapewatchError
from services.sources.cells import fields_of
from services.sources.mapped.csv import MappedCsv, head_lines
from services.sources.mapped.mapping import Mapping, mapping_of

NAME = re.compile(r"([A-Z0-9_]+)-(trades|aggTrades)-")
SIDES = {"buy": ["false"], "sell": ["true"]}  # whether the buyer was the maker: then the seller took
SPOT_TRADES_COLUMNS = 7


class BinanceTrades(MappedCsv):
    """One dump.

    Parameters
    ----------
    path
        The file, under the name that it was published with.

    Raises
    ------
    TapewatchError
        Its name does not tell the symbol.
    """

    def __init__(self, path: Path) -> None:
        first = fields_of(head_lines(path)[0], ",")
        super().__init__(path, _mapping(first, _symbol(path)))


def _symbol(path: Path) -> str:
    found = NAME.match(path.name)
    if found is None:
        raise TapewatchError(
            f"{path} is a dump of Binance's, which name their symbol only in the file's name.",
            "Give it its own name again, such as BTCUSDT-trades-2026-01-02.csv.",
        )
    return found[1]


def _mapping(first: list[str], symbol: str) -> Mapping:
    """Return the mapping for a file with this first line."""
    is_futures = not first[0].isdecimal()  # only those have a header
    if is_futures:
        is_aggregate = first[0].startswith("agg")
        time, size = ("transact_time", "quantity") if is_aggregate else ("time", "qty")
        columns = {"id": first[0], "price": "price", "size": size, "time": time, "side": "is_buyer_maker"}
    else:
        is_aggregate = len(first) > SPOT_TRADES_COLUMNS
        time, side = ("#6", "#7") if is_aggregate else ("#5", "#6")
        columns = {"id": "#1", "price": "#2", "size": "#3", "time": time, "side": side}
    source = "binance" + ("-futures" if is_futures else "") + ("-agg" if is_aggregate else "")
    return mapping_of(
        {**columns, **SIDES, "sequence": columns["id"], "symbol": f'"{symbol}"', "source": source}, "Binance"
    )

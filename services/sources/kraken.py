"""Kraken's public dumps of trades: time, price and volume without a header, a file for each pair.

The files name no symbol: it is their own name, `XBTUSD.csv`.
"""

import re
from pathlib import Path

from services.common.errors import TapewatchError
from services.sources.mapped.csv import MappedCsv
from services.sources.mapped.mapping import mapping_of

NAME = re.compile(r"([A-Z0-9]{3,20})\.")
COLUMNS = {"time": "#1", "price": "#2", "size": "#3", "side": "-", "unit": "s", "source": "kraken"}


class KrakenTrades(MappedCsv):
    """One dump.

    Parameters
    ----------
    path
        The file, under the name that it was published with.

    Raises
    ------
    TapewatchError
        Its name does not tell the pair.
    """

    def __init__(self, path: Path) -> None:
        found = NAME.match(path.name)
        if found is None:
            raise TapewatchError(
                f"{path} has times, prices and volumes without a header, as Kraken's dumps do,"
                " and its name is not that of a pair.",
                "Name it like XBTUSD.csv; of a zip with many pairs, unpack the one. For a file from elsewhere"
                " say --map 'time=#1,symbol=\"NAME\",price=#2,size=#3,side=-'.",
            )
        super().__init__(path, mapping_of(COLUMNS | {"symbol": f'"{found[1]}"'}, "Kraken"))

"""The symbols of Databento's instruments: which one an instrument has on a day."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

_INSTRUMENT_ID = "instrument_id"
_SCHEMA = {"instrument_id": pl.Int64, "start": pl.Date, "end": pl.Date, "symbol": pl.String}


class Instruments:
    """Intervals of days in which an instrument has a symbol; the end is exclusive.

    Where two intervals have a day, the one that begins later counts.
    """

    def __init__(self) -> None:
        self._intervals = pl.DataFrame(schema=_SCHEMA)

    def add_mappings(
        self,
        mappings: Mapping[str, Iterable[Mapping[str, Any]]],
        stype_in: str,
        stype_out: str,
        names: tuple[str, str, str] = ("start_date", "end_date", "symbol"),
    ) -> None:
        """Add what a file's metadata or a `symbology.json` says.

        Parameters
        ----------
        mappings
            By what was asked for, its intervals. An interval without a symbol says nothing.
        stype_in, stype_out
            What the keys and the symbols are; one of them has to be `instrument_id`.
        names
            An interval's keys of the first day, of the day after the last, and of the symbol.

        Raises
        ------
        ValueError
            Neither is `instrument_id`, or a number or a day cannot be read.
        KeyError
            An interval lacks a key.
        """
        if _INSTRUMENT_ID not in (stype_in, stype_out):
            raise ValueError(f"it maps {stype_in} to {stype_out}, and no instrument_id")
        rows = []
        for asked, intervals in mappings.items():
            for interval in intervals:
                start, end, told = (interval[name] for name in names)
                if told:
                    number, symbol = (asked, told) if stype_in == _INSTRUMENT_ID else (told, asked)
                    rows.append((int(number), _day(start), _day(end), str(symbol)))
        added = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        self._intervals = pl.concat([self._intervals, added]).sort("start", maintain_order=True)

    def symbols(self, instrument_ids: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Return the symbols of instruments on days.

        Parameters
        ----------
        instrument_ids
            int64, shape (n,).
        days
            datetime64[D], shape (n,).

        Returns
        -------
        array
            Text, or None where no interval has the day; object, shape (n,).
        """
        asked = pl.DataFrame({"instrument_id": instrument_ids, "day": days}).cast({"instrument_id": pl.Int64})
        found = (
            asked.unique()
            .join(self._intervals, on="instrument_id")
            .filter(pl.col("day").is_between("start", "end", closed="left"))
            .sort("start", maintain_order=True)
            .unique(["instrument_id", "day"], keep="last", maintain_order=True)
            .select("instrument_id", "day", "symbol")
        )
        by_row = asked.join(found, on=["instrument_id", "day"], how="left", maintain_order="left")
        return by_row["symbol"].to_numpy(allow_copy=True).astype(object)


def told_symbol(asked: str, given: str) -> str:
    """Return the symbol that a live stream's message gives to an instrument.

    Parameters
    ----------
    asked, given
        What the message maps: the symbol that was asked for, and the instrument's; a number is no symbol.
    """
    return asked if given.isdigit() else given


def _day(value: object) -> dt.date:
    return dt.date.fromisoformat(str(value)[:10])

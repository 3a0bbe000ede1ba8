"""Turns the columns of a file into trades, as a mapping says."""

import polars as pl

from services.common.errors import TapewatchError
from services.sources.columns import PLAIN_TEXT
from services.sources.encode import Encoding
from services.sources.mapped.mapping import ABSENT, Mapping, Part
from services.sources.ordinals import Ordinals
from services.sources.values import (
    date_order,
    epoch_times,
    epoch_times_of_any_unit,
    numbers,
    prices,
    sizes,
    times,
    whole_numbers,
)

BUY = ("b", "buy", "bot", "bought")
SELL = ("s", "a", "sell", "sld", "sold")
NO_SIDE = ("", "n", "-", "none", "null", "nan", "unknown", "u", "0")
EPOCH = r"^\d{9,19}(\.\d+)?$"


class Converter:
    """Converts one file, chunk after chunk.

    Parameters
    ----------
    mapping
        The mapping.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._order = mapping.order
        self._ordinals = Ordinals()
        fields = ["sequence"] if mapping.sequence else []
        fields += ["venue"] if mapping.venue else []
        extra = list(mapping.extra)
        if mapping.kind == "bar":
            fields.append("kind")
            extra = [*(name for name in ("open", "high", "low") if getattr(mapping, name)), *extra]
        self.encoding = Encoding(mapping.source, tuple(fields), extra=tuple(extra))

    def convert(self, cells: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Convert rows.

        Parameters
        ----------
        cells
            Columns `line` and those of the file that the mapping names, as text or as a Parquet file types
            them; n rows.

        Returns
        -------
        tuple
            The trades, and of the other rows the columns `line` and `reason`.
        """
        mapping = self._mapping
        found: dict[str, pl.Series] = {
            "time": self._times(cells),
            "symbol": _plain_text(_values(cells, mapping.symbol)),
            "price": numbers(_values(cells, mapping.price), decimal_comma=mapping.decimal_comma),
            "size": numbers(_values(cells, mapping.size), decimal_comma=mapping.decimal_comma),
        }
        if mapping.prices == "fixed":
            found["price"] = whole_numbers(found["price"])
        found["size"] = found["size"].set(found["size"] < 0, None)
        if mapping.side is not None:
            found["side"] = self._sides(_values(cells, mapping.side))
        if mapping.sequence is not None:
            found["sequence"] = whole_numbers(numbers(_values(cells, mapping.sequence)))
        for key in ("id", "venue"):
            part: Part | None = getattr(mapping, key)
            if part is not None:
                found[key] = _plain_text(_values(cells, part))
        for key in ("open", "high", "low"):
            part = getattr(mapping, key)
            if part is not None:
                found[key] = numbers(_values(cells, part), decimal_comma=mapping.decimal_comma)
        rows = pl.DataFrame(
            {"line": cells["line"], **{key: column.alias(key) for key, column in found.items()}}
        )
        is_bad = rows.select(pl.any_horizontal(pl.col(list(found)).is_null())).to_series()
        rejected = self._reasons(cells.filter(is_bad), rows.filter(is_bad))
        return self._trades(rows.filter(~is_bad), cells.filter(~is_bad)), rejected

    def _trades(self, rows: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
        mapping = self._mapping
        trades = rows.select(
            "line",
            pl.col("time").alias("ts_event"),
            "symbol",
            *(["venue"] if mapping.venue else []),
            side=pl.col("side") if mapping.side is not None else pl.lit("N"),
            sequence=pl.col("sequence") if mapping.sequence is not None else pl.col("line"),
        ).with_columns(
            rows["price"] if mapping.prices == "fixed" else prices(rows["price"]), sizes(rows["size"])
        )
        trades = trades.with_columns(trade_id=self._ids(trades, rows))
        if mapping.kind == "bar":
            bars = [
                pl.Series(name, rows[name].cast(pl.Float64))
                for name in ("open", "high", "low")
                if name in rows
            ]
            trades = trades.with_columns(pl.lit("bar").alias("kind"), *bars)
        extra = [cells[name] for name in mapping.extra]
        return trades.with_columns(extra)

    def _ids(self, trades: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
        """Name trades by the file's own numbers, or else by symbol, time and their order in the file."""
        source = self._mapping.source
        start = [pl.lit(source), *([pl.col("venue")] if "venue" in trades.columns else []), pl.col("symbol")]
        if self._mapping.id is not None:
            day = pl.col("ts_event").cast(pl.Datetime("ns")).dt.strftime("%Y%m%d")
            named = trades.with_columns(rows["id"])
            made = pl.concat_str([*start, day, pl.col("id")], separator="-")
            if self._mapping.has_whole_ids:  # a bare number is a venue's, which other symbols have too
                made = pl.when(pl.col("id").str.contains(r"^\d+$")).then(made).otherwise("id")
            ids = named.select(made).to_series()
            self._check_ids(trades.with_columns(ids.alias("trade_id")), self._mapping.id)
            return ids
        ordinal = self._ordinals.number(trades)
        base = pl.concat_str([*start, pl.col("ts_event")], separator="-")
        counted = trades.with_columns(ordinal)
        later = pl.concat_str([base, pl.col("ordinal")], separator="-")
        return counted.select(pl.when(pl.col("ordinal") > 1).then(later).otherwise(base)).to_series()

    def _check_ids(self, trades: pl.DataFrame, column: Part) -> None:
        """Check that what is named as an id tells trades apart; else they would be stored as one."""
        distinct = trades.select("trade_id", "ts_event", "price", "size").unique()
        twice = distinct.filter(pl.col("trade_id").is_duplicated())
        if len(twice):
            raise TapewatchError(
                f"The column {column.text!r} is no id: {twice['trade_id'][0]} stands at trades that differ.",
                "Leave out id= in the mapping: trades are then named by symbol and time.",
            )

    def _times(self, cells: pl.DataFrame) -> pl.Series:
        """Return ns since 1970, null where a row has no time."""
        mapping = self._mapping
        parts = [_values(cells, part) for part in mapping.time]
        if len(parts) == 1 and parts[0].dtype.is_temporal():
            return _typed_times(parts[0], mapping.zone)
        if len(parts) == 1 and parts[0].dtype.is_numeric():
            return self._counted(numbers(parts[0]))
        text = pl.select(pl.concat_str([pl.lit(_text_of(part)) for part in parts], separator=" ")).to_series()
        text = text.str.strip_chars()
        is_counted = text.str.contains(EPOCH)
        if mapping.unit is not None:
            is_counted = text.str.contains(r"^\d{1,19}(\.\d+)?$")
        if is_counted.all() and len(text):
            return self._counted(numbers(text))
        written = (
            text.str.replace(r"^(\d{4})(\d\d)(\d\d)(\D|$)", "${1}-${2}-${3}${4}")
            .str.replace(r"([ T])(\d\d)(\d\d)(\d\d)(\.\d+)?$", "${1}${2}:${3}:${4}${5}")
            .str.replace(r"^(\d{4}[-/]\d\d[-/]\d\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})$", "${1} 00:00:00")
        )
        if self._order is None:
            self._order = date_order(written)
        read = times(written.set(is_counted, None), zone=mapping.zone, order=self._order)
        return read.zip_with(
            ~is_counted.fill_null(value=False), self._counted(numbers(text.set(~is_counted, None)))
        )

    def _counted(self, exact: pl.Series) -> pl.Series:
        if self._mapping.unit is not None:
            return epoch_times(exact, self._mapping.unit)
        return epoch_times_of_any_unit(exact)

    def _sides(self, values: pl.Series) -> pl.Series:
        """Return A, B or N; null for a text that has no meaning."""
        known = dict.fromkeys(NO_SIDE, "N")
        given_buy, given_sell = (
            [text.lower() for text in given] for given in (self._mapping.buy, self._mapping.sell)
        )
        if not given_buy and not given_sell:
            known |= dict.fromkeys(BUY, "B") | dict.fromkeys(SELL, "A")
        known |= dict.fromkeys(given_buy, "B") | dict.fromkeys(given_sell, "A")
        text = _text_of(values).fill_null("").str.strip_chars().str.to_lowercase()
        return text.replace_strict(known, default=None, return_dtype=pl.String)

    def _reasons(self, cells: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Say what is wrong with each of these rows."""
        names = [name for name in rows.columns if name != "line"]
        reasons = []
        for cell, row in zip(cells.iter_rows(named=True), rows.iter_rows(named=True), strict=True):
            name = next(name for name in names if row[name] is None)
            parts = self._mapping.time if name == "time" else (getattr(self._mapping, name),)
            raw = " ".join(part.text if part.is_constant else _shown(cell[part.text]) for part in parts)
            column = "+".join(part.text for part in parts if not part.is_constant)
            reasons.append(f"{name} ({column}) {self._fault(name, raw.strip())}")
        return pl.DataFrame({"line": rows["line"], "reason": pl.Series(reasons, dtype=pl.String)})

    def _fault(self, name: str, raw: str) -> str:
        shown = repr(raw[:100])
        if raw == "":
            return "is empty"
        if name == "time":
            return f"is not a time that can be read: {shown} (unit, zone and order say how it is written)"
        if name == "side":
            return f"has no meaning: {shown} (buy and sell say which texts mean what)"
        if name in ("symbol", "id", "venue"):
            return f"is not plain text of 1 to 256 characters: {shown}"
        if name == "size" and raw.startswith(ABSENT):
            return f"is negative: {shown}"
        return f"is not a number: {shown}"


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _values(cells: pl.DataFrame, part: Part) -> pl.Series:
    if part.is_constant:
        return pl.Series(part.text, [part.text], pl.String).new_from_index(0, len(cells))
    return cells[part.text]


def _text_of(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    if values.dtype.is_float():  # a number without decimals that a missing one beside it made a float
        whole = values.cast(pl.Int64, strict=False)
        return whole.cast(pl.String).zip_with(
            (whole == values).fill_null(value=False), values.cast(pl.String)
        )
    return values.cast(pl.String)


def _plain_text(values: pl.Series) -> pl.Series:
    text = _text_of(values).str.strip_chars()
    return text.set(~text.str.contains(PLAIN_TEXT).fill_null(value=False), None)


def _typed_times(values: pl.Series, zone: str) -> pl.Series:
    """Return a Parquet file's times and dates as ns since 1970."""
    moments = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values
    if isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is None and zone != "UTC":
        moments = moments.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    nanos = moments.dt.epoch("ns")
    return nanos.set(nanos < 0, None)

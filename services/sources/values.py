"""Exact numbers and times from columns of text, as files have them.

Nothing passes through a binary float: a number is the decimal that was written, a time counts whole
nanoseconds. What is not a number or a time, or could not be kept exactly, becomes null.
"""

from decimal import Decimal, localcontext
from typing import Literal

import polars as pl

NUMBER = pl.Decimal(38, 18)
"""Type of a number read from text: up to 20 digits before the point and 18 after it."""

DateOrder = Literal["dmy", "mdy"]
"""Which part of a date like 3/4/2026 is the day."""

UNIT_NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit in which times since 1970 are counted."""

UNIT_RANGES = (("s", 10**8, 10**11), ("ms", 10**11, 10**14), ("us", 10**14, 10**17), ("ns", 10**17, 2**63))
"""Numbers that a time since 1970 has in each unit, from 1973 on."""

_PLAIN = r"^[+-]?(?:\d{1,20}(?:\.\d{0,18}0*)?|\.\d{1,18}0*)$"
_WITH_EXPONENT = r"^[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})[eE][+-]?\d{1,3}$"
_CLOCK = r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})0*)?)?"
_ZONE = r" ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?"
_YEAR_FIRST = rf"^(\d{{4}})[-/](\d\d)[-/](\d\d)[Tt ]{_CLOCK}{_ZONE}$"
_YEAR_LAST = rf"^(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}),? {_CLOCK} ?([AaPp][Mm])?$"
_YEAR_LAST_GROUPS = ["first", "mark", "other", "year", "hour", "minute", "second", "fraction", "half"]
_MOST_S = (2**63 - 1) // 10**9 - 1
_LAST_S = 9_214_646_399  # the last second of 2261
_PLACES = 18
_MOST = Decimal(10) ** 20


def numbers(values: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """Read numbers exactly.

    Parameters
    ----------
    values
        Text such as `100`, `99.99`, `-0.5`, `.5`, `1.0E3` or `9.999e-06`, n values. Integers are taken as
        they are, floats by their shortest text that gives the same float again.
    decimal_comma
        The text has a comma where others have a point: `99,99`.

    Returns
    -------
    pl.Series
        n values of `NUMBER`, null for what is not a number, is not finite, or has too many digits for it.
    """
    if values.dtype.is_integer() or values.dtype.is_decimal():
        return values.cast(NUMBER, strict=False)
    text = values.cast(pl.String)
    if decimal_comma:
        text = text.set(text.str.contains(".", literal=True), None).str.replace(",", ".", literal=True)
    is_plain = text.str.contains(_PLAIN)
    exact = text.set(~is_plain, None).cast(NUMBER, strict=False)
    has_exponent = text.str.contains(_WITH_EXPONENT)
    if has_exponent.any():
        read = {raw: _decimal_of(raw) for raw in text.filter(has_exponent).unique()}
        expanded = pl.Series([read.get(raw) for raw in text], dtype=NUMBER)
        exact = exact.zip_with(~has_exponent.fill_null(value=False), expanded)
    return exact.alias(values.name)


def whole_numbers(exact: pl.Series) -> pl.Series:
    """Return numbers of type `NUMBER` as Int64, null for those that are not whole or do not fit."""
    whole = exact.cast(pl.Int64, strict=False)
    return whole.set(whole.cast(NUMBER, strict=False) != exact, None)


def sizes(exact: pl.Series) -> pl.Series:
    """Return sizes as `services.sources.columns` has them.

    Parameters
    ----------
    exact
        Numbers of type `NUMBER`.

    Returns
    -------
    pl.Series
        Int64 where all are whole, else `NUMBER`; null for negative ones.
    """
    sizes = exact.set(exact < 0, None)
    whole = whole_numbers(sizes)
    return whole if whole.null_count() == sizes.null_count() else sizes


def prices(exact: pl.Series) -> pl.Series:
    """Return prices as `services.sources.columns` has them.

    Parameters
    ----------
    exact
        Numbers of type `NUMBER`.

    Returns
    -------
    pl.Series
        Int64, in units of 1e-9, where all are whole numbers of it and fit; else `NUMBER`, the prices
        themselves.
    """
    nanos = exact.cast(pl.Decimal(38, 9), strict=False)
    is_whole = nanos.cast(NUMBER, strict=False) == exact
    fits = exact.is_between(-_MOST_S, _MOST_S)
    if not (is_whole & fits).all():
        return exact
    return nanos.to_physical().cast(pl.Int64).alias(exact.name)


def epoch_times(exact: pl.Series, unit: str) -> pl.Series:
    """Return times that are counted since 1970 in ns.

    Parameters
    ----------
    exact
        Numbers of type `NUMBER`, with decimals or without.
    unit
        A key of `UNIT_NANOS`.

    Returns
    -------
    pl.Series
        Int64, ns since 1970, UTC; null for times before 1970, after 2262, or between two nanoseconds.
    """
    nanos = UNIT_NANOS[unit]
    return whole_numbers(exact.set(~exact.is_between(0, (2**63 - 1) // nanos), None) * nanos)


def epoch_times_of_any_unit(exact: pl.Series) -> pl.Series:
    """Return times that are counted since 1970 in the unit that each one's size tells, in ns.

    Parameters
    ----------
    exact
        Numbers of type `NUMBER`, with decimals or without.

    Returns
    -------
    pl.Series
        As `epoch_times`; null, too, for numbers in none of `UNIT_RANGES`.
    """
    nanos = pl.Series(exact.name, [None] * len(exact), pl.Int64)
    for unit, least, limit in UNIT_RANGES:
        fits = exact.is_between(least, limit, closed="left").fill_null(value=False)
        if fits.any():
            nanos = nanos.zip_with(~fits, epoch_times(exact.set(~fits, None), unit))
    return nanos


def times(text: pl.Series, *, zone: str = "UTC", order: DateOrder | None = None) -> pl.Series:
    """Read written times.

    Parameters
    ----------
    text
        Text such as `2026-01-02T16:00:00.272301254Z`, `2026-01-02 16:00:00.27+00:00`, `2026/01/02 16:00` or,
        as spreadsheets write it, `2/1/2026 4:00:00 PM` and `02.01.2026 16:00:00,272`; n values.
    zone
        Where a time that names no offset was written: a name of the IANA's database.
    order
        What a date with slashes or dashes that ends with the year begins with. With dots, it is the day.

    Returns
    -------
    pl.Series
        Int64, ns since 1970, UTC; null for what is not such a time, lies before 1970 or after 2261, was
        skipped or came twice when the clocks changed, or for a date whose order is not given.
    """
    groups = ["year", "month", "day", "hour", "minute", "second", "fraction", "offset"]
    parts = _groups(text, _YEAR_FIRST, groups).with_columns(half=pl.lit(None, pl.String))
    if parts["year"].null_count() > text.null_count():
        parts = pl.select(
            pl.coalesce(pl.lit(parts[name]), pl.lit(column))
            for name, column in _year_last(text, order).select(parts.columns).to_dict().items()
        )
    seconds = _local_seconds(parts)
    if zone != "UTC":
        local = pl.from_epoch(seconds, "s").dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        seconds = seconds.zip_with(parts["offset"].is_not_null(), local.dt.epoch("s"))
    offset = pl.col("offset").str.strip_chars_start("ZzUTC").str.replace(":", "", literal=True)
    ahead_s = offset.str.slice(1, 2).cast(pl.Int64, strict=False) * 3600 + (
        offset.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
    )
    to_utc_s = pl.when(offset.str.starts_with("-")).then(ahead_s).otherwise(-ahead_s).fill_null(0)
    fraction = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    utc_s = pl.lit(seconds) + to_utc_s
    nanos = pl.when(utc_s.is_between(0, _LAST_S)).then(utc_s * 10**9 + fraction)
    return parts.select(nanos).to_series().alias(text.name)


def date_order(text: pl.Series) -> DateOrder | None:
    """Tell what dates such as 3/4/2026 begin with, from all of a column.

    Returns
    -------
    DateOrder or None
        None where each date could be either, or where they contradict each other.
    """
    parts = _groups(text, _YEAR_LAST, _YEAR_LAST_GROUPS).filter(pl.col("mark") != ".")
    day_first = bool((parts["first"].cast(pl.Int64) > 12).any())
    month_first = bool((parts["other"].cast(pl.Int64) > 12).any())
    if day_first == month_first:
        return None
    return "dmy" if day_first else "mdy"


def _groups(text: pl.Series, pattern: str, names: list[str]) -> pl.DataFrame:
    return text.str.extract_groups(pattern).struct.rename_fields(names).struct.unnest()


def _year_last(text: pl.Series, order: DateOrder | None) -> pl.DataFrame:
    """Take dates that end with the year apart."""
    parts = _groups(text, _YEAR_LAST, _YEAR_LAST_GROUPS)
    day_first = (pl.col("mark") == ".") | pl.lit(order == "dmy")
    known = pl.when(day_first | pl.lit(order == "mdy"))
    return parts.with_columns(
        day=known.then(pl.when(day_first).then("first").otherwise("other")).str.zfill(2),
        month=known.then(pl.when(day_first).then("other").otherwise("first")).str.zfill(2),
        offset=pl.lit(None, pl.String),
    )


def _local_seconds(parts: pl.DataFrame) -> pl.Series:
    """Return what the clock showed, as if it had been UTC: Int64, seconds since 1970."""
    hour, half = pl.col("hour").cast(pl.Int64), pl.col("half").str.to_lowercase()
    of_twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + pl.when(half == "pm").then(12).otherwise(0))
    hour = pl.when(half.is_null()).then(hour).otherwise(of_twelve)
    text = pl.concat_str(
        "year",
        "month",
        "day",
        hour.cast(pl.String).str.zfill(2),
        "minute",
        pl.col("second").fill_null("00"),
    )
    shown = text.str.to_datetime("%Y%m%d%H%M%S", time_unit="ms", strict=False)
    return parts.select(shown.dt.epoch("s")).to_series()


def _decimal_of(text: str) -> Decimal | None:
    """Return the number that a text with an exponent stands for, if `NUMBER` holds it exactly."""
    with localcontext(prec=120):
        exact = Decimal(text)
        rounded = exact.quantize(Decimal(1).scaleb(-_PLACES)) if abs(exact) < _MOST else None
    return rounded if rounded == exact else None

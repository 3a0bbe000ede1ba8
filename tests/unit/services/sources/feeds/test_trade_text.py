"""Prices, sizes and times of feeds: exact, and written as those of files are."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sources.encode import Encoding, to_json
from services.sources.feeds.trade_text import BadTradeError, Times, price_text, size_text
from services.sources.values import numbers, prices, sizes

DIGITS = st.decimals(min_value=0, max_value=10**12, places=9, allow_nan=False)


def as_files_write(price: str, size: str) -> tuple[str, str]:
    rows = pl.DataFrame({"ts_event": [0], "trade_id": ["a"], "symbol": ["b"], "side": ["N"]})
    rows = rows.with_columns(
        prices(numbers(pl.Series("price", [price]))), sizes(numbers(pl.Series("size", [size])))
    )
    [value] = to_json(rows, Encoding("c", ()))
    written = value.decode().partition('"price":')[2]
    found_price, _, rest = written.partition(',"size":')
    return found_price, rest.partition(",")[0]


@given(price=DIGITS, size=DIGITS, zeros=st.integers(0, 3), has_exponent=st.booleans())
def test_a_number_is_written_as_those_of_files_are(
    price: Decimal, size: Decimal, zeros: int, *, has_exponent: bool
) -> None:
    raw_price, raw_size = (f"{one:E}" if has_exponent else f"{one:f}{'0' * zeros}" for one in (price, size))
    assert (price_text(raw_price), size_text(raw_size)) == as_files_write(raw_price, raw_size)
    assert Decimal(price_text(raw_price)) == price
    assert Decimal(size_text(raw_size)) == size


@pytest.mark.parametrize(
    ("raw", "price", "size"),
    [
        ("0", "0.0", "0"),
        ("-0", "0.0", "0"),
        ("-0.00", "0.0", "0"),
        ("-0e0", "0.0", "0"),
        ("00100", "100.0", "100"),
        ("+1.50", "1.5", "1.5"),
        ("999999999999999999", "999999999999999999.0", "999999999999999999"),
        ("0.000000000000000001", "0.000000000000000001", "0.000000000000000001"),
        ("1e-18", "0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_unusual_numbers(raw: str, price: str, size: str) -> None:
    assert (price_text(raw), size_text(raw)) == (price, size)


@pytest.mark.parametrize(
    "raw", ["", "x", "nan", "inf", "1e400", "1e-19", "2e18", '"1"', "null", "1,5", "0x1", "1e-9999999999"]
)
def test_what_is_no_price_is_refused(raw: str) -> None:
    with pytest.raises(BadTradeError, match="price"):
        price_text(raw)


@pytest.mark.parametrize("raw", ["", "x", "-1", "-0.1", "-1e-3", "1e19", "1e-19", "nan", "[1]"])
def test_what_is_no_size_is_refused(raw: str) -> None:
    with pytest.raises(BadTradeError, match="size"):
        size_text(raw)


def nanos_or_none(times: Times, text: str) -> int | None:
    try:
        return times.nanos(text)
    except BadTradeError:
        return None


@given(
    rest=st.text("0123456789.Z+: ٣²", max_size=14) | st.from_regex(r"\.\d{1,10}(Z|\+00:00)", fullmatch=True)
)
def test_a_time_of_a_remembered_second_reads_like_the_first_one_of_it(rest: str) -> None:
    times = Times()
    assert times.nanos("2026-03-02T09:30:00Z") == 1_772_443_800 * 10**9
    text = f"2026-03-02T09:30:00{rest}"
    assert nanos_or_none(times, text) == nanos_or_none(Times(), text)


def test_each_digit_of_a_remembered_second_counts() -> None:
    times = Times()
    texts = [f"2026-03-02T09:30:00.{'123456789'[:count]}Z" for count in range(1, 10)]
    fractions = [times.nanos(text) - 1_772_443_800 * 10**9 for text in texts]
    assert fractions == [int("123456789"[:count]) * 10 ** (9 - count) for count in range(1, 10)]

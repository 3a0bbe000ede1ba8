import datetime as dt
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.values import (
    NUMBER,
    date_order,
    epoch_times,
    numbers,
    prices,
    sizes,
    times,
    whole_numbers,
)

EXACT = st.decimals(Decimal(-(10**19)), Decimal(10**19), places=18, allow_nan=False)


def read(*texts: str | None, decimal_comma: bool = False) -> list[Decimal | None]:
    return numbers(pl.Series(texts, dtype=pl.String), decimal_comma=decimal_comma).to_list()


def nanos(text: str) -> int:
    moment = dt.datetime.fromisoformat(text)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000


def is_held(exact: Decimal, places: int = 18) -> bool:
    """Tell whether a number has at most so many decimals and at most 20 digits before the point."""
    return (Fraction(exact) * 10**places).denominator == 1 and abs(exact) < 10**20


@settings(deadline=None, max_examples=50)
@given(values=st.lists(EXACT, min_size=1, max_size=20), form=st.sampled_from(["f", "E", "+f", ".25E"]))
def test_number_is_the_one_that_was_written(values: list[Decimal], form: str) -> None:
    texts = [format(value, form) for value in values]
    assert read(*texts) == [exact if is_held(exact) else None for exact in map(Decimal, texts)]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.floats(-1e15, 1e15), max_size=20))
def test_float_is_read_by_its_shortest_text(values: list[float]) -> None:
    found = numbers(pl.Series(values, dtype=pl.Float64)).to_list()
    assert found == [exact if is_held(exact) else None for exact in (Decimal(repr(x)) for x in values)]


def test_float_noise_exponents_and_stripped_zeros_stay_what_they_are() -> None:
    texts = (
        "100",
        "99.99",
        "100.10000000000001",
        "1.0E3",
        "9.999e-06",
        ".5",
        "5.",
        "+3",
        "1.50000000000000000000000",
    )
    assert read(*texts) == [Decimal(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "nan",
        "inf",
        "1,5",
        "1_000",
        " 1",
        "1 ",
        "--1",
        ".",
        "e3",
        "0x10",
        "1e999",
        "9" * 21,
        "0.1234567890123456789",
        "1.9999999999999999996",
        "1e-19",
        "1.5.5",
        None,
    ],
)
def test_what_is_not_a_number_or_not_held_exactly_is_null(text: str | None) -> None:
    assert read("1.5", text) == [Decimal("1.5"), None]


def test_decimal_comma_is_read_on_request_and_a_point_is_then_wrong() -> None:
    assert read("99,99", "1,0E3", "7", "99.99", "1.234,5", decimal_comma=True) == [
        Decimal("99.99"),
        Decimal(1000),
        Decimal(7),
        None,
        None,
    ]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(EXACT | st.decimals(-(10**9), 10**9, places=9), max_size=20))
def test_prices_are_whole_billionths_unless_one_is_finer_or_too_large(values: list[Decimal]) -> None:
    found = prices(pl.Series(values, dtype=NUMBER))
    if all(is_held(value, 9) and abs(value) <= 9_223_372_035 for value in values):
        assert found.dtype == pl.Int64
        assert found.to_list() == [int(value * 10**9) for value in values]
    else:
        assert found.dtype == NUMBER
        assert found.to_list() == values


def test_prices_with_a_null_stay_whole() -> None:
    assert prices(numbers(pl.Series(["1.5", "x"]))).to_list() == [1_500_000_000, None]


def test_sizes_are_integers_where_all_are_whole() -> None:
    whole = sizes(numbers(pl.Series(["100", "1.0E3", "5.0", "-1", "x"])))
    assert whole.dtype == pl.Int64
    assert whole.to_list() == [100, 1000, 5, None, None]
    split = sizes(numbers(pl.Series(["100", "0.001", "-1"])))
    assert split.dtype == NUMBER
    assert split.to_list() == [Decimal(100), Decimal("0.001"), None]
    assert sizes(numbers(pl.Series(["18446744073709551615"]))).dtype == NUMBER


def test_whole_numbers_are_null_where_they_are_not() -> None:
    assert whole_numbers(numbers(pl.Series(["7", "7.0", "7.5", "1E19", "-3"]))).to_list() == [
        7,
        7,
        None,
        None,
        -3,
    ]


MOMENTS = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2261, 1, 1))

RECENT = st.datetimes(dt.datetime(1971, 1, 2), dt.datetime(2036, 1, 1))


@settings(deadline=None, max_examples=50)
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=20),
    separator=st.sampled_from("T "),
    offset=st.sampled_from(["Z", "+00:00", "+0000", " UTC", "", "-05:00", "+0530", "+01"]),
    nanos_more=st.integers(0, 999),
)
def test_iso_time_keeps_every_nanosecond(
    moments: list[dt.datetime], separator: str, offset: str, nanos_more: int
) -> None:
    texts = [f"{m.isoformat(separator, 'microseconds')}{nanos_more:03}{offset}" for m in moments]
    shift = offset if offset[:1] in ("+", "-") else "+00:00"
    wanted = [nanos(m.isoformat() + shift) + nanos_more for m in moments]
    assert times(pl.Series(texts)).to_list() == wanted


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-02 16:00", "2026-01-02T16:00:00+00:00"),
        ("2026/01/02 16:00:00.5", "2026-01-02T16:00:00.5+00:00"),
        ("2026-01-02 9:30:00,25", "2026-01-02T09:30:00.25+00:00"),
        ("2026-01-02T16:00:00.1234560000000Z", "2026-01-02T16:00:00.123456+00:00"),
        ("02.01.2026 16:00:00,272", "2026-01-02T16:00:00.272+00:00"),
        ("2.1.2026 16:00", "2026-01-02T16:00:00+00:00"),
    ],
)
def test_other_forms_of_a_time(text: str, utc: str) -> None:
    assert times(pl.Series([text])).to_list() == [nanos(utc)]


@pytest.mark.parametrize(("order", "day"), [("dmy", "2026-03-04"), ("mdy", "2026-04-03")])
def test_date_with_slashes_needs_its_order(order: str, day: str) -> None:
    text = pl.Series(["4/3/2026 4:05:06 PM", "04/03/2026 12:00:00 am", "4-3-2026 16:05"])
    assert times(text).to_list() == [None] * 3
    found = times(text, order="dmy" if order == "dmy" else "mdy").to_list()
    assert found == [nanos(f"{day}T{clock}+00:00") for clock in ("16:05:06", "00:00:00", "16:05:00")]


def test_order_of_dates_is_known_where_one_shows_it() -> None:
    assert date_order(pl.Series(["3/4/2026 10:00", "13/4/2026 10:00"])) == "dmy"
    assert date_order(pl.Series(["3/4/2026 10:00", "3/14/2026 10:00"])) == "mdy"
    assert date_order(pl.Series(["3/4/2026 10:00"])) is None
    assert date_order(pl.Series(["14/4/2026 10:00", "3/14/2026 10:00"])) is None
    assert date_order(pl.Series(["2026-01-13", None, "14.4.2026 10:00"])) is None


def test_time_without_offset_is_of_the_zone_and_an_hour_that_came_twice_is_null() -> None:
    text = pl.Series(
        [
            "2026-01-02 09:30:00",
            "2026-07-02 09:30:00.5",
            "2026-01-02 09:30:00Z",
            "2026-11-01 01:30:00",
            "2026-03-08 02:30:00",
        ]
    )
    found = times(text, zone="America/New_York").to_list()
    assert found[:3] == [
        nanos("2026-01-02T14:30:00+00:00"),
        nanos("2026-07-02T13:30:00.5+00:00"),
        nanos("2026-01-02T09:30:00+00:00"),
    ]
    assert found[3:] == [None, None]


@settings(deadline=None, max_examples=50)
@given(
    moments=st.lists(RECENT, min_size=1, max_size=20), zone=st.sampled_from(["Asia/Kolkata", "Europe/London"])
)
def test_local_time_is_what_the_zone_says(moments: list[dt.datetime], zone: str) -> None:
    found = times(pl.Series([f"{m.isoformat(' ', 'microseconds')}" for m in moments]), zone=zone).to_list()
    for moment, time_ns in zip(moments, found, strict=True):
        local = moment.replace(tzinfo=ZoneInfo(zone))
        folds = {local.utcoffset(), local.replace(fold=1).utcoffset()}
        if time_ns is None:
            assert len(folds) == 2
        else:
            assert time_ns == nanos(local.astimezone(dt.UTC).isoformat())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "16:00:00",
        "00:00.3",
        "2026-13-02 16:00:00",
        "2026-02-30 16:00:00",
        "2026-01-02 25:00:00",
        "1969-12-31T23:59:59Z",
        "9999-01-02T16:00:00Z",
        "2026-01-02 16:00:00.1234567891Z",
        "46024.67",
        "NaT",
        "2026-01-02 16:00:00 EST",
        "13/13/2026 10:00",
        "1/2/2026 13:00 PM",
        None,
    ],
)
def test_what_is_not_a_time_is_null(text: str | None) -> None:
    text_and_time = pl.Series([text, "2026-01-02 16:00:00"], dtype=pl.String)
    assert times(text_and_time, order="mdy").to_list() == [None, nanos("2026-01-02T16:00:00+00:00")]


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        ("1733149800", "s", 1_733_149_800_000_000_000),
        ("1733149800.123456789", "s", 1_733_149_800_123_456_789),
        ("1733149800123.5", "ms", 1_733_149_800_123_500_000),
        ("1733149800123456", "us", 1_733_149_800_123_456_000),
        ("1733149800000000007", "ns", 1_733_149_800_000_000_007),
        ("1.5", "ns", None),
        ("-1", "s", None),
        ("18446744073709551615", "ns", None),
        ("9223372037", "s", None),
    ],
)
def test_time_that_is_counted_keeps_every_digit(text: str, unit: str, wanted: int | None) -> None:
    assert epoch_times(numbers(pl.Series([text])), unit).to_list() == [wanted]

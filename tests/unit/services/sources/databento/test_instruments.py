import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sources.databento.instruments import Instruments

symbology = pytest.importorskip("databento.common.symbology")

DAYS = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]")


@pytest.fixture
def instruments() -> Instruments:
    made = Instruments()
    made.add_mappings(
        {
            "NVDA": [{"start_date": dt.date(2024, 1, 1), "end_date": dt.date(2024, 2, 1), "symbol": "7"}],
            "META": [
                {"start_date": "2024-01-01", "end_date": "2024-02-01", "symbol": "8"},
                {"start_date": "2024-02-01", "end_date": "2024-03-01", "symbol": "7"},
                {"start_date": "2024-03-01", "end_date": "2024-04-01", "symbol": ""},
            ],
        },
        "raw_symbol",
        "instrument_id",
    )
    return made


def test_symbol_of_an_instrument_is_that_of_the_day(instruments: Instruments) -> None:
    asked = days("2024-02-01", "2024-01-31", "2024-01-01", "2023-12-31", "2024-02-29", "2024-03-01")
    found = instruments.symbols(np.array([7, 7, 8, 7, 8, 7]), asked)
    assert found.tolist() == ["META", "NVDA", "META", None, None, None]
    assert instruments.symbols(np.zeros(0, np.int64), days()).tolist() == []
    assert Instruments().symbols(np.array([7]), days("2024-01-01")).tolist() == [None]


def test_of_overlapping_intervals_each_day_has_one() -> None:
    made = Instruments()
    intervals = {"v.0": ("2024-03-01", "2024-06-01"), "c.0": ("2024-03-10", "2024-03-12")}
    made.add_mappings(
        {name: [{"d0": start, "d1": end, "s": "7"}] for name, (start, end) in intervals.items()},
        "continuous",
        "instrument_id",
        ("d0", "d1", "s"),
    )
    asked = days("2024-03-05", "2024-03-11", "2024-03-20")
    assert made.symbols(np.array([7, 7, 7]), asked).tolist() == ["v.0", "c.0", "v.0"]


def test_numbers_may_stand_on_either_side() -> None:
    made = Instruments()
    made.add_mappings(
        {"7": [{"d0": "2024-01-01", "d1": "2024-02-01", "s": "NVDA"}]},
        "instrument_id",
        "raw_symbol",
        ("d0", "d1", "s"),
    )
    assert made.symbols(np.array([7]), days("2024-01-05")).tolist() == ["NVDA"]
    with pytest.raises(ValueError, match="maps raw_symbol to continuous, and no instrument_id"):
        made.add_mappings({}, "raw_symbol", "continuous")


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from("ABC")),
        max_size=8,
        unique_by=lambda one: one[:2],
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 130)), max_size=20),
)
def test_symbols_are_those_that_databentos_own_package_finds(
    intervals: list[tuple[int, int, str]], asked: list[tuple[int, int]]
) -> None:
    result: dict[str, list[dict[str, str]]] = {}
    for number, month, symbol in intervals:
        result.setdefault(str(number), []).append({"d0": DAYS[month], "d1": DAYS[month + 1], "s": symbol})
    known = symbology.InstrumentMap()
    complete = dict.fromkeys(known.SYMBOLOGY_RESOLVE_KEYS)
    known.insert_json(complete | {"result": result, "stype_in": "instrument_id", "stype_out": "raw_symbol"})
    own = Instruments()
    own.add_mappings(result, "instrument_id", "raw_symbol", ("d0", "d1", "s"))
    ids = np.array([number for number, _ in asked], np.int64)
    on = np.datetime64("2023-12-20") + np.array([day for _, day in asked], np.int64)
    assert own.symbols(ids, on).tolist() == known.resolve_many(ids.astype(np.uint64), on).tolist()

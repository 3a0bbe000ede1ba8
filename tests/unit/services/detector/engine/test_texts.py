import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.iso_time import iso_ns
from services.contracts.trade import FIRST_YEAR, ISO_TIME, LAST_YEAR
from services.detector.engine.texts import NO_TIME, joined, parse_times

LAST_NS = 9_214_646_399_999_999_999


@given(st.lists(st.integers(0, LAST_NS)))
def test_times_are_read_to_the_last_digit(times_ns: list[int]) -> None:
    assert parse_times([iso_ns(ns) for ns in times_ns]).tolist() == times_ns


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2261, 12, 31, 23, 59, 59)), st.integers(1, 9))
def test_a_time_has_any_number_of_digits(at: dt.datetime, digits: int) -> None:
    whole_s = (at.replace(microsecond=0) - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)
    fraction = f"{at.microsecond:06d}789"[:digits]
    text = f"{at:%Y-%m-%dT%H:%M:%S}"
    expected_ns = [whole_s * 10**9, whole_s * 10**9 + int(fraction.ljust(9, "0"))]
    assert parse_times([f"{text}Z", f"{text}.{fraction}Z"]).tolist() == expected_ns


def is_time(text: str) -> bool:
    if not ISO_TIME.fullmatch(text) or not FIRST_YEAR <= text[:4] <= LAST_YEAR:
        return False
    try:
        dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


@given(st.integers(0, LAST_NS), st.integers(0, 29), st.characters(), st.integers(20, 30))
def test_what_is_no_time_is_told_apart(ns: int, place: int, character: str, length: int) -> None:
    text = iso_ns(ns)
    changed = text[:place] + character + text[place + 1 :]
    texts = [text, changed, text[:length], text[: length - 1] + "Z", text + character]
    assert [ns != NO_TIME for ns in parse_times(texts).tolist()] == list(map(is_time, texts))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2024-12-02",
        "2024-02-30T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2024-04-31T10:00:00Z",
        "2024-00-10T10:00:00Z",
        "2024-13-10T10:00:00Z",
        "2024-12-00T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "2024-12-02T24:00:00Z",
        "2024-12-02T14:60:00Z",
        "2024-12-02T14:00:60Z",
        "2024-12-02T14:00:00.Z",
        "2024-12-02T14:00:00.1234567890Z",
        "2024-12-02T14:00:00+01:00",
        "2024-12-02T14:00:0\u0663Z",
    ],
)
def test_a_text_that_is_no_time_does_not_change_its_neighbours(text: str) -> None:
    beside = "2024-02-29T10:00:00Z"
    expected_ns = int(dt.datetime(2024, 2, 29, 10, tzinfo=dt.UTC).timestamp()) * 10**9
    assert parse_times([beside, text, beside]).tolist() == [expected_ns, NO_TIME, expected_ns]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_are_joined_byte_by_byte(texts: list[str]) -> None:
    text, ends = joined(texts)
    parts = np.split(text, ends[:-1])[: len(texts)]
    assert [part.tobytes().decode() for part in parts] == texts

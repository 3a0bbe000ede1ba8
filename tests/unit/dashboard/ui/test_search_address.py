import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.server.anomaly_search import STANDINGS, VERDICTS, Filters, Order, SortBy
from dashboard.ui.search_address import SEVERITIES, from_reference, to_parameters, to_reference
from services.contracts.detectors import LABELS

MINUTES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1)).map(
    lambda time: time.replace(second=0, microsecond=0, tzinfo=dt.UTC)
)
SYMBOLS = st.text(min_size=1, max_size=10).filter(lambda text: "," not in text)


def some(options: tuple[str, ...] | list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of the options, in their order."""
    return st.sets(st.sampled_from(list(options))).map(lambda few: tuple(o for o in options if o in few))


FILTERS = st.builds(
    Filters,
    symbols=st.lists(SYMBOLS, max_size=3, unique=True).map(tuple),
    start=st.none() | MINUTES,
    end=st.none() | MINUTES,
    labels=some(list(LABELS)),
    severities=some(list(SEVERITIES)),
    min_score=st.sampled_from([0.0, 0.25]),
    max_score=st.sampled_from([0.5, 1.0]),
    verdicts=some(VERDICTS),
    standings=some(STANDINGS),
    text=st.text(max_size=20),
)
ORDERS = st.builds(Order, st.sampled_from(SortBy), st.booleans())


@given(FILTERS, ORDERS)
def test_a_search_comes_back_from_its_reference(filters: Filters, order: Order) -> None:
    assert from_reference(to_reference(filters, order)) == (filters, order)


def test_the_search_for_everything_has_no_parameters_but_a_reference() -> None:
    assert to_parameters(Filters(), Order()) == {}
    assert from_reference(to_reference(Filters(), Order())) == (Filters(), Order())


@pytest.mark.parametrize(
    "text",
    ["", "x", "nosuch=1", "severity=bad", "score=2,3", "sort=size&way=up", "from=yesterday", "at=first"],
)
def test_a_text_that_is_no_search_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_reference(text)

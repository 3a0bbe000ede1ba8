from hypothesis import given
from hypothesis import strategies as st

from dashboard.ui.watchlist import MAX_SYMBOL_LENGTH, MAX_WATCHED, parse, serialize

SYMBOLS = st.text(min_size=1, max_size=MAX_SYMBOL_LENGTH).filter(
    lambda text: text.isprintable() and not text.isspace()
)


@given(st.lists(SYMBOLS, max_size=MAX_WATCHED, unique=True))
def test_symbols_come_back_as_they_were(symbols: list[str]) -> None:
    assert parse(serialize(symbols)) == symbols


@given(st.lists(SYMBOLS, max_size=3))
def test_the_text_has_nothing_that_ends_a_cookie(symbols: list[str]) -> None:
    assert not set(serialize(symbols)) & set(";= \"\\'<>")


def test_what_cannot_be_a_symbol_is_left_out() -> None:
    assert parse(f",A,,A,{'x' * (MAX_SYMBOL_LENGTH + 1)},B") == ["A", "B"]
    assert parse("%00,A%0AB,%7F,%E2%80%AEBA,%20,A") == ["A"]
    assert parse("") == []


def test_there_are_not_more_than_a_screen_holds() -> None:
    assert len(parse(",".join(map(str, range(1000))))) == MAX_WATCHED

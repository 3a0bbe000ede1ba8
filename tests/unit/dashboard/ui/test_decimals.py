import pandas as pd

from dashboard.ui.decimals import decimals_of, price_texts, size_format


def test_a_price_that_is_finer_than_the_tick_is_shown_in_full_and_gives_the_others_no_decimals() -> None:
    prices = pd.Series([139.0] * 20 + [138.5525])
    assert price_texts(prices, pd.Series(["NVDA"] * 21))[-2:] == ["139.00", "138.5525"]


def test_each_symbol_has_the_decimals_of_its_own_prices() -> None:
    prices, symbols = pd.Series([1139.0, 1.08345, 138.5, 1.1]), pd.Series(["NVDA", "EUR", "NVDA", "EUR"])
    assert price_texts(prices, symbols) == ["1,139.00", "1.08345", "138.50", "1.10000"]


def test_sizes_are_shown_in_full() -> None:
    assert size_format(pd.Series([100.0, 5.0])) == "localized"
    assert size_format(pd.Series([100.0, 0.125])) == "%.3f"


def test_a_few_prices_tell_the_tick_and_those_that_are_missing_tell_nothing() -> None:
    assert decimals_of(142.5, None, 142.14) == 2
    assert decimals_of(1.09, 1.08534) == 5
    assert decimals_of(97_000.0) == 0

from pathlib import Path

import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.sources.databento.price_form import PriceCounts

UNDEFINED = "9223372036854775807"


def form(*prices: str, cut: int = 100) -> str:
    counts = PriceCounts()
    for at in range(0, len(prices), cut):
        counts.add(pl.Series(prices[at : at + cut]))
    return counts.form(Path("day.csv"))


@pytest.mark.parametrize(
    ("prices", "wanted"),
    [
        (["137.97"], "decimal"),
        (["137", "138", "137.5"], "decimal"),
        (["1.5E2"], "decimal"),
        (["99,99"], "decimal"),
        (["5999", "6000"], "decimal"),
        (["-37", "6", "0"], "decimal"),
        (["137970000000", "138000000000"], "fixed"),
        (["137970000000", UNDEFINED, "10000000"] + ["138000000000"] * 2, "fixed"),
        (["137970000000"] * 3 + ["137.97"], "fixed"),  # one bad row does not decide
        (["-137970000000"], "fixed"),
        (["-9223372036854775808"], "fixed"),
        (["200000"] * 200 + ["200000.5"], "decimal"),
        ([UNDEFINED, "", "x"], "decimal"),
    ],
)
def test_the_column_shows_how_prices_are_written(prices: list[str], wanted: str) -> None:
    assert form(*prices) == wanted
    assert form(*prices, cut=1) == wanted


@pytest.mark.parametrize(
    "prices",
    [
        ["2000000"],
        ["10000000", "50000000"],
        ["5999"] * 9 + ["137970000000"],
        ["2000000", "5999", "137970000000"],
    ],
)
def test_prices_that_may_be_either_are_an_error_with_the_flag(prices: list[str]) -> None:
    with pytest.raises(TapewatchError) as caught:
        form(*prices)
    assert "--prices decimal or --prices fixed" in caught.value.hint

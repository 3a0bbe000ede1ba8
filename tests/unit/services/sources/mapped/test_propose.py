from typing import Any

import polars as pl
import pytest

from services.sources.mapped.propose import propose

NAMED: dict[str, list[Any]] = {"ts": ["1767369600123"], "ticker": ["ACME"], "px": ["99.5"], "qty": ["1"]}


def test_columns_are_found_by_their_usual_names() -> None:
    proposal = propose(pl.DataFrame(NAMED), has_header=True)
    assert (proposal.spec, proposal.missing) == ("time=ts,symbol=ticker,price=px,size=qty,side=-", [])


def test_columns_without_names_are_found_by_what_they_hold() -> None:
    sample = pl.DataFrame(
        {
            "#1": ["S", "B"],
            "#2": ["2026-01-02 10:00:00"] * 2,
            "#3": ["ACME"] * 2,
            "#4": ["7"] * 2,
            "#5": ["9.5"] * 2,
        }
    )
    proposal = propose(sample, has_header=False)
    assert proposal.spec == "time=#2,symbol=#3,price=#5,size=#4,side=#1"
    assert "price: '#5' was chosen by its values; check it." in proposal.notes


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("is_buyer_maker", ["true", "false"], "side=is_buyer_maker,buy=false,sell=true"),
        ("Side", ["1", "-1"], "side=Side,buy=1,sell=-1"),
        ("side", ["Buy", "Sell"], "side=side"),
        ("side", ["up", "down"], "side=-"),
    ],
)
def test_sides_are_proposed_with_the_words_that_the_column_has(
    name: str, words: list[str], expected: str
) -> None:
    sample = pl.DataFrame({key: value * 2 for key, value in NAMED.items()} | {name: words})
    assert propose(sample, has_header=True).spec.endswith(f"size=qty,{expected}")


def test_a_date_and_a_time_of_day_are_joined() -> None:
    sample = pl.DataFrame(NAMED | {"Date": ["2026-01-02"], "Time": ["09:30:00.1"]}).drop("ts")
    proposal = propose(sample, has_header=True)
    assert proposal.fields["time"] == "Date+Time"
    assert any("read as UTC" in note for note in proposal.notes)


def test_decimal_commas_are_noticed() -> None:
    assert propose(pl.DataFrame(NAMED | {"px": ["99,5"]}), has_header=True).fields["decimal"] == "comma"


def test_bars_are_noticed() -> None:
    sample = pl.DataFrame(
        {"ticker": ["A"], "volume": ["9"], "open": ["1"], "close": ["1.5"], "high": ["2"], "low": ["1"]}
        | {"window_start": ["1767369600000000000"]}
    )
    assert propose(sample, has_header=True).spec == (
        "time=window_start,symbol=ticker,price=close,size=volume,side=-,open=open,high=high,low=low,kind=bar"
    )


def test_a_missing_symbol_is_left_to_be_filled_in() -> None:
    proposal = propose(pl.DataFrame(NAMED).drop("ticker"), has_header=True)
    assert proposal.missing == ["symbol"]
    assert 'symbol="NAME"' in proposal.spec

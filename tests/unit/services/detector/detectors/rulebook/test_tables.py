"""Every cell of the rulebook's tables, against the numbers as the texts have them."""

import datetime as dt

import pytest

from services.detector.detectors.rulebook.tables import ErroneousTable, LuldTable, erroneous_table, luld_table


@pytest.mark.parametrize(
    ("tier", "previous_close", "share", "amount", "doubled"),
    [
        (1, 3.01, 0.05, None, True),
        (1, 4_000.0, 0.05, None, True),
        (2, 3.01, 0.10, None, False),
        (2, 4_000.0, 0.10, None, False),
        (1, 3.0, 0.20, None, True),
        (1, 0.75, 0.20, None, True),
        (2, 3.0, 0.20, None, True),
        (2, 0.75, 0.20, None, True),
        (1, 0.7499, 0.75, 0.15, True),
        (1, 0.01, 0.75, 0.15, True),
        (2, 0.7499, 0.75, 0.15, True),
        (2, 0.01, 0.75, 0.15, True),
    ],
)
def test_a_band_of_luld(
    tier: int, previous_close: float, share: float, amount: float | None, doubled: bool
) -> None:
    band = luld_table().band_of(tier, previous_close)
    assert (band.share, band.amount, band.doubled) == (share, amount, doubled)


def test_the_times_of_luld() -> None:
    table = luld_table()
    assert (table.window_s, table.step_share, table.least_effect_s) == (300, 0.01, 30)
    assert (table.limit_state_s, table.pause_s, table.doubled_minutes) == (15, 300, 25)


@pytest.mark.parametrize(
    ("last_sale", "regular", "extended"),
    [
        (0.01, 0.10, 0.20),
        (25.0, 0.10, 0.20),
        (25.01, 0.05, 0.10),
        (50.0, 0.05, 0.10),
        (50.01, 0.03, 0.06),
        (4_000.0, 0.03, 0.06),
    ],
)
def test_a_threshold_of_clearly_erroneous_executions(
    last_sale: float, regular: float, extended: float
) -> None:
    threshold = erroneous_table().threshold_of(last_sale)
    assert (threshold.regular, threshold.extended) == (regular, extended)


def test_a_review_must_be_requested_within_half_an_hour() -> None:
    assert erroneous_table().request_minutes == 30


@pytest.mark.parametrize("table", [luld_table(), erroneous_table()])
def test_a_table_says_of_when_and_where_from_it_is(table: LuldTable | ErroneousTable) -> None:
    assert dt.date(2022, 1, 1) < table.as_of < dt.date(2026, 1, 1)
    assert all("Federal Register, volume" in source or "luldplan" in source for source in table.sources)

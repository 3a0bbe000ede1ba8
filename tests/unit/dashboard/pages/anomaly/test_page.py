import pytest

from dashboard.pages.anomaly.page import reproduce_command


@pytest.mark.parametrize(
    ("trade_id", "command"),
    [
        ("2-20002-20260302-277532126", "tapewatch reproduce 2-20002-20260302-277532126"),
        ("kraken-BTC/USD-7", "tapewatch reproduce kraken-BTC/USD-7"),
        ("a b; rm x", "tapewatch reproduce 'a b; rm x'"),
        ("-1-2", "tapewatch reproduce -- -1-2"),
    ],
)
def test_the_command_can_be_pasted_whatever_the_id(trade_id: str, command: str) -> None:
    assert reproduce_command(trade_id) == command

import datetime as dt

import pytest

from dashboard.server.sessions import SetAside
from dashboard.ui.set_aside import text_of

AHEAD = SetAside(dt.date(2035, 6, 5), 1)
EPOCH = SetAside(dt.date(1970, 1, 1), 1_200)


@pytest.mark.parametrize(
    ("aside", "told"),
    [
        ([AHEAD], "1 trade was set aside: dated Tue 5 Jun 2035, ahead of the clock."),
        ([EPOCH], "1,200 trades were set aside: dated Thu 1 Jan 1970, too long ago to be true."),
        ([AHEAD, EPOCH], "1,201 trades were set aside: dated Tue 5 Jun 2035, Thu 1 Jan 1970, ahead of the"),
        (
            [AHEAD] * 5,
            "5 trades were set aside: dated Tue 5 Jun 2035, Tue 5 Jun 2035, Tue 5 Jun 2035, 2 more",
        ),
    ],
)
def test_days_that_cannot_be_true_are_told_with_their_trades(aside: list[SetAside], told: str) -> None:
    assert text_of(aside).startswith(told)
    assert "choose the day at the end of the list of sessions" in text_of(aside)

import datetime as dt

import msgspec

from dashboard.pages.alerts.silence_words import left_text, silence_html, to_ended_table
from services.contracts.alert import Matcher
from tests.alerts import SILENCE

NOW = dt.datetime(2039, 12, 5, 14, 20, 30, tzinfo=dt.UTC)
EVIL = "<script>alert(1)</script>"


def test_a_silence_says_what_why_who_how_long_and_how_much() -> None:
    html = silence_html(SILENCE, 1_234, NOW)
    texts = ("symbols LOOK, BTC-*", "the index is being rebalanced", "2039-12-05 16:00 UTC", "1h39m left")
    for text in (*texts, "by Kim", "1,234 held back"):
        assert text in html
    assert "nothing held back yet" in silence_html(SILENCE, 0, NOW)


def test_what_comes_from_the_data_is_text() -> None:
    evil = msgspec.structs.replace(SILENCE, matcher=Matcher([EVIL]), reason=EVIL, author=EVIL)
    html = silence_html(evil, 0, NOW)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3


def test_the_last_minute_is_one() -> None:
    assert left_text(SILENCE, dt.datetime(2039, 12, 5, 15, 59, 59, tzinfo=dt.UTC)) == "1m"


def test_those_that_are_over_are_a_table() -> None:
    (row,) = to_ended_table([SILENCE], {"lunch": 7}).to_dict("records")
    assert (row["Held back"], row["From (UTC)"], row["Until (UTC)"]) == (
        7,
        "2039-12-05 14:00",
        "2039-12-05 16:00",
    )
    assert (row["Author"], row["Ended by"]) == ("Kim", "Lee")
    assert to_ended_table([SILENCE], {})["Held back"].tolist() == [0]

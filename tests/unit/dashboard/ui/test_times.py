import datetime as dt

import pytest
import streamlit as st

from dashboard.ui.clock import Clock
from dashboard.ui.times import format_span

START = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)


def test_a_span_has_its_days_only_if_there_are_two_by_the_chosen_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    end = START + dt.timedelta(hours=2)
    assert format_span(START, end) == "14:30 to 16:30"
    assert format_span(START, end + dt.timedelta(days=1)) == "2 Mar 14:30 to 3 Mar 16:30"
    monkeypatch.setattr(st, "session_state", {"zone-clock": Clock("Asia/Tokyo")})
    assert format_span(START, end) == "2 Mar 23:30 to 3 Mar 01:30"

"""Fixtures for the dashboard's tests."""

from collections.abc import Iterator

import pytest

from dashboard.ui import who
from dashboard.ui.exchange import exchange

RUN_TIMEOUT_S = 60.0
"""Time limit of one run of a page in Streamlit's `AppTest`; the default is too short for a busy machine."""


@pytest.fixture(autouse=True)
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser remembers: nothing, until a test puts it there; `AppTest` has no cookies."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(who, "remembered", lambda name: kept.get(name, ""))
    return kept


@pytest.fixture
def london(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dashboard that shows London's trading days and time."""
    monkeypatch.setenv("TAPEWATCH_EXCHANGE", "XLON")
    exchange.cache_clear()
    yield
    exchange.cache_clear()

"""Fixtures for the dashboard's tests."""

from collections.abc import Iterator

import pytest

from dashboard.pages.overview.price_chart import _price_spec
from dashboard.ui.exchange import exchange

RUN_TIMEOUT_S = 60.0
"""Time limit of one run of a page in Streamlit's `AppTest`; the default is too short for a busy machine."""


@pytest.fixture
def london(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dashboard that shows London's trading days and time."""
    monkeypatch.setenv("TAPEWATCH_EXCHANGE", "XLON")
    exchange.cache_clear()
    _price_spec.cache_clear()
    yield
    exchange.cache_clear()
    _price_spec.cache_clear()

import time

import pytest

from dashboard.server.elastic import open_client, together
from dashboard.server.sessions import find_sessions
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError


def test_calls_made_together_answer_in_their_order() -> None:
    def slow() -> str:
        time.sleep(0.05)
        return "slow"

    assert together(slow, lambda: "fast") == ["slow", "fast"]


def test_a_call_that_fails_is_told() -> None:
    def fail() -> None:
        raise TapewatchError("It is away.", "Start it.")

    with pytest.raises(TapewatchError, match="It is away"):
        together(lambda: 1, fail)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(TapewatchError, match="is not a URL") as caught:
        open_client("elastic")
    assert "TAPEWATCH_ELASTICSEARCH" in caught.value.hint


def test_a_server_that_is_away_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TapewatchError, match=f"Nothing answers at {url}") as caught:
        find_sessions(open_client(url))
    assert "tapewatch stack" in caught.value.hint

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.server.elastic import begun, counts_of, open_client, together
from dashboard.server.sessions import find_sessions
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError


def test_calls_made_together_answer_in_their_order() -> None:
    def slow() -> str:
        time.sleep(0.05)
        return "slow"

    assert together(slow, lambda: "fast") == ["slow", "fast"]


def test_calls_together_within_calls_together_wait_for_no_thread() -> None:
    def inner() -> list[int]:
        time.sleep(0.01)
        return together(lambda: 1, lambda: 2)

    with ThreadPoolExecutor(40) as visitors:
        found = list(visitors.map(lambda _: together(inner, inner), range(40), timeout=20))
    assert found == [[[1, 2], [1, 2]]] * 40


def test_a_call_that_was_begun_makes_others_together_and_is_done_at_the_end_of_the_block() -> None:
    ended = []

    def slow() -> list[int]:
        found = together(lambda: time.sleep(0.05), lambda: 2)
        ended.append(time.monotonic())
        return found

    with ThreadPoolExecutor(40) as visitors:

        def visit(_: int) -> list[int]:
            with begun(slow) as call, begun(slow):
                pass
            return call.result(0)

        assert list(visitors.map(visit, range(40), timeout=20)) == [[None, 2]] * 40
    assert len(ended) == 80


def test_failing_call_raises_its_error() -> None:
    def fail() -> None:
        raise TapewatchError("It is away.", "Start it.")

    with pytest.raises(TapewatchError, match="It is away"):
        together(lambda: 1, fail)


def test_counts_keep_the_order_of_the_aggregation() -> None:
    buckets = [{"key": "NVDA", "doc_count": 7}, {"key": "AMD", "doc_count": 2}]
    assert list(counts_of({"symbols": {"buckets": buckets}}, "symbols").items()) == [("NVDA", 7), ("AMD", 2)]
    assert counts_of({}, "symbols") == {}


def test_invalid_address_is_an_error() -> None:
    with pytest.raises(TapewatchError, match="is not a URL") as caught:
        open_client("elastic")
    assert "TAPEWATCH_ELASTICSEARCH" in caught.value.hint


def test_error_names_the_address_of_an_unavailable_server() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TapewatchError, match=f"Elasticsearch does not answer at {url}") as caught:
        find_sessions(open_client(url))
    assert "tapewatch stack" in caught.value.hint

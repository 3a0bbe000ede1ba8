"""Calls in the background."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from services.common.process.background import in_background, is_done


class Client:
    def fail(self, *_: object) -> None:
        raise ValueError("no answer")


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_the_result_and_the_error_of_a_call_are_its_outcome() -> None:
    assert in_background(max, 3, 5).result(5) == 5
    outcome = in_background(Client().fail)
    assert is_done(outcome, 5)
    with pytest.raises(ValueError, match="no answer"):
        outcome.result()


@pytest.mark.usefixtures("no_collection")
def test_a_call_that_failed_holds_nothing_once_its_outcome_is_dropped() -> None:
    client, argument = Client(), Client()
    references = [weakref.ref(client), weakref.ref(argument)]
    outcome = in_background(client.fail, argument)
    assert isinstance(outcome.exception(5), ValueError)
    del client, argument, outcome
    assert [reference() for reference in references] == [None, None]

import threading
from collections.abc import Iterator
from contextlib import closing

import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.sources.ahead import read_ahead
from services.sources.base import Chunk


class Reading:
    """Chunks with the cursors 1 to `count`, then an error if there is one; notes what was read."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self._count = count
        self._error = error
        self.last = 0
        self.was_read = threading.Condition()

    def chunks(self) -> Iterator[Chunk]:
        for cursor in range(1, self._count + 1):
            with self.was_read:
                self.last = cursor
                self.was_read.notify_all()
            yield Chunk(pl.DataFrame(), [], cursor)
        if self._error is not None:
            raise self._error

    def wait_until(self, cursor: int) -> None:
        with self.was_read:
            assert self.was_read.wait_for(lambda: self.last >= cursor, 10)


def test_all_chunks_come_in_order_each_read_while_the_one_before_is_worked_on() -> None:
    reading = Reading(5)
    cursors = []
    for chunk in read_ahead(reading.chunks()):
        assert isinstance(chunk.cursor, int)
        reading.wait_until(min(chunk.cursor + 1, 5))
        assert reading.last <= chunk.cursor + 1
        cursors.append(chunk.cursor)
    assert cursors == [1, 2, 3, 4, 5]


def test_an_error_comes_after_the_chunks_before_it() -> None:
    error = TapewatchError("The file is gone.", "Check the disk.")
    ahead = read_ahead(Reading(1, error).chunks())
    assert next(ahead).cursor == 1
    with pytest.raises(TapewatchError, match="The file is gone"):
        next(ahead)


def test_nothing_is_read_any_more_after_a_stop() -> None:
    reading = Reading(100)
    before = threading.active_count()
    with closing(read_ahead(reading.chunks())) as ahead:
        next(ahead)
    assert reading.last == 2
    assert threading.active_count() == before

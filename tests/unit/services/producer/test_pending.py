import math

import pytest

from services.producer import pending
from services.producer.pending import Pending
from tests.unit.services.producer.test_parts import chunk_of


def test_counts_what_it_is_given_and_moves_to_its_cursor() -> None:
    held = Pending(cursor=None, began_s=0.0)
    held.add(chunk_of([True, False, True]))
    held.add(chunk_of([False], first_line=8))
    assert (held.cursor, held.trades, held.rejected, held.rejected_bytes) == (8, 2, 2, 20)


def test_is_old_after_a_quarter_of_a_second_or_if_nothing_more_comes_before() -> None:
    held = Pending(cursor=None, began_s=10.0)
    assert not held.is_old(10.2)
    assert held.is_old(10.25)
    assert held.is_old(10.2, within_s=0.06)
    assert held.is_old(10.0, within_s=math.inf)


@pytest.mark.parametrize(("limit", "value"), [("COMMIT_ROWS", 4), ("COMMIT_REJECTED_BYTES", 20)])
def test_is_large_by_rows_or_by_the_bytes_of_rejected_ones(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(pending, limit, value)
    held = Pending(cursor=None, began_s=0.0)
    held.add(chunk_of([True, False, True]))
    assert not held.is_large
    held.add(chunk_of([False], first_line=8))
    assert held.is_large

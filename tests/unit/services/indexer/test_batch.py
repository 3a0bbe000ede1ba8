import pytest

from services.indexer.batch import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Batch
from tests.unit.services.indexer.entries import batch, entry, message


def test_batch_takes_a_target_once() -> None:
    made = batch(1)
    assert made.add(message(2), entry(2))
    assert not made.add(message(3), entry(1))
    assert not made.add(message(3), entry(1, content=None))
    assert [one.offset() for one in made.records] == [1, 2]


def test_batch_takes_no_more_than_its_records_and_bytes() -> None:
    assert not batch(*range(MAX_BATCH_RECORDS)).add(message(0), entry(-1))
    large = entry(2, b"x" * (MAX_BATCH_BYTES + 1))
    assert batch().add(message(2), large)  # alone, for else it could never go
    assert not batch(1).add(message(2), large)


def test_batch_is_due_when_full_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("services.indexer.batch.time.monotonic", lambda: now_s)
    made = batch(1)
    assert not made.is_due
    now_s += 0.5
    assert made.is_due
    assert not batch().is_due
    assert batch(*range(MAX_BATCH_RECORDS)).is_due


def test_offsets_are_behind_the_last_message_of_each_partition() -> None:
    made = Batch()
    for one in (message(7), message(3, partition=1), message(9)):
        assert made.add(one, entry(one.offset()))
    assert made.offsets == {("trades", 0): 10, ("trades", 1): 4}

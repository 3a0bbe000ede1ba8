from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.process.shutdown import Stop
from services.producer import progress
from services.producer.feed_progress import feed_key, symbol_key
from services.producer.pending import Pending
from services.producer.progress import Progress, published_sources

OLD = b'{"file":"day.csv","line":7,"trades":5,"bad_rows":1,"complete":false,"owner":"abc"}'

scalars = st.text(max_size=5) | st.integers(-(2**53), 2**53) | st.booleans() | st.none()
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
cursors = (
    st.integers(1, 2**53)
    | st.text()
    | st.lists(json, max_size=3)
    | st.dictionaries(st.text(max_size=5), json, max_size=3)
)


def test_a_record_of_a_file_is_read_and_written_as_ever() -> None:
    record = msgspec.json.decode(OLD, type=Progress)
    assert record.resume_after == 7
    pending = Pending(cursor=9, began_s=0.0, trades=1, rejected=1)
    written = msgspec.json.encode(record.advanced(pending, complete=True, owner="def"))
    assert written == OLD.replace(b'7,"trades":5,"bad_rows":1', b'9,"trades":6,"bad_rows":2').replace(
        b"false", b"true"
    ).replace(b"abc", b"def")


def test_before_the_first_row_there_is_nothing_to_resume_after() -> None:
    record = Progress("day.csv").advanced(Pending(cursor=None, began_s=0.0), complete=False, owner="a")
    assert record.resume_after is None
    assert orjson.loads(msgspec.json.encode(record))["line"] == 0


@given(cursor=cursors)
def test_any_cursor_is_read_back_unchanged(cursor: Any) -> None:  # noqa: ANN401
    record = Progress("feed").advanced(Pending(cursor=cursor, began_s=0.0), complete=False, owner="a")
    assert msgspec.json.decode(msgspec.json.encode(record), type=Progress).resume_after == cursor


def records(monkeypatch: pytest.MonkeyPatch, stored: dict[bytes, bytes | None]) -> list[Progress]:
    def newest(_kafka: object, wants: Callable[[bytes], bool], _stop: object) -> dict[bytes, bytes | None]:
        return {key: value for key, value in stored.items() if wants(key)}

    monkeypatch.setattr(progress, "newest_records", newest)
    return published_sources(KafkaConnection("nowhere:1"), Stop())


def test_every_file_that_was_published_is_listed_and_no_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {
        b"abc": OLD,
        b"deleted": None,
        feed_key("coinbase"): b'{"feed":"coinbase"}',
        symbol_key("coinbase", "BTC-USD"): b'{"symbol":"BTC-USD"}',
    }
    assert [one.file for one in records(monkeypatch, stored)] == ["day.csv"]


def test_a_record_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TapewatchError, match="The progress record abc in producer-progress cannot be read"):
        records(monkeypatch, {b"abc": b"{"})

from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.producer.pending import Pending
from services.producer.progress import Progress

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

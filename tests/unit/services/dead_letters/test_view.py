import io
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from services.dead_letters.letters import State
from services.dead_letters.view import (
    hex_dump,
    indent_json,
    letter_fields,
    letter_text,
    letters_table,
    summary,
    value_text,
)
from tests.unit.services.dead_letters.samples import failure_of, letter

DRIVES_A_TERMINAL = "\x1b[2J\x07\r\x9b31m\u202e"


def printed(shown: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, force_terminal=False).print(shown)
    return out.getvalue()


def test_a_letters_content_is_neither_terminal_control_nor_markup() -> None:
    bad = f"[red]{DRIVES_A_TERMINAL}"
    headers: dict[str, Any] = {"service": bad, "error": bad, "file": bad, "line": bad, bad: bad}
    of_bad = letter(key=bad.encode(), **headers)
    escaped = "[red]\\x1b[2J\\x07\\r\\x9b31m\\u202e"
    table = printed(letters_table([(of_bad, State.NEW)], 250), 250)
    whole = printed(letter_text(of_bad, bad.encode(), []), 250)
    line = printed(summary(1, 1, Counter({(bad, bad): 1}), None), 250)
    for text in (table, whole, line):
        assert escaped in text
        assert not set(DRIVES_A_TERMINAL) & set(text) - set("[2J31m")
    assert whole.count(escaped) == 8  # the key, five headers, the name of one, the value


def test_table_fits_the_terminal_and_only_errors_are_cut() -> None:
    long = letter(12345, service="indexer", topic="trades", partition="3", offset="1234", error="why " * 100)
    wide = printed(letters_table([(long, State.FAILED_AGAIN)], 120), 120).splitlines()
    assert len(wide) == 2
    for text in (
        "2-12345",
        "01-01 00:00:01",
        "indexer",
        "trades 3:1234",
        "5 B",
        "replayed, failed again",
        "why why",
    ):
        assert text in wide[1]
    assert wide[1].rstrip().endswith("…")
    narrow = printed(letters_table([(long, State.NEW)], 80), 80).splitlines()
    assert max(map(len, narrow)) <= 80
    assert "2-12345  01-01 00:00:01  indexer" in narrow[1]


def test_table_shows_which_letter_was_replayed() -> None:
    assert "trades 3:9, replay of 2-4" in printed(letters_table([(failure_of(9, of=4), State.NEW)], 120))


def test_summary_counts_by_service_and_error() -> None:
    kinds = Counter(
        {("detector", f"kind {n}"): 10 - n for n in range(7)} | {("producer", "price is empty"): 2_000}
    )
    assert summary(2_049, 50, kinds, None).plain == (
        "2,049 dead letters, the newest 50 shown: producer 2,000 (price is empty 2,000); "
        "detector 49 (kind 0 10, kind 1 9, kind 2 8, kind 3 7, kind 4 6, others 9)"
    )
    assert summary(0, 0, Counter(), None).plain == "no dead letters"
    assert summary(0, 0, Counter(), "indexer").plain == "no dead letters of the service indexer"


def test_fields_for_json_have_everything_but_the_value() -> None:
    assert letter_fields(letter(7, at_ms=1_234), State.NEW) == {
        "id": "2-7",
        "at": "1970-01-01T00:00:01.234Z",
        "state": "new",
        "key": "NVDA",
        "size_bytes": 5,
        "headers": {
            "service": "detector",
            "error": "not JSON: no",
            "topic": "trades",
            "partition": "3",
            "offset": "7",
        },
    }


def test_letter_shows_when_it_was_written_back() -> None:
    assert "replayed   1970-01-01 00:00:02 UTC\n" in letter_text(letter(), b"", [2_000]).plain


def test_json_is_indented_and_its_numbers_and_names_stay_as_written() -> None:
    value = b'{"a":1.10,"a":1e999,"n":123456789012345678901234567890,"l":[],"m":[1,{"x":"},\\"\\u001b"}]}'
    assert value_text(value) == (
        '{\n  "a": 1.10,\n  "a": 1e999,\n  "n": 123456789012345678901234567890,\n  "l": [],\n'
        '  "m": [\n    1,\n    {\n      "x": "},\\"\\u001b"\n    }\n  ]\n}'
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_indented_json_looks_as_usual(value: object) -> None:
    assert indent_json(json.dumps(value)) == json.dumps(value, indent=2)


def test_json_deeper_than_any_parser_goes_is_shown_as_text() -> None:
    assert value_text(b"[" * 200_000) == "[" * 200_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"two\nlines\tand \xc3\xa9", "two\nlines\tand é"),
        (b"bell\x07", "bell\\x07"),
        (b"\xff\x00A", "00000000  ff 00 41                                         ..A"),
        (b"", "(empty)"),
        (None, "(empty)"),
    ],
)
def test_value_is_shown_as_what_it_is(value: bytes | None, shown: str) -> None:
    assert value_text(value) == shown


def test_hex_dump_reports_how_much_it_omits() -> None:
    lines = hex_dump(bytes(range(256)) * 20).splitlines()
    assert len(lines) == 4096 // 16 + 1
    assert lines[4] == "00000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO"
    assert lines[-1] == "… 1,024 bytes more; --raw writes them all"

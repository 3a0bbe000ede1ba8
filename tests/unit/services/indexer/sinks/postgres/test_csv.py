import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.sinks.postgres.csv import array_text, csv_line

CELLS = st.lists(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    min_size=1,
)


def read(line: bytes) -> list[str]:
    """Read a line by the rules of COPY: quotes, and a backslash before a quote or a backslash."""
    rows = list(
        csv.reader(io.StringIO(line.decode(), newline=""), doublequote=False, escapechar="\\", strict=True)
    )
    assert len(rows) == 1
    return rows[0]


def as_text(cell: object) -> str:
    if cell is None:
        return "null"
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


@given(CELLS)
def test_a_line_says_what_its_cells_are(cells: list[str | int | float | bool | None]) -> None:
    found = read(csv_line(cells))
    assert len(found) == len(cells)
    for text, cell in zip(found, cells, strict=True):
        assert float(text) == cell if type(cell) is float else text == as_text(cell)


def test_the_text_null_is_no_null() -> None:
    assert csv_line(["null", None]) == b'"null",null'


@pytest.mark.parametrize("text", ["\0", "a\nb", "\x1f", "\\n", '\\"', "tab\there", "é€😀"])
def test_a_text_stays_as_it_is(text: str) -> None:
    assert read(csv_line([text, 1])) == [text, "1"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_an_array_says_what_its_texts_are(texts: list[str]) -> None:
    written = array_text(texts) or ""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', written, re.DOTALL)
    assert [re.sub(r"\\(.)", r"\1", one, flags=re.DOTALL) for one in found] == texts
    assert array_text(None) is None

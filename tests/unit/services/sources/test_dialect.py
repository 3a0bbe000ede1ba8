import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sources.dialect import CELL_END, dialect_of, split_cells, split_line

KNOWN = ("time", "price", "size")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_the_one_that_yields_known_columns(separator: str) -> None:
    found = dialect_of(f"Time{separator} PRICE {separator}size\n1{separator}2{separator}3\n".encode(), KNOWN)
    assert found.separator == separator
    assert found.names == KNOWN
    assert found.sample == (("1", "2", "3"),)
    assert found.column("size") == ["3"]
    assert found.column("side") == []


def test_a_wide_header_of_other_names_does_not_outweigh_known_ones() -> None:
    assert dialect_of(b"time;price;a,b,c,d,e\n", KNOWN).separator == ";"


@pytest.mark.parametrize(
    ("content", "encoding", "line_end"),
    [
        ("time,price\n", "utf-8", "\n"),
        ("time,price\r\n1,2\r\n", "utf-8", "\n"),
        ("time,price\r1,2\r", "utf-8", "\r"),
        ("time,price\r1,2\r", "utf-16-le", "\r"),
        ("time,price\n1,2\n", "utf-16-be", "\n"),
        ("\ufefftime,price\n1,2\n", "utf-8", "\n"),
        ("\ufefftime,price\n1,2\n", "utf-16-le", "\n"),
        ("\ufefftime,price\n1,2\n", "utf-16-be", "\n"),
        ("\ufefftime,price\n1,2\n", "utf-32-le", "\n"),
    ],
)
def test_encoding_and_line_end_are_recognised(content: str, encoding: str, line_end: str) -> None:
    found = dialect_of(content.encode(encoding), KNOWN)
    assert (found.encoding, found.line_end) == (encoding, line_end)
    assert found.names == ("time", "price")


def test_header_comes_behind_comments_and_blank_lines() -> None:
    found = dialect_of(b"# mine\n\nsep=;\nTime;Unnamed: 0;\n1;2;3\n", KNOWN)
    assert (found.header, found.header_line) == ("Time;Unnamed: 0;", 4)
    assert found.names == ("time", "", "")


@pytest.mark.parametrize(
    ("content", "has"),
    [
        ("time;price\n1;99,99\n", True),
        ("time;price\n1;1,234\n", True),
        ("time;price\n1;99,99\n1;99.99\n", False),
        ('time,price\n1,"99,99"\n', True),
        ('time,price\n1,"1,234"\n', False),
        ("time,price\n1,2\n", False),
    ],
)
def test_decimal_comma_is_seen_unless_it_may_be_a_thousand(content: str, has: bool) -> None:
    assert dialect_of(content.encode(), KNOWN).decimal_comma is has


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.lists(st.text('ab ",;.', max_size=5), min_size=1, max_size=4), min_size=1, max_size=10),
    separator=st.sampled_from(",;"),
)
def test_quoted_cells_come_back_as_they_were(rows: list[list[str]], separator: str) -> None:
    lines = [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    wanted = [[cell.strip() for cell in row] for row in rows]
    assert [split_line(line, separator) for line in lines] == wanted
    cells = split_cells(pl.Series(lines), separator)
    assert [[cell.strip() for cell in line.split(CELL_END)] for line in cells] == wanted


@pytest.mark.parametrize("line", ['1,"2', '"1"2,3'])
def test_quotes_that_do_not_match_are_null(line: str) -> None:
    assert split_cells(pl.Series(['"1",2', line]), ",").to_list() == [f"1{CELL_END}2", None]

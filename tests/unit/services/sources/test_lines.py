from pathlib import Path

import polars as pl
import pytest
import zstandard

from services.sources import compression
from services.sources.base import RejectedRow
from services.sources.lines import Lines, read_lines, without_nulls

UNENDED = "the file ends in the middle of this line (no line end)"


def read(path: Path, content: bytes, keep_unended: bool = False) -> Lines:
    path.write_bytes(content)
    (found,) = read_lines(path, keep_unended)
    return found


@pytest.mark.parametrize("pack", [bytes, zstandard.compress])
def test_lines_are_numbered_from_the_header_and_blank_lines_are_skipped(tmp_path: Path, pack: type) -> None:
    found = read(tmp_path / "x", pack(b"header\na\r\n\nb|c\n"))
    assert list(found.text.iter_rows()) == [(2, "a"), (4, "b|c")]
    assert found.rejected == []


def test_a_last_line_without_an_end_is_rejected_unless_it_is_kept(tmp_path: Path) -> None:
    cut = read(tmp_path / "x", b"header\na\nb")
    assert cut.text["raw"].to_list() == ["a"]
    assert cut.rejected == [RejectedRow(3, b"b", UNENDED)]
    assert cut.unended is None
    kept = read(tmp_path / "x", b"header\na\nb", keep_unended=True)
    assert kept.text["raw"].to_list() == ["a", "b"]
    assert kept.rejected == []
    assert kept.unended == RejectedRow(3, b"b", UNENDED)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r"])
def test_other_encodings_and_line_ends_give_the_same_lines(
    tmp_path: Path, encoding: str, line_end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "PIECE_BYTES", 3)  # cuts letters in two
    path = tmp_path / "x"
    path.write_bytes(line_end.join(("# first", "header", "a", "", "b|é", "")).encode(encoding))
    found = list(read_lines(path, encoding=encoding, line_end=line_end, header_lines=2))
    assert [row for lines in found for row in lines.text.iter_rows()] == [(3, "a"), (5, "b|é")]
    assert all(lines.rejected == [] for lines in found)


def test_a_row_with_a_null_is_rejected_for_its_first_one() -> None:
    text = pl.DataFrame({"line": [2, 3, 5], "raw": ["1|2", "x|y", "3|y"]})
    trades = pl.DataFrame({"line": [2, 3, 5], "price": [1, None, 3], "size": [2, None, None]})
    good, rejected = without_nulls(trades, text)
    assert good["line"].to_list() == [2]
    assert rejected == [
        RejectedRow(3, b"x|y", "price cannot be read"),
        RejectedRow(5, b"3|y", "size cannot be read"),
    ]

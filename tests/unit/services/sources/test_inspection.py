import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from cli.main import app
from services.common.errors import TapewatchError
from services.sources.files import open_source
from services.sources.inspection import inspect_file
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions
from tests.samples import row, write_csv


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_known_layout_is_named_with_three_trades_and_its_command(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a day.csv.zst", [row(n) for n in range(9)])
    lines, is_readable = inspect_file(str(path), None)
    assert is_readable
    assert lines[0] == f"{path}: Databento's CSV."
    assert sum(line.startswith("  trade_id ") for line in lines) == 3
    assert shlex.split(lines[-1]) == ["tapewatch", "produce", str(path)]


def test_the_proposed_command_reads_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Date;Time;Ticker;Px;Qty", "2026-01-02;09:30:00,5;ACME;9,5;1")
    lines, is_readable = inspect_file(str(path), None)
    assert is_readable
    spec = shlex.split(lines[-1])[-1]
    [chunk] = open_source(path, FileOptions(read_mapping(spec))).chunks()
    assert chunk.trades["price"].to_list() == [9_500_000_000]
    assert "Missing: no side of the aggressor: every trade is N." in lines


def test_what_is_missing_is_said_and_nothing_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "time,price,qty", "1767369600123,9.5,1")
    lines, is_readable = inspect_file(str(path), None)
    assert not is_readable
    assert 'Missing: symbol. Where all rows have one, write it in quotes: symbol="NAME".' in lines


def test_parquet_of_other_names_gets_a_proposal(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"ts": [1767369600123], "ticker": ["ACME"], "px": [9.5], "qty": [1]}).write_parquet(path)
    lines, is_readable = inspect_file(str(path), None)
    assert is_readable
    assert "Proposed mapping: time=ts,symbol=ticker,price=px,size=qty,side=-" in lines


def test_a_given_mapping_is_tried(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "when,what,px,qty", "1767369600123,ACME,9.5,1", "soon,ACME,9.5,1")
    lines, is_readable = inspect_file(str(path), "time=when,symbol=what,price=px,size=qty")
    assert is_readable
    assert any(line.startswith("  line 3: time (when) is not a time") for line in lines)
    with pytest.raises(TapewatchError, match="has no column 'who'"):
        inspect_file(str(path), "time=when,symbol=who,price=px,size=qty")


def test_standard_input_has_to_be_saved_before_it_is_published() -> None:
    done = CliRunner().invoke(app, ["inspect", "-"], input="ts,ticker,px,qty\n1767369600123,ACME,9.5,1\n")
    assert done.exit_code == 0
    assert "tapewatch produce FILE --map time=ts,symbol=ticker" in done.output


def test_a_file_without_trades_ends_with_exit_code_1(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "hello", "world")
    done = CliRunner().invoke(app, ["inspect", str(path)])
    assert done.exit_code == 1
    assert "is not a file of trades" in done.output


def test_prices_that_were_said_stand_in_the_command(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [row(n, price=str(95 + n)) for n in range(3)])
    lines, is_readable = inspect_file(str(path), None, prices="decimal")
    assert is_readable
    assert any(re.fullmatch(r"  price +95(\.0)?", line) for line in lines)
    assert shlex.split(lines[-1]) == ["tapewatch", "produce", str(path), "--prices", "decimal"]

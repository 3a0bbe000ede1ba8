import importlib
import subprocess
import sys
from typing import get_type_hints

import pytest

from benchmarks import pipeline
from benchmarks.rows import Row, Table


def test_help_names_what_runs_only_on_request() -> None:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "peers" in said
    assert not set(pipeline.ON_REQUEST) & set(pipeline.BENCHMARKS)


@pytest.mark.parametrize("name", [*pipeline.BENCHMARKS, *pipeline.ON_REQUEST])
def test_a_benchmark_returns_rows_or_tables(name: str) -> None:
    module = importlib.import_module(pipeline.PACKAGES.get(name, f"benchmarks.{name}"))
    assert get_type_hints(module.measure)["return"] in (list[Row], list[Table], Table)


def test_table_is_printed_as_a_page_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.print_table(Table("Engines", ("engine", "kills"), (("A", "20"),), frozenset({"engine"})))
    assert "Engines" in (printed := capsys.readouterr().out)
    assert "| A      |    20 |" in printed


def test_rows_become_a_table() -> None:
    table = pipeline._of_rows([Row("speed", 123_456, "trades/s", "a peer: 1", 2.5, "2 at least")])
    assert table.rows == (("speed", "123,456", "trades/s", "a peer: 1", "2.5", "2 at least"),)

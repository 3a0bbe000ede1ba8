"""Packages that only one kind of file needs are not required for the others."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.sources.databento.csv import DatabentoCsv
from services.sources.files import open_source
from services.sources.registry import FILE_KINDS, FileKind, load
from tests.samples import row, write_csv

ROOT = Path(__file__).parents[4]
DATABENTO = ROOT / "services" / "sources" / "databento"
PACKAGES = ("cli", "services", "dashboard", "infra", "benchmarks")

WITHOUT = """
import sys

missing = sys.argv.pop(1).split(",")

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
sys.argv[0] = "tapewatch"
"""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


DATABENTOS = ("databento", "databento_dbn", "aiohttp")


def without(missing: Sequence[str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code where some packages cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, ",".join(missing), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )


RUN = "from cli.main import main\nmain()\n"


def test_databento_is_imported_only_where_its_files_and_its_feed_are_read() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert DATABENTO / "dbn.py" in files
    users = {path for path in files if imported(path) & {"databento", "databento_dbn"}}
    assert users == {DATABENTO / "dbn.py", DATABENTO.parent / "feeds" / "databento.py"}


def test_backtest_of_csv_needs_no_databento_and_no_elasticsearch(tmp_path: Path) -> None:
    day = write_csv(tmp_path / "day.csv.zst", [row(n) for n in range(20)])
    output = tmp_path / "anomalies.ndjson"
    arguments = ("backtest", str(day), "--profile", "classic", "--output", str(output))
    done = without((*DATABENTOS, "elasticsearch"), RUN, *arguments)
    assert done.returncode == 0, done.stderr
    assert output.exists()


@pytest.mark.parametrize("command", ["backtest", "tune", "evaluate"])
def test_dbn_without_databento_is_reported_with_the_extra(tmp_path: Path, command: str) -> None:
    (tmp_path / "day.dbn").write_bytes(b"DBN\x03 whatever follows")
    done = without(DATABENTOS, RUN, command, str(tmp_path / "day.dbn"), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "is Databento's DBN, which cannot be read without the package databento_dbn." in done.stderr
    assert "Install Tapewatch's extra databento: pip install -e '.[databento]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_dbn_needs_neither_databentos_client_nor_what_comes_with_it() -> None:
    done = without(("databento", "pandas", "pyarrow", "aiohttp"), "import services.sources.databento.dbn\n")
    assert done.returncode == 0, done.stderr


def test_an_index_range_and_the_tuning_page_need_no_databento() -> None:
    modules = (
        "services.sources.elasticsearch",
        "services.detector.offline.tuning.run",
        "services.detector.offline.evaluation.run",
        "services.detector.offline.tuning.indexed_day",
        "dashboard.pages.tuning.page",
    )
    done = without(DATABENTOS, "".join(f"import {module}\n" for module in modules))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["backtest", "tune", "evaluate"])
def test_the_index_without_its_client_is_reported_with_the_extra(tmp_path: Path, command: str) -> None:
    times = ("--from", "2026-03-02", "--to", "2026-03-03")
    done = without(["elasticsearch"], RUN, command, *times, "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "The index cannot be read without the package elasticsearch." in done.stderr
    assert "extra indexer" in done.stderr


def test_the_first_kind_that_fits_reads_a_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "day.dbn.zst", [row(1)])
    assert isinstance(open_source(path), DatabentoCsv)
    missing = FileKind("another kind", rb"ts_recv,", "no_such_module:Reader", "more")
    monkeypatch.setattr("services.sources.registry.FILE_KINDS", (missing, *FILE_KINDS))
    with pytest.raises(TapewatchError, match="is another kind, which cannot be read without the package"):
        open_source(path)


def test_a_kind_without_an_extra_fails_as_python_does() -> None:
    with pytest.raises(ModuleNotFoundError):
        load("no_such_module:Reader", "It", None)


@pytest.mark.parametrize(
    ("feed", "package", "extra"),
    [("coinbase", "websockets", "feeds"), ("databento:XNAS.ITCH", "databento_dbn", "feeds,databento")],
)
def test_a_feed_without_its_packages_is_reported_with_the_extra(feed: str, package: str, extra: str) -> None:
    done = without((package,), RUN, "feed", feed, "--symbols", "X")
    assert done.returncode == 1
    assert f"The feed {feed} cannot be read without the package {package}" in done.stderr
    assert f"pip install -e '.[{extra}]'" in done.stderr

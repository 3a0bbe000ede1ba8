import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from services.common.errors import TapewatchError
from services.detector.offline.backtest import run as backtest
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import HEADER, row


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    write_day(
        DayConfig(trades=30_000, symbols=2, anomaly_rate=0.002), folder / "day.csv", folder / "labels.csv"
    )
    return folder / "day.csv"


def without_time(lines: bytes) -> list[dict[str, object]]:
    return [orjson.loads(line) | {"detected_at": None} for line in lines.splitlines()]


def test_writes_both_files_and_a_report(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, html = tmp_path / "out.ndjson", tmp_path / "out.html"
    assert run_backtest(open_sources([str(day)]), output, None, html) == 0
    anomalies = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    said = capsys.readouterr().err
    assert f"{len(anomalies):,}" in said
    assert "By hour, exchange time" in said
    flagged = sum(anomaly["severity"] != "info" for anomaly in anomalies)
    assert f"<b>{1000 * flagged / 30_000:.3f}</b>" in html.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "out.ndjson"]


def test_a_pipe_gets_the_anomalies_and_stays_a_pipe(day: Path, tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "out.ndjson"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        run_backtest(open_sources([str(day)]), pipe, None)
        from_pipe = read.result(10)
    assert pipe.is_fifo()
    run_backtest(open_sources([str(day)]), file, None)
    assert without_time(from_pipe) == without_time(file.read_bytes())


def test_html_is_enough_as_the_only_output(day: Path, tmp_path: Path) -> None:
    run_backtest(open_sources([str(day)]), None, None, tmp_path / "out.html")
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]


@pytest.mark.parametrize(
    ("output", "html", "cause"),
    [
        (None, None, "nothing to write"),
        ("a", "a", "both name"),
        ("no/a", None, "does not exist"),
        (".", None, "is a folder"),
    ],
)
def test_invalid_outputs_are_reported(
    day: Path, tmp_path: Path, output: str | None, html: str | None, cause: str
) -> None:
    with pytest.raises(TapewatchError, match=cause):
        run_backtest(
            open_sources([str(day)]),
            tmp_path / output if output else None,
            None,
            tmp_path / html if html else None,
        )


def test_counts_bad_rows_and_trades_without_anomalies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("\n".join([HEADER, row(1), row(2, price="nonsense"), row(1), ""]))
    run_backtest(open_sources([str(file)]), tmp_path / "out", None, tmp_path / "html")
    figures = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["bad", "rows", "1"] in figures
    assert ["late", "or", "repeated", "1"] in figures
    assert (tmp_path / "out").read_bytes() == b""


def test_an_interrupt_leaves_the_old_file(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    output, html = tmp_path / "out", tmp_path / "html"
    output.write_text("old")
    monkeypatch.setattr(backtest, "html_page", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(open_sources([str(day)]), output, None, html)
    assert output.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

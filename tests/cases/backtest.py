"""Runs files through the code of `tapewatch backtest`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.detector.offline.backtest import run as backtest
from services.detector.offline.backtest.report import Report, terminal_report
from services.sources.files import open_sources
from services.sources.mapped.mapping import Mapping
from services.sources.options import FileOptions


@dataclass(frozen=True)
class Result:
    """What a backtest says.

    Parameters
    ----------
    trades, rejected
        How many rows are trades, and how many are not.
    anomalies
        The documents that it wrote.
    """

    trades: int
    rejected: int
    anomalies: list[dict[str, Any]]


def run(files: list[Path], folder: Path, mapping: Mapping | None = None) -> Result:
    """Run a backtest of files with the default profile; `folder` takes its output."""
    reports: list[Report] = []

    def keep(report: Report) -> object:
        reports.append(report)
        return terminal_report(report)

    output = folder / "anomalies.ndjson"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "terminal_report", keep)
        assert (
            backtest.run_backtest(
                open_sources([str(file) for file in files], FileOptions(mapping)), output, None
            )
            == 0
        )
    [report] = reports
    anomalies = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    return Result(report.tally.trades, report.bad_rows, anomalies)

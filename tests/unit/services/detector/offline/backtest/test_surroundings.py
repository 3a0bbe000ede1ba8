"""The same day and profile give the same anomalies, whatever the environment of the process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.sources.synthetic.day import DayConfig, write_day
from tests.docs.pages import ROOT

PROFILE = """
name: everything
detectors:
  off_market_price: {alert_rarity: 2.5}
  unusual_size: {alert_rarity: 2.0}
  burst: {alert_rarity: 2.0}
  isolation_forest: {refit_trades: 200, window_trades: 400, trees: 20, alert_rarity: 1.5}
  high_volume: {threshold_shares: 900}
  rapid_price_change: {threshold_ratio: 0.002}
  z_score: {window_trades: 40, min_trades: 10, threshold_sigmas: 2.0}
  price_history_forest: {refit_trades: 500, trees: 20}
"""
THREADS = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ALONE = dict.fromkeys(THREADS, "1") | {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}
DETECTED_AT = re.compile(rb'"detected_at":"[^"]+"')


def anomalies(folder: Path, **surroundings: str) -> list[bytes]:
    """Return the documents of a backtest in a separate process, without the time of detection."""
    output = folder / f"{len(list(folder.iterdir()))}.ndjson"
    command = ["backtest", "day.csv.zst", "--profile", "everything.yaml", "--output", str(output)]
    subprocess.run(
        [sys.executable, "-m", "cli.main", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | surroundings,
        capture_output=True,
        check=True,
    )
    lines = output.read_bytes().splitlines()
    assert all(len(DETECTED_AT.findall(line)) == 1 for line in lines)
    return [DETECTED_AT.sub(b"", line) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("day")
    write_day(DayConfig(trades=6_000, symbols=2), made / "day.csv.zst", made / "labels.csv")
    (made / "everything.yaml").write_text(PROFILE)
    return made


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[bytes]:
    found = anomalies(folder, **ALONE)
    assert len(found) > 100
    return found


@pytest.mark.parametrize(
    "surroundings",
    [
        pytest.param(dict.fromkeys(THREADS, "4"), id="four threads", marks=pytest.mark.slow),
        pytest.param({"PYTHONHASHSEED": "1"}, id="another hash seed"),
        pytest.param(
            {"TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"},
            id="another time zone and locale",
            marks=pytest.mark.slow,
        ),
        pytest.param({"OPENBLAS_CORETYPE": "Prescott"}, id="another kernel of BLAS", marks=pytest.mark.slow),
    ],
)
def test_surroundings_change_no_anomaly(
    surroundings: dict[str, str], folder: Path, expected: list[bytes]
) -> None:
    assert anomalies(folder, **(ALONE | surroundings)) == expected

"""The demo as a user starts it, with its own stack."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from infra.embedded.ports import free_port
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import write_csv

TIMEOUT_S = 200


ROWS = re.compile(r"([\d,]+) rows in Postgres: ([\d,]+) of trades, ([\d,]+) of\s+anomalies")
PSQL = re.compile(r"^ +(PGPASSFILE=.+psql .+)$", re.M)


def command(*arguments: str) -> list[str]:
    ports = ["--kafka-port", str(free_port()), "--elasticsearch-port", str(free_port())]
    return [sys.executable, "-m", "cli.main", "demo", *ports, *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.mark.slow
def test_demo_once_indexes_the_named_files_and_writes_the_summary(tmp_path: Path) -> None:
    trades = 0
    for number, day in enumerate((2, 3)):
        date = DayConfig().date.replace(day=day)
        config = DayConfig(trades=3_000, symbols=2, seed=number, date=date)
        trades += write_day(config, tmp_path / f"{day}.csv.zst", tmp_path / "labels.csv")
    files = f"{tmp_path / '3.csv.zst'},{tmp_path / '2.csv.zst'}"
    done = subprocess.run(
        command("--once", "--data", files),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "demo-summary.json").read_text())
    assert summary["trades_produced"] == summary["trades_indexed"] == trades
    assert summary["dead_letters"] == 0
    assert summary["anomalies_indexed"] > 0
    assert summary["seconds"] > 0
    assert "The most striking anomalies" in done.stdout


def test_demo_of_a_file_that_is_not_trades_fails_before_anything_starts(tmp_path: Path) -> None:
    wrong = write_csv(tmp_path / "wrong.csv", [], header="a,b")
    began_s = time.monotonic()
    done = subprocess.run(
        command("--once", "--data", str(wrong)),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "is not a file of trades" in done.stderr
    assert time.monotonic() - began_s < 20


def wait_until_it_says(text: str, log: Path, demo: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while text not in log.read_text():
        assert demo.poll() is None, log.read_text()
        if time.monotonic() > deadline_s:
            pytest.fail(log.read_text())
        time.sleep(0.5)


@pytest.mark.slow
def test_demo_with_storage_brings_everything_into_postgres_and_says_how_to_ask_it(tmp_path: Path) -> None:
    trades = write_day(DayConfig(trades=2_000, symbols=2), tmp_path / "day.csv", tmp_path / "labels.csv")
    log = tmp_path / "demo.log"
    ports = ["--dashboard-port", str(free_port()), "--postgres-port", str(free_port())]
    # A Postgres of somebody's own has nothing to do with it.
    foreign = {"TAPEWATCH_POSTGRES_ADMIN": "postgresql://nobody@127.0.0.1:9/x"}
    with log.open("w") as output:
        demo = subprocess.Popen(
            command("--data", "day.csv", "--storage", *ports),
            cwd=tmp_path,
            env=environment() | foreign,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_it_says("count(*)", log, demo)
            said = log.read_text()
            counted = re.search(
                r"([\d,]+) rows in Postgres: ([\d,]+) of trades, ([\d,]+) of\s+anomalies", said
            )
            assert counted is not None, said
            rows, stored, anomalies = (int(count.replace(",", "")) for count in counted.groups())
            assert stored == trades
            assert rows > trades
            assert anomalies > 0
            (line,) = PSQL.findall(said)
            asked = subprocess.run(
                ["/bin/sh", "-c", line], cwd="/", capture_output=True, text=True, timeout=20, check=False
            )
            assert asked.returncode == 0, asked.stderr
            assert sum(map(int, re.findall(r"\| +(\d+)$", asked.stdout, re.M))) == trades
            login = tmp_path / "out" / "pgpass"
            assert stat.S_IMODE(login.stat().st_mode) == 0o600
            password = login.read_text().strip().rpartition(":")[2]
            logs = [log, *(tmp_path / "out" / "logs").iterdir()]
            assert not [path.name for path in logs if password in path.read_text()]
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
            assert not login.exists()
        finally:
            demo.kill()
            demo.wait()


@pytest.mark.slow
def test_demo_serves_the_dashboard_until_it_is_stopped(tmp_path: Path) -> None:
    write_day(DayConfig(trades=2_000, symbols=2), tmp_path / "day.csv", tmp_path / "labels.csv")
    port = free_port()
    log = tmp_path / "demo.log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            command("--data", "day.csv", "--dashboard-port", str(port)),
            cwd=tmp_path,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_it_says("Where to look next", log, demo)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as answer:
                assert answer.status == 200
            demo.send_signal(signal.SIGINT)
            assert demo.wait(40) == 0
        finally:
            demo.kill()
            demo.wait()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2)

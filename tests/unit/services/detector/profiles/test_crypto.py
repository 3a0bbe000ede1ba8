"""The profile for markets that never close, on a tape of one."""

from pathlib import Path

import orjson
import pytest

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.offline.backtest.run import run_backtest
from services.detector.profiles.profile import load_profile
from services.sources.files import open_sources
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions
from tests.crypto_tape import COLUMNS, write_tape

MOST_PER_1000 = 1.5
MAPPING = ",".join(f"{name}={name}" for name in COLUMNS)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """An hour of three coins from midnight on, and its number of prints."""
    path = tmp_path_factory.mktemp("crypto") / "tape.csv"
    return path, write_tape(path, minutes=60)


def test_days_are_those_of_utc_and_have_no_auction() -> None:
    profile = load_profile("crypto")
    assert ExchangeCalendar(profile.exchange).time_zone == "UTC"
    assert profile.detectors.get("auction_cross") is None


@pytest.mark.parametrize("name", ["crypto", "default"])
def test_a_market_that_never_closes_floods_nobody(name: str, tape: tuple[Path, int], tmp_path: Path) -> None:
    path, prints = tape
    output = tmp_path / "anomalies.ndjson"
    sources = open_sources([str(path)], FileOptions(read_mapping(MAPPING)))
    assert run_backtest(sources, output, name) == 0
    anomalies = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    assert len(anomalies) <= MOST_PER_1000 * prints / 1000
    assert {one["session"] for one in anomalies} <= {"2026-03-01", "2026-03-02"}


def test_a_wrong_price_is_found_among_small_steps(tape: tuple[Path, int], tmp_path: Path) -> None:
    lines = tape[0].read_text().splitlines()
    at = len(lines) // 4
    time, symbol, price, _, side = lines[at].split(",")
    wrong = f"{time},{symbol},{float(price) * 1.03:.2f},0.01,{side}"
    path = tmp_path / "tape.csv"
    path.write_text("\n".join([*lines[: at + 1], wrong, *lines[at + 1 :]]) + "\n")
    output = tmp_path / "anomalies.ndjson"
    run_backtest(open_sources([str(path)], FileOptions(read_mapping(MAPPING))), output, "crypto")
    found = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    prices = [one["price"] for one in found if "Off-Market Price" in one["anomalies"]]
    assert float(f"{float(price) * 1.03:.2f}") in prices


@pytest.mark.parametrize(
    ("base", "unit", "other"), [("crypto", "coins", "shares"), ("default", "shares", "coins")]
)
def test_messages_count_coins_where_the_market_never_closes(
    base: str, unit: str, other: str, tape: tuple[Path, int], tmp_path: Path
) -> None:
    lines = tape[0].read_text().splitlines()
    at = len(lines) // 2
    time, symbol, price, _, side = lines[at].split(",")
    path = tmp_path / "tape.csv"
    path.write_text("\n".join([*lines[: at + 1], f"{time},{symbol},{price},90000,{side}"]) + "\n")
    profile = tmp_path / "every-size.yaml"
    profile.write_text(f"base: {base}\ndetectors:\n  high_volume: {{}}\n  z_score: {{}}\n")
    output = tmp_path / "anomalies.ndjson"
    run_backtest(open_sources([str(path)], FileOptions(read_mapping(MAPPING))), output, str(profile))
    [found] = [one for one in map(orjson.loads, output.read_bytes().splitlines()) if one["size"] == 90_000]
    reasons = {one["detector"]: one["reason"] for one in found["detections"]}
    assert f" {unit} in one trade" in reasons["high_volume"]
    assert f" {unit} in one trade" in reasons["z_score"]
    assert f" {unit}, and " in reasons["unusual_size"]
    assert not any(other in reason for reason in reasons.values())

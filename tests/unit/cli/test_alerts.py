from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from services.common.errors import TapewatchError
from services.sources.synthetic.day import DayConfig, write_day
from tests.unit.services.alerter.anomalies import anomaly_message


@pytest.fixture
def anomalies(tmp_path: Path) -> str:
    path = tmp_path / "found.ndjson"
    path.write_bytes(anomaly_message(0, "a") + b"\n" + anomaly_message(600, "b") + b"\n")
    return str(path)


def test_a_dry_run_takes_what_a_backtest_has_written(anomalies: str) -> None:
    done = CliRunner().invoke(app, ["alert", "--dry-run", anomalies])
    assert done.exit_code == 0
    assert "2 anomalies of 1 symbol on 1 day would have made 2 alerts" in " ".join(done.stdout.split())


def test_a_dry_run_takes_trades_and_finds_their_anomalies_first(anomalies: str, tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    write_day(DayConfig(trades=5_000, symbols=1, anomaly_rate=0.005), day, tmp_path / "labels.csv")
    done = CliRunner().invoke(app, ["alert", "--dry-run", "--profile", "default", str(day), anomalies])
    assert done.exit_code == 0
    words = done.stdout.split()
    assert int(words[0].replace(",", "")) > 2
    assert words[1:7] == ["anomalies", "of", "2", "symbols", "on", "2"]


def test_a_kind_of_channel_that_is_unknown_is_named_with_its_line(anomalies: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("channels:\n  a: {kind: fax}\nrules:\n  - {name: x, send: [{channel: a}]}\n")
    done = CliRunner().invoke(app, ["alert", "--rules", str(rules), "--dry-run", anomalies])
    assert isinstance(done.exception, TapewatchError)
    assert "line 2: Unknown kind of channel 'fax'" in done.exception.cause


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run"], "give files for --dry-run"),
        (["--dry-run", "--send-old", "FILE"], "has no meaning in a --dry-run"),
        (["--dry-run", "--until-idle", "1", "FILE"], "has no meaning in a --dry-run"),
        (["--dry-run", "--kafka", "localhost:9092", "FILE"], "has no meaning in a --dry-run"),
        (["--dry-run", "--profile", "classic", "FILE"], "is for files of trades"),
        (["FILE"], "is for --dry-run"),
        (["--profile", "classic"], "is for --dry-run"),
    ],
)
def test_what_does_not_go_together_is_refused(anomalies: str, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["alert", *(anomalies if word == "FILE" else word for word in arguments)])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())

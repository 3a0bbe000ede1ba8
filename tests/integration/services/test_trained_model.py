"""A detector whose profile names a trained model gives a backtest's results, and counts its challenger."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from infra.embedded.stack import EmbeddedStack
from services.detector.models.registry import ModelRegistry
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import (
    addresses,
    by_trade_id,
    documents,
    is_detected,
    metrics,
    set_up,
    started,
    tapewatch,
    wait_for,
    wait_until,
    write_own_day,
)

SUFFIX = "TM"
FIRST_PART, TRADES = 3_000, 6_000
OTHER_PROFILE = "they are of another profile"


@pytest.fixture
def models(champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder of models, where every command looks for them."""
    folder = tmp_path / "models"
    shutil.copytree(champion, folder)
    monkeypatch.setenv("TAPEWATCH_MODELS", str(folder))
    monkeypatch.setenv("TAPEWATCH_CHECKPOINT_TRADES", "1000")  # so that a restart finds some
    return folder


@pytest.mark.slow
def test_the_index_has_a_backtests_anomalies_with_the_model_until_a_promotion(
    stack: EmbeddedStack, models: Path, tmp_path: Path
) -> None:
    config = DayConfig(trades=TRADES, symbols=2, date=dt.date(2023, 8, 3), seed=5, anomaly_rate=0.005)
    day = write_own_day(tmp_path / "day.csv", config, SUFFIX)
    profile = tmp_path / "own.yaml"
    profile.write_text(
        "detectors:\n  trained_model:\n"
        "    {model: trades@champion, challenger: trades@challenger, alert_rarity: 2.5}\n"
    )
    set_up(stack)
    tapewatch(stack, "produce", "--limit", str(FIRST_PART), str(day))
    tapewatch(stack, "detect", "--profile", str(profile), "--until-idle", "0.5")
    tapewatch(stack, "produce", str(day))
    log = tmp_path / "detector"
    with started(log, "detect", "--profile", str(profile), **addresses(stack)) as detector:
        wait_for(log, "assigned", detector)
        wait_until(lambda: is_detected(stack), log)
        told = metrics(log)
    assert OTHER_PROFILE not in log.read_text()
    tapewatch(stack, "index", "--until-idle", "0.5")
    found = by_trade_id(documents(stack, "anomalies-2023.08", wildcard={"symbol": f"*{SUFFIX}"}).values())
    output = tmp_path / "backtest.ndjson"
    tapewatch(stack, "backtest", str(day), "--profile", str(profile), "--output", str(output))
    assert found == by_trade_id(output.read_bytes().splitlines())
    digest = ModelRegistry(models).find("trades@champion").name
    spoken = [
        one for each in found.values() for one in each["detections"] if one["detector"] == "trained_model"
    ]
    assert len(spoken) > 3
    for one in spoken:
        assert one["model"] == {"name": "trades", "version": digest[:12], "digest": digest}
        assert "mostly for" in one["reason"]
    other = ModelRegistry(models).find("trades@challenger").name
    names = f"trades@{other[:12]},trades@{digest[:12]}"  # labels stand in the order of the alphabet
    assert told[f"tapewatch_model_judged_trades_total{{{names}}}"] >= TRADES - FIRST_PART
    flagged = [told[f"tapewatch_model_flagged_trades_total{{{by},{names}}}"] for by in ("both", "model")]
    assert sum(flagged) > 0
    tapewatch(stack, "models", "promote", f"trades@{other}", "--as", "champion")
    said = tapewatch(stack, "detect", "--profile", str(profile), "--until-idle", "0.5").stderr
    assert OTHER_PROFILE in said


def test_a_detector_refuses_a_damaged_model_at_its_start(
    stack: EmbeddedStack, models: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "own.yaml"
    profile.write_text("detectors:\n  trained_model: {model: trades@champion}\n")
    file = ModelRegistry(models).find("trades@champion") / "model.ubj"
    file.write_bytes(file.read_bytes() + b"more")
    said = tapewatch(stack, "detect", "--profile", str(profile), "--until-idle", "0.5", code=1).stderr
    assert "is refused: its content has the digest" in said
    assert "Traceback" not in said

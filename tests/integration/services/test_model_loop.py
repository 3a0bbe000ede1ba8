"""The loop of docs/models.md, played through: anomalies, verdicts, training, shadow, promotion.

The days are generated and the reviewers are simulated (`tests.reviewers`): this shows that the parts fit
together, and nothing of what a model is worth.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.indices import VERDICTS_INDEX
from services.detector.models.manifest import Manifest, read_manifest
from services.detector.models.registry import ModelRegistry
from services.review.verdicts import Decision
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import (
    addresses,
    by_trade_id,
    catch_up,
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
from tests.reviewers import review

SUFFIX = "ML"
MONDAY = dt.date(2023, 9, 11)
TRADES = 15_000
RATE = 0.006
INDEX = "anomalies-2023.09"


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    set_up(stack)
    with new_client(stack.elasticsearch_url) as opened:
        yield opened
        opened.indices.delete(index=VERDICTS_INDEX, ignore_unavailable=True)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("xgboost")
    monkeypatch.setenv("TAPEWATCH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def write_day(folder: Path, date: dt.date) -> Path:
    config = DayConfig(date, seed=date.day, trades=TRADES, symbols=1, anomaly_rate=RATE)
    return write_own_day(folder / f"{date}.csv", config, SUFFIX)


def anomalies_of(stack: EmbeddedStack, day: Path) -> dict[str, dict[str, Any]]:
    """Return the indexed anomalies of a day."""
    return by_trade_id(documents(stack, INDEX, term={"session": day.stem}).values())


def spoken_by_models(anomalies: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        one for each in anomalies.values() for one in each["detections"] if one["detector"] == "trained_model"
    ]


def train(stack: EmbeddedStack, models: Path, days: list[Path]) -> Manifest:
    """Train on verdicts, and return the manifest of the one model there is."""
    names = [str(day) for day in days]
    tapewatch(stack, "train", *names, "--labels", "verdicts", "--test-days", "1")
    [path] = models.glob("trades/*/manifest.json")
    return read_manifest(path.read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_verdicts_train_a_challenger_that_is_counted_in_the_shadow_and_speaks_once_promoted(
    stack: EmbeddedStack, client: Elasticsearch, models: Path, tmp_path: Path
) -> None:
    week = [write_day(tmp_path, MONDAY + dt.timedelta(days=number)) for number in range(5)]
    shadow_day, served_day = (write_day(tmp_path, MONDAY + dt.timedelta(days=number)) for number in (7, 8))

    # Anomalies of a week, and what the reviewers say of them.
    tapewatch(stack, "produce", *(str(day) for day in week))
    catch_up(stack)
    session_of = {key: found["session"] for day in week for key, found in anomalies_of(stack, day).items()}
    verdicts = review(client, [day.with_suffix(".labels.csv") for day in week])
    assert verdicts.keys() == session_of.keys()

    # The model learns from all of those that were given on its days, and from no others.
    manifest = train(stack, models, week)
    learnt = Counter(verdicts[key] for key, day in session_of.items() if day in manifest.days["train"])
    assert min(learnt[one] for one in Decision) > 10
    [labels] = manifest.labels
    assert (labels.origin, labels.anomalies) == ("verdicts", learnt[Decision.CONFIRMED])
    assert labels.trades == learnt.total()
    assert manifest.days["train"] == [day.stem for day in week[:3]]
    assert manifest.parent is None
    assert "verdicts.average_precision" in manifest.metrics

    # In the shadow, where no model speaks yet: judged, counted, not heard.
    address = f"trades@{manifest.digest[:12]}"
    tapewatch(stack, "models", "promote", address, "--as", "challenger")
    shadow = tmp_path / "shadow.yaml"
    shadow.write_text("detectors:\n  trained_model: {challenger: trades@challenger, alert_rarity: 3}\n")
    log = tmp_path / "detector"
    with started(log, "detect", "--profile", str(shadow), **addresses(stack)) as detector:
        wait_for(log, "assigned", detector)
        tapewatch(stack, "produce", str(shadow_day))
        wait_until(lambda: is_detected(stack), log)
        told = metrics(log)
        detector.terminate()  # and so leaves its group at once
        detector.wait(timeout=60)
    assert told[f"tapewatch_model_judged_trades_total{{{address},}}"] >= TRADES
    assert told[f"tapewatch_model_flagged_trades_total{{challenger,{address},}}"] > 0
    assert told[f"tapewatch_model_flagged_trades_total{{model,{address},}}"] == 0
    tapewatch(stack, "index", "--until-idle", "1")
    unheard = anomalies_of(stack, shadow_day)
    assert len(unheard) > 10
    assert spoken_by_models(unheard) == []

    # Promoted: it speaks, by name and digest, and live as in a backtest.
    tapewatch(stack, "models", "promote", address, "--as", "champion")
    assert ModelRegistry(models).find("trades@champion").name == manifest.digest
    served = tmp_path / "served.yaml"
    served.write_text("detectors:\n  trained_model: {model: trades@champion, alert_rarity: 3}\n")
    tapewatch(stack, "produce", str(served_day))
    tapewatch(stack, "detect", "--profile", str(served), "--until-idle", "1")
    tapewatch(stack, "index", "--until-idle", "1")
    found = anomalies_of(stack, served_day)
    spoken = spoken_by_models(found)
    assert len(spoken) > 3
    named = {"name": "trades", "version": manifest.digest[:12], "digest": manifest.digest}
    assert [one["model"] for one in spoken] == [named] * len(spoken)
    output = tmp_path / "backtest.ndjson"
    tapewatch(stack, "backtest", str(served_day), "--profile", str(served), "--output", str(output))
    assert found == by_trade_id(output.read_bytes().splitlines())

"""A generated day with its anomalies and alerts, and the sink that writes it into Postgres."""

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.alerter.deciding.decider import Decider
from services.alerter.offline.anomaly_files import read_anomalies
from services.alerter.offline.rules import rules_to_try
from services.contracts.alert import encode
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, TRADES_TOPIC
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.integration.postgres.database import Database
from tests.integration.postgres.writing import claimed, records

Document = dict[str, Any]
_BATCH = 5_000


@dataclass(frozen=True)
class Tape:
    """What the topics have of a day: trades, anomalies, and every revision of alerts."""

    trades: list[Document]
    anomalies: list[Document]
    alerts: list[Document]

    def write(self, database: Database) -> None:
        """Store it as the sink does."""
        sink = claimed(database)
        for topic, documents in (
            (TRADES_TOPIC, self.trades),
            (ANOMALIES_TOPIC, self.anomalies),
            (ALERTS_TOPIC, self.alerts),
        ):
            values = [orjson.dumps(one) for one in documents]
            for at in range(0, len(values), _BATCH):
                assert sink.write(*records(topic, values[at : at + _BATCH], at)) == []
        with database.connection("postgres").connect("test") as session:
            session.execute("SET search_path = tapewatch")
            session.execute("ANALYZE")


def generated_tape(trades: int) -> Tape:
    """Return what Tapewatch makes of a generated day.

    The last alerts of each symbol are still open.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "day.csv", Path(folder) / "anomalies.ndjson"
        write_day(DayConfig(trades=trades), path, Path(folder) / "labels.csv")
        run_backtest(open_sources([str(path)]), output, None)
        (source,) = open_sources([str(path)])
        tape = [orjson.loads(one) for chunk in source.chunks() for one in source.to_json(chunk.trades)]
        anomalies = [orjson.loads(line) for line in output.open("rb")]
        decider = Decider(rules_to_try())
        seen = sorted(read_anomalies(output), key=lambda one: one.event_ns)
        alerts = [alert for one in seen for alert in decider.anomaly(one)]
    return Tape(tape, anomalies, [orjson.loads(encode(one)) for one in alerts])


def time_of(document: Document) -> dt.datetime:
    """Return when something happened, to the microsecond, cut as in the tables."""
    return dt.datetime.fromisoformat(document["@timestamp"][:26].rstrip("Z") + "+00:00")

import orjson

from services.alerter.deciding.decider import Decider
from services.alerter.live.finish import Finisher
from services.alerter.live.partition import AlertedPartition, Decided
from services.alerter.live.prints import Wanted
from services.alerter.live.settings import AlerterSettings
from services.alerter.rules.reading import load_rules
from services.common.kafka.records import Record
from services.contracts.alert import AlertState, Print
from tests.samples import kafka_record
from tests.unit.services.alerter.live.samples import TIME, seen

RULES = load_rules()
HOUR_NS = 3_600 * 10**9
ANOMALY = {
    "trade_id": "t1",
    "symbol": "NVDA",
    "price": 1.0,
    "size": 10,
    "anomalies": ["Off-Market Price"],
    "score": 0.8,
    "severity": "high",
    "message": "Price $1.00 is far from the others.",
    "detections": [],
    "session": "2024-12-02",
}


def partition() -> AlertedPartition:
    return AlertedPartition(4, RULES, Finisher(AlerterSettings(), False, lambda: TIME))


def anomaly(time: str = "2024-12-02T15:00:00Z", headers: dict[str, bytes] | None = None) -> Record:
    given = {"trade_offset": b"17", "tape_clock": b"1733151600000000000"} | (headers or {})
    value = orjson.dumps(ANOMALY | {"@timestamp": time})
    return kafka_record("anomalies", 4, 0, key=b"NVDA", value=value, headers=[*given.items()])


def test_an_alert_that_opens_wants_the_trades_before_its_own() -> None:
    decided = Decided()
    assert not partition().take(anomaly(), decided)
    (alert,) = decided.alerts
    assert decided.wanted == [Wanted(alert.alert_id, "NVDA", 4, 17)]


def test_an_alert_that_nobody_is_sent_wants_no_trades() -> None:
    decided = Decided()
    partition().take(anomaly("2024-12-01T15:00:00Z"), decided)
    assert len(decided.alerts) == 1
    assert decided.wanted == []


def test_messages_of_a_reset_are_told_from_others() -> None:
    own = partition()
    assert own.take(anomaly(headers={"judged_again": b"1"}), Decided())
    retraction = kafka_record("anomalies", 4, 1, key=b"NVDA", value=None, headers=[("trade_id", b"t1")])
    decided = Decided()
    assert own.take(retraction, decided)
    assert [alert.state for alert in decided.alerts] == [AlertState.WITHDRAWN]


def test_what_cannot_be_read_is_rejected_with_the_reason_and_changes_nothing() -> None:
    own, decided = partition(), Decided()
    records = [
        kafka_record("anomalies", 4, 0, key=b"NVDA", value=b"no JSON"),
        kafka_record("anomalies", 4, 1, key=b"NVDA", value=None, headers=[("trade_id", None)]),
        kafka_record("corrections", 4, 0, key=b"NVDA", value=b"[1]"),
        kafka_record("corrections", 4, 1, key=b"NVDA", value=None),
    ]
    assert not any(own.take(record, decided) for record in records)
    assert [record for record, _ in decided.rejected] == records
    assert all(reason for _, reason in decided.rejected)
    assert own.checkpoints() == []


def test_state_and_trades_are_the_same_after_a_restart() -> None:
    own, decided = partition(), Decided()
    own.take(anomaly(), decided)
    trades = [Print("t0", "2024-12-02T14:59:59Z", 1.0, 10)]
    own.keep_trades("NVDA", decided.alerts[0].alert_id, trades)
    stored = dict(own.checkpoints())
    assert own.checkpoints() == []
    again, later = partition(), Decided()
    again.restore(stored)
    assert again.open_alerts == 1
    again.pass_clock(seen().event_ns + HOUR_NS, later)
    (closed,) = later.alerts
    assert (closed.revision, closed.state, closed.trades) == (2, AlertState.CLOSED, trades)
    assert again.open_alerts == 0


def test_a_checkpoint_that_cannot_be_read_is_told_and_the_others_count() -> None:
    decider = Decider(RULES)
    decider.anomaly(seen())
    own, decided = partition(), Decided()
    own.take(anomaly(), decided)
    stored = dict(own.checkpoints()) | {b"AMD": b"TWA\x01garbage", b"INTC": b"garbage"}
    again = partition()
    again.restore(stored)
    assert [each.partition(":")[0] for each in again.unreadable] == ["AMD", "INTC"]
    assert again.open_alerts == 1

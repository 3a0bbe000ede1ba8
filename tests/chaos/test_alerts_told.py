import msgspec
import pytest

from services.alerter.deciding.decider import Decider
from services.alerter.rules.reading import parse_rules
from services.alerter.seen import read_seen
from services.common.kafka.records import Record
from services.contracts.alert import Alert, Sending, encode
from services.contracts.anomaly import TAPE_CLOCK
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC
from tests.chaos.alerts_told import compare_alerts
from tests.chaos.cluster import RULES
from tests.narrow import value_of
from tests.samples import kafka_record
from tests.unit.services.alerter.anomalies import anomaly_message, at


def anomalies() -> list[Record]:
    """Two alerts, the first of which grows and is closed by the anomaly that opens the second."""
    return [
        kafka_record(
            ANOMALIES_TOPIC,
            value=anomaly_message(second, trade_id=f"t{second}"),
            headers=[(TAPE_CLOCK, str(at(second)).encode())],
        )
        for second in (0, 1, 2, 500)
    ]


def decided() -> list[Alert]:
    decider = Decider(parse_rules(RULES))
    return [
        alert
        for message in anomalies()
        for alert in decider.anomaly(read_seen(value_of(message), message.headers()))
    ]


def kinds(alerts: list[Alert]) -> dict[str, int]:
    told = [kafka_record(ALERTS_TOPIC, value=encode(alert)) for alert in alerts]
    return {one.kind: one.count for one in compare_alerts(RULES, anomalies(), told)}


def test_revisions_as_decided_are_accepted_whatever_the_clock_of_the_wall_said() -> None:
    alerts = decided()
    assert len(alerts) >= 4
    late = [
        msgspec.structs.replace(alert, sending=Sending.STALE, decided_at="2039-01-01T00:00:00Z")
        for alert in alerts
    ]
    assert kinds(late) == {}


def test_the_end_of_the_last_alert_may_have_come_or_not() -> None:
    decider = Decider(parse_rules(RULES))
    for message in anomalies():
        decider.anomaly(read_seen(value_of(message), message.headers()))
    assert kinds([*decided(), *decider.clock(2**63 - 1)]) == {}


@pytest.mark.parametrize("number", range(len(decided())))
def test_every_revision_that_is_missing_double_or_changed_is_told(number: int) -> None:
    alerts = decided()
    assert kinds(alerts[:number] + alerts[number + 1 :])["lost"] == 1
    assert kinds([*alerts, alerts[number]])["doubled"] == 1
    changed = msgspec.structs.replace(alerts[number], message="something else")
    assert kinds([*alerts[:number], changed, *alerts[number + 1 :]]) == {"different": 1}


def test_a_revision_that_nobody_decided_is_told() -> None:
    alerts = decided()
    assert kinds([*alerts, msgspec.structs.replace(alerts[-1], revision=9)])["unknown"] == 1

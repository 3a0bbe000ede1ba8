from services.common.kafka.records import Record
from services.contracts.topics import ANOMALIES_TOPIC, CORRECTIONS_TOPIC, TRADES_TOPIC
from services.indexer.sinks.base import Entry
from services.indexer.sinks.postgres.rows import TRADES, to_retraction, to_row, trade_row
from services.indexer.sinks.postgres.steps import Step, steps_of, target_of
from tests.samples import kafka_record, trade_json
from tests.unit.services.indexer.sinks.postgres.messages import anomaly, correction

IDS = {TRADES_TOPIC: "t", ANOMALIES_TOPIC: "a", CORRECTIONS_TOPIC: "c"}


def prepared(record: Record) -> tuple[Record, Entry]:
    if record.topic() == TRADES_TOPIC:
        return record, trade_row(record.value() or b"")
    if record.value() is None:
        return record, (target_of(to_retraction(record.headers()).key, record), None)
    key, line = to_row(record, IDS[record.topic()])
    return record, (target_of(key, record), line)


def steps(*records: Record) -> list[Step]:
    pairs = [prepared(record) for record in records]
    targets = [target for _, (target, _) in pairs]
    assert len(set(targets)) == len(targets), "a batch takes each target once"
    return steps_of([record for record, _ in pairs], [entry for _, entry in pairs], IDS)


def gone(offset: int) -> Record:
    headers: list[tuple[str, bytes | None]] = [
        ("trade_id", b"2-11667-20241202-1"),
        ("timestamp", b"2024-12-02T14:30:01.000000007Z"),
    ]
    return kafka_record(ANOMALIES_TOPIC, offset=offset, headers=headers)


def test_trades_are_one_step() -> None:
    (step,) = steps(*(kafka_record(TRADES_TOPIC, value=trade_json(number)) for number in range(5)))
    assert step.table is TRADES
    assert [at for at, _ in step.lines] == list(range(5))
    assert step.days == {b"2024-12-02"}


def test_versions_of_one_row_are_in_steps_of_their_own_in_their_order() -> None:
    found = steps(
        kafka_record(ANOMALIES_TOPIC, offset=0, value=anomaly(1, revision=1)),
        kafka_record(ANOMALIES_TOPIC, offset=1, value=anomaly(2, revision=1)),
        kafka_record(CORRECTIONS_TOPIC, offset=0, value=correction()),
        kafka_record(ANOMALIES_TOPIC, offset=2, value=anomaly(1, revision=2)),
        gone(3),
        kafka_record(ANOMALIES_TOPIC, offset=4, value=anomaly(1, revision=1)),
    )
    shape = [
        (step.table.name, [at for at, _ in step.lines], [one.offset for one in step.removals])
        for step in found
    ]
    assert shape == [
        ("anomalies", [0, 1], []),
        ("corrections", [2], []),
        ("anomalies", [3], []),
        ("anomalies", [], [3]),
        ("anomalies", [5], []),
    ]

"""The delivery promise without Kafka: a ledger replaces the topics, and a process may die at any moment."""

import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.kafka.records import Record
from services.contracts.anomaly import anomaly_json
from services.contracts.tape_clock import UNKNOWN, clock_metadata, read_clock
from services.contracts.trade import decode_trade
from services.detector.detectors.base import LAST_TELLING
from services.detector.engine.columns import to_columns
from services.detector.live.checkpoint import PARTITION_KEY, PartitionCheckpoint, decode, encode
from services.detector.live.partition import WatchedPartition
from services.detector.live.recovery import is_unchanged, next_epoch, recover
from services.detector.profiles.profile import Profile, load_profile
from tests.samples import kafka_record
from tests.unit.services.detector.engine.test_engine import EVERYTHING, NOW, detect, tape

CHECKPOINT_TRADES = 60
OTHER = Profile.model_validate({"detectors": {"high_volume": {"threshold_shares": 990}}})


@dataclass
class Ledger:
    """One partition as the broker keeps it: committed together or not at all."""

    messages: list[Record]
    committed: int = 0
    checkpoints: dict[bytes, bytes] = field(default_factory=dict)
    anomalies: list[bytes] = field(default_factory=list)
    letters: list[int] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)
    metadata: str = ""

    def started(self, profile: Profile = EVERYTHING) -> WatchedPartition:
        clock = read_clock(self.metadata)
        recovered = recover(self.checkpoints, 0, self.committed, 0, profile, clock)
        return WatchedPartition(recovered, profile.hash, CHECKPOINT_TRADES)


@dataclass
class Process:
    """A detector working on one partition; what it has not committed is lost with it."""

    ledger: Ledger
    partition: WatchedPartition
    anomalies: list[bytes] = field(default_factory=list)
    letters: list[int] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)

    def read(self, count: int) -> None:
        batch = self.ledger.messages[self.partition.position : self.partition.position + count]
        if batch:
            found = self.partition.detect(batch)
            self.anomalies += [anomaly_json(one.origin.value, one.anomaly, NOW) for one in found.anomalies]
            self.clocks += [one.clock_ns for one in found.anomalies]
            self.letters += [origin.offset() for origin, _ in found.rejected]

    def commit(self) -> None:
        for key, value in self.partition.checkpoints():
            if value is None:
                self.ledger.checkpoints.pop(key, None)
            else:
                self.ledger.checkpoints[key] = value
        self.ledger.anomalies += self.anomalies
        self.ledger.letters += self.letters
        self.ledger.clocks += self.clocks
        self.ledger.committed = max(self.partition.position, self.ledger.committed)
        self.ledger.metadata = clock_metadata(self.partition.clock)
        self.anomalies, self.letters, self.clocks = [], [], []


def message(offset: int, value: bytes | None, partition: int = 0) -> Record:
    return kafka_record("trades", partition, offset, key=b"k", value=value)


def mixed_tape() -> list[bytes]:
    """Trades of four symbols, one on two interleaved days, some late or repeated, and invalid messages.

    One symbol has more days than are kept, and comes back to days that were dropped meanwhile.
    """
    parts = [
        tape(150, "NVDA"),
        tape(120, "AMD", seed=2),
        tape(90, "NVDA", seed=3, day="2024-12-03"),
        tape(20, "THIN", seed=4),
    ]
    values: list[bytes] = []
    for n in range(150):
        values += [part[n] for part in parts if n < len(part)]
    days = [tape(30, "OLD", seed=day, day=f"2024-11-{day:02}") for day in range(1, 11)]
    visits = [*range(10), 0, 9, 1, 8, 2, 7, 3, 6, 4, 5] * 3
    for turn, day in enumerate(visits):
        seen = 5 * visits[:turn].count(day)
        values[6 * turn : 6 * turn] = days[day][seen : seen + 5]
    values[70] = b"no trade"
    values.insert(200, values[10])
    values.insert(230, values[229])
    return values


TAPE = mixed_tape()
TRADES = [value for value in TAPE if value != b"no trade"]
UNDISTURBED = WatchedPartition(recover({}, 0, 0, 0, EVERYTHING), EVERYTHING.hash, CHECKPOINT_TRADES)
CLOCKS = [
    one.clock_ns
    for one in UNDISTURBED.detect([message(offset, value) for offset, value in enumerate(TAPE)]).anomalies
]
STEPS = st.lists(
    st.tuples(st.integers(1, 120), st.sampled_from(["go on", "commit", "commit", "die", "commit and die"])),
    max_size=25,
)


def worked_off(ledger: Ledger, steps: list[tuple[int, str]], profile: Profile = EVERYTHING) -> Ledger:
    process = Process(ledger, ledger.started(profile))
    for count, then in steps:
        process.read(count)
        if then.startswith("commit"):
            process.commit()
        if then.endswith("die"):
            process = Process(ledger, ledger.started(profile))
    while process.partition.position < len(ledger.messages):
        process.read(100)
    process.commit()
    return ledger


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_anomalies_do_not_depend_on_batches_or_on_where_a_restart_falls(steps: list[tuple[int, str]]) -> None:
    ledger = worked_off(Ledger([message(offset, value) for offset, value in enumerate(TAPE)]), steps)
    assert ledger.anomalies == detect(TRADES)
    assert ledger.letters == [TAPE.index(b"no trade")]
    assert (ledger.clocks, ledger.metadata) == (CLOCKS, clock_metadata(UNDISTURBED.clock))


@settings(max_examples=12, deadline=None)
@given(partitions=st.integers(1, 4), steps=st.lists(STEPS, min_size=4, max_size=4))
def test_anomalies_do_not_depend_on_the_number_of_partitions_and_instances(
    partitions: int, steps: list[list[tuple[int, str]]]
) -> None:
    by_partition: dict[int, list[bytes]] = {}
    for value in TRADES:
        symbol = 0 if b"NVDA" in value else 1 if b"AMD" in value else 2
        by_partition.setdefault(symbol % partitions, []).append(value)
    found: list[bytes] = []
    for number, values in by_partition.items():
        log = [message(offset, value) for offset, value in enumerate(values)]
        found += worked_off(Ledger(log), steps[number]).anomalies
    assert sorted(found) == sorted(detect(TRADES))


def test_an_anomaly_has_the_clock_that_two_trades_in_a_row_had_reached_before_its_own() -> None:
    values = tape(150, "NVDA")
    event_ns = to_columns([decode_trade(value) for value in values], "UTC").event_ns.tolist()
    expected = [0, 0, *itertools.accumulate(map(min, itertools.pairwise(event_ns)), max)]
    messages = [message(offset, value) for offset, value in enumerate(values)]
    found = Ledger(messages).started().detect(messages).anomalies
    at_once = [one for one in found if one.anomaly.revision is None and one.origin.offset > LAST_TELLING]
    assert at_once
    assert [one.clock_ns for one in at_once] == [expected[one.origin.offset] for one in at_once]


def test_trades_of_an_earlier_epoch_are_marked_after_a_reset_and_others_are_not() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    run = decode(ledger.started().partition_checkpoint())
    judged_until = 300
    ledger.checkpoints[PARTITION_KEY] = encode(
        PartitionCheckpoint(run.epoch, run.profile, run.layout, 0, None, judged_until)
    )
    found = ledger.started().detect(ledger.messages)
    assert {one.is_again for one in found.anomalies} == {True, False}
    assert all(one.is_again == (one.origin.offset < judged_until) for one in found.anomalies)


def test_after_a_mere_restart_nothing_is_marked_as_judged_before() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    process = Process(ledger, ledger.started())
    process.read(300)
    process.commit()
    rest = ledger.started().detect(ledger.messages[ledger.started().position :])
    assert rest.anomalies
    assert not any(one.is_again for one in rest.anomalies)


def test_the_clock_starts_again_with_a_reset() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [])
    assert ledger.started().clock.ns > 0
    run = decode(ledger.checkpoints[PARTITION_KEY])
    ledger.checkpoints[PARTITION_KEY] = encode(
        PartitionCheckpoint(run.epoch + 1, run.profile, run.layout, 0, 9, 0)
    )
    ledger.committed = 0
    assert ledger.started().clock == UNKNOWN


def test_a_restart_replays_no_more_than_the_setting_and_a_transaction() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    process = Process(ledger, ledger.started())
    for _ in range(0, len(TAPE), 10):
        process.read(10)
        process.commit()
        assert ledger.started().position >= ledger.committed - CHECKPOINT_TRADES - 10


def test_symbols_are_saved_in_turns_and_not_all_at_once() -> None:
    values = [value for n in range(60) for s in range(20) for value in [tape(60, f"S{s}", seed=s)[n]]]
    ledger = Ledger([message(offset, value) for offset, value in enumerate(values)])
    process = Process(ledger, WatchedPartition(recover({}, 0, 0, 0, EVERYTHING), EVERYTHING.hash, 400))
    written = []
    for _ in range(0, len(values), 40):
        process.read(40)
        before = dict(ledger.checkpoints)
        process.commit()
        written.append(sum(before.get(key) != value for key, value in ledger.checkpoints.items()))
    assert 0 < max(written) <= 5
    assert len(ledger.checkpoints) == 20 + 1


def test_after_a_long_replay_symbols_are_saved_in_turns_again() -> None:
    values = [value for n in range(60) for s in range(20) for value in [tape(60, f"S{s}", seed=s)[n]]]
    ledger = Ledger([message(offset, value) for offset, value in enumerate(values)], committed=900)
    process = Process(ledger, WatchedPartition(recover({}, 0, 900, 0, EVERYTHING), EVERYTHING.hash, 100))
    process.read(900)
    process.read(20)
    process.commit()  # all of them: a restart would have to replay everything
    assert len(ledger.checkpoints) == 20 + 1
    written = []
    for _ in range(920, len(values), 20):
        process.read(20)
        before = dict(ledger.checkpoints)
        process.commit()
        written.append(sum(before.get(key) != value for key, value in ledger.checkpoints.items()))
    assert 0 < max(written) <= 10


def broken(ledger: Ledger, key: bytes) -> None:
    ledger.checkpoints[key] = ledger.checkpoints[key][:-3]


@pytest.mark.parametrize("key", [PARTITION_KEY, b"NVDA@2024-12-02"])
def test_an_unreadable_checkpoint_is_reported_and_the_state_rebuilt(
    key: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    process = Process(ledger, ledger.started())
    for _ in range(20):
        process.read(15)
        process.commit()
    assert ledger.started().position > 0
    broken(ledger, key)
    assert ledger.started().position == 0
    assert "checkpoints not usable" in capsys.readouterr().out
    assert worked_off(ledger, [(50, "commit and die")]).anomalies == detect(TRADES)


def test_a_missing_record_of_the_partition_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [(50, "commit")] * 8)
    del ledger.checkpoints[PARTITION_KEY]
    assert ledger.started().position == 0
    assert "the partition's own record is missing" in capsys.readouterr().out


def test_a_batch_across_the_committed_offset_counts_only_what_is_behind_it() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    whole = ledger.started().detect(ledger.messages)
    late_in_all = whole.out_of_order.all
    ledger.committed = 210  # the first late trade is at 200, the others come later
    across = ledger.started().detect(ledger.messages)
    assert late_in_all > across.out_of_order.all > 0
    assert across.trades + 210 == whole.trades + len(whole.rejected)
    assert across.replayed == 210
    assert across.rejected == []


def test_a_partition_is_unchanged_until_others_continue_or_reset_it() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    process = Process(ledger, ledger.started())
    assert is_unchanged(process.partition, {}, 0)
    for _ in range(10):
        process.read(30)
        process.commit()
    left = process.partition
    assert is_unchanged(left, ledger.checkpoints, ledger.committed)
    assert not is_unchanged(left, ledger.checkpoints, ledger.committed + 1)
    assert is_unchanged(left, {PARTITION_KEY: b"garbage"}, ledger.committed)
    record = decode(ledger.checkpoints[PARTITION_KEY])
    next_record = replace(record, epoch=next_epoch(ledger.checkpoints))
    assert not is_unchanged(left, {PARTITION_KEY: encode(next_record)}, ledger.committed)


def test_message_rejected_in_an_earlier_run_gets_no_second_letter() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    run = decode(Process(ledger, ledger.started()).partition.partition_checkpoint())
    refused_at = TAPE.index(b"no trade")
    for letters_from, letters in ((refused_at, [refused_at]), (refused_at + 1, [])):
        next_record = PartitionCheckpoint(run.epoch, run.profile, run.layout, 0, None, letters_from)
        ledger = Ledger(ledger.messages, checkpoints={PARTITION_KEY: encode(next_record)})
        worked_off(ledger, [(40, "commit")] * 3 + [(40, "commit and die")] * 3)
        assert ledger.letters == letters
        assert ledger.anomalies == detect(TRADES)


def test_checkpoints_of_another_profile_are_not_used() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [(50, "commit")] * 8)
    assert ledger.started().position > 0
    assert ledger.started(OTHER).position == 0
    run = decode(ledger.checkpoints[PARTITION_KEY]).epoch
    ledger.committed, ledger.anomalies = 200, []
    worked_off(ledger, [(70, "commit")] * 7, OTHER)
    assert decode(ledger.checkpoints[PARTITION_KEY]).epoch == run + 1
    assert ledger.anomalies == [
        anomaly
        for anomaly in detect(TRADES, profile=OTHER)
        if any(value.startswith(anomaly[:70]) for value in TAPE[200:])
    ]


def test_checkpoints_ahead_of_the_committed_offset_are_not_used() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [(50, "commit")] * 8)
    ledger.committed = 10
    assert ledger.started().position == 0


def test_a_profile_whose_state_is_not_bounded_is_replayed_from_the_beginning() -> None:
    classic = load_profile("classic")
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [(50, "commit"), (70, "commit and die")], classic)
    assert ledger.checkpoints == {}
    assert ledger.anomalies == detect(TRADES, profile=classic)


def test_checkpoints_that_count_for_nothing_are_removed() -> None:
    ledger = Ledger([message(offset, value) for offset, value in enumerate(TAPE)])
    worked_off(ledger, [(50, "commit")] * 4)
    ledger.checkpoints[b"GONE@2020-01-02"] = b"garbage"
    worked_off(ledger, [])
    assert b"GONE@2020-01-02" not in ledger.checkpoints
    assert ledger.started().position > 0
